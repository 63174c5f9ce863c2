/**
 * Text as Postgres can hold it: `\u0000` and lone surrogates, which neither text nor jsonb takes, become U+FFFD.
 * Both stores clean whatever they are given, so that an odd tag or name is never an error.
 */
export const storableText = (text: string): string => text.replace(/[\p{Surrogate}\u0000]/gu, '\uFFFD');

/** As storableText, for every string and key inside `value`. Dates and other objects with a prototype stay as they are. */
export function storable<T>(value: T): T {
  return clean(value) as T;
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storableText(key), clean(inner)]));
}
