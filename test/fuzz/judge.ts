import type { FuzzRequest } from './requests.js';

/** What is wrong with an answer; nothing when it is as it must be. */
export interface FuzzAnswer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly text: string;
}

const FAULT_KEYS: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};
export const NO_REQUEST_ID = 'has no request id';
export const NO_FAULT = 'is no fault as Nova writes it';
const REQUEST_ID = /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** By chance there is any word in it. */
const GENERATED_KEY = /"(public|private)_key":"[^"]*"/g;
const GIVEN_AWAY = ['server', 'x-powered-by', 'via'];

export function mistakesOf(
  request: FuzzRequest,
  answer: FuzzAnswer,
  written: boolean,
  leakIn: (text: string) => string | null,
): string[] {
  const { code, headers, text } = answer;
  const mistakes: string[] = [];
  if (code >= 500 && !isNotServed(request, code)) mistakes.push(`answered ${code}`);
  if (written && code >= 400) mistakes.push('an error, and something was written');
  if (written && ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(request.method)) mistakes.push('a read has written');
  const leak = leakIn(text.replaceAll(GENERATED_KEY, '')) ?? leakIn(JSON.stringify(headers));
  if (leak !== null) mistakes.push(`tells of itself: ${JSON.stringify(leak)}`);
  for (const name of GIVEN_AWAY) if (headers[name] !== undefined) mistakes.push(`has the header ${name}`);
  if (/^\/v2(\.1)?\/./.test(request.url) && !REQUEST_ID.test(String(headers['x-openstack-request-id']))) {
    mistakes.push(NO_REQUEST_ID);
  }
  if (request.method !== 'HEAD')
    mistakes.push(...(code >= 400 ? faultMistakes(request, answer) : successMistakes(request, answer)));
  return mistakes;
}

/** The one thing of a served route that is said not to be: a swap of volumes. */
const isNotServed = ({ method, url }: FuzzRequest, code: number): boolean =>
  code === 501 && method === 'PUT' && url.includes('/os-volume_attachments/');

function faultMistakes({ url }: FuzzRequest, { code, headers, text }: FuzzAnswer): string[] {
  // What stands before Nova's own layer: too large, or no route (one that wants an id has none for an empty one).
  const noRoute = code === 404 && (headers['openstack-api-version'] === undefined || /\/([/?#]|$)/.test(url));
  const isBefore = code === 413 || noRoute;
  if (code === 401 && isKeystonemiddlewares(headers, text)) return [];
  if (isBefore && isPlain(code, headers, text)) return [];
  if (headers['content-type'] !== 'application/json; charset=UTF-8') {
    return [`${NO_FAULT}: its type is ${String(headers['content-type'])}`];
  }
  const body = parsed(text);
  const [key, ...others] = Object.keys(body ?? {});
  const fault = body?.[key ?? ''] as { code?: unknown; message?: unknown } | undefined;
  const right =
    key === (FAULT_KEYS[code] ?? 'computeFault') &&
    others.length === 0 &&
    fault?.code === code &&
    typeof fault.message === 'string' &&
    fault.message !== '' &&
    Object.keys(fault).length === 2;
  return right ? [] : [NO_FAULT];
}

function isKeystonemiddlewares(headers: FuzzAnswer['headers'], text: string): boolean {
  const { error } = (parsed(text) ?? {}) as { error?: { code?: unknown; message?: unknown } };
  const isWhole = error?.code === 401 && typeof error.message === 'string';
  return isWhole && headers['www-authenticate'] !== undefined && headers['content-type'] === 'application/json';
}

function isPlain(code: number, headers: FuzzAnswer['headers'], text: string): boolean {
  const type = String(headers['content-type']);
  if (type === 'application/json') return String(parsed(text)?.['code']).startsWith(`${code} `);
  return /^text\/(plain|html); charset=UTF-8$/.test(type) && text.includes(String(code));
}

function successMistakes(request: FuzzRequest, { code, headers, text }: FuzzAnswer): string[] {
  if (text === '') return [];
  if (headers['content-type'] !== 'application/json') return [`is of type ${String(headers['content-type'])}`];
  const body = parsed(text);
  return body === null ? [`${code} of ${request.method} is no JSON object`] : [];
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
