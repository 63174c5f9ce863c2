/** Names under which secrets travel: Cinder's connection_info, Keystone, HTTP headers, our own config. */
const SECRET_NAME =
  /passw(or)?d|passphrase|secret(?!_type|_?uuid)|token(?!s)|keyring|credential|authorization|private_?key|api_?key/i;
const NOT_SECRET = new Set(['commandToken', 'token_type']);
/** `amqp://user:password@host`, wherever it stands in a text. */
const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@/]+@/gi;
/** What opens a link to an image. */
const SIGNATURE = /([?&]signature=)[\w%-]+/g;
/** Keystone tokens (fernet) are recognised by their look, as messages of HTTP clients repeat them. */
const FERNET = /gAAAA[A-Za-z0-9_-]{20,}={0,2}/g;

const HIDDEN = '[redacted]';
const DEEPEST = 8;
const LONGEST_TEXT = 16_384;

/**
 * A copy of `value` that may be printed: secrets by name or look replaced, depth and length bounded, and what JSON
 * cannot carry (bigint, cycles, functions) turned into text.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEEPEST) return '[deeper]';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
  if (value instanceof Error) return { name: value.name, message: redactText(value.message) };
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map) return redact(Object.fromEntries(value), depth);
  if (Array.isArray(value) || value instanceof Set) return [...value].map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, isSecret(name, item) ? HIDDEN : redact(item, depth + 1)]),
  );
}

export function redactText(text: string): string {
  const short = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}[cut]` : text;
  return short.replace(URL_PASSWORD, `$1:${HIDDEN}@`).replace(SIGNATURE, `$1${HIDDEN}`).replace(FERNET, HIDDEN);
}

/** A command's token is an object of ids and no secret; a secret is text. */
const isSecret = (name: string, item: unknown): boolean =>
  SECRET_NAME.test(name) && !NOT_SECRET.has(name) && (typeof item === 'string' || ArrayBuffer.isView(item));
