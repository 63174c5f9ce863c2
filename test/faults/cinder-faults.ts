import type { ErrorCode } from '@novella/core';
import type { CinderAnswer, CinderFault, Exchange } from './misbehaving-cinder.js';

/** What Cinder's answer to a call holds. */
export type AnswerShape = 'volume' | 'attachment' | 'attachments' | 'nothing';

/**
 * What a fault asks of us. away: nothing is known of Cinder, it is waited for. refused: Cinder's last word. gone: Cinder
 * says that it has no such thing. unusable: its answer is well formed and of no use to any host.
 */
export type Meaning = 'away' | 'refused' | 'gone' | 'unusable';

export interface FaultRow {
  readonly name: string;
  readonly fault: CinderFault;
  readonly meaning: Meaning;
  /** The error of an operation that met it. */
  readonly code: ErrorCode;
  /** The calls that it can befall; all unless given. */
  readonly only?: readonly AnswerShape[];
}

const OTHER = '00000000-1111-4222-8333-444444444444';
/** Stands in answers that must not be quoted. */
export const PLANTED = 'planted-chap-password-4711';

const away = (name: string, fault: CinderFault, only?: readonly AnswerShape[]): FaultRow => ({
  ...{ name, fault, meaning: 'away', code: 'cinder-unreachable' },
  ...(only === undefined ? {} : { only }),
});
const wrong = (name: string, fault: CinderFault, only?: readonly AnswerShape[]): FaultRow => ({
  ...away(name, fault, only),
  code: 'cinder-answer-invalid',
});

export const CINDER_FAULTS: readonly FaultRow[] = [
  away('answers 500', fault(500, 'computeFault')),
  away('answers 503 with Retry-After', fault(503, 'serviceUnavailable', { 'retry-after': '1' })),
  away('answers 429', fault(429, 'overLimit', { 'retry-after': '1' })),
  { ...away('answers 401', fault(401, 'unauthorized')), code: 'cinder-unauthorized' },
  away('does nothing and never answers', () => undefined),
  away('does it and never answers', async ({ forward }) => {
    await forward();
  }),
  away('resets the connection before it has done anything', ({ socket }) => {
    socket.resetAndDestroy();
  }),
  away('does it and resets the connection before the answer', async ({ forward, socket }) => {
    await forward();
    socket.resetAndDestroy();
  }),
  away('does it and resets the connection after the 200 was sent', resetAfterHeaders),
  wrong('does it and answers truncated JSON', truncated),
  wrong('answers a page of HTML with 200', html(200)),
  wrong('answers a page of HTML with 404', html(404)),
  wrong(
    'answers JSON of another shape',
    json(200, () => ({ auth_password: PLANTED, answer: { secret: PLANTED } })),
  ),
  wrong('answers what is no HTTP', ({ socket }) => void socket.end(`AMQP\0\0\x09\x01 ${PLANTED}\r\n\r\n`)),
  wrong('answers a size that is text', inTheAnswer({ size: `2 ${PLANTED}` }), ['volume']),
  wrong('answers a negative size', inTheAnswer({ size: -2 }), ['volume']),
  wrong('answers for something else', inTheAnswer({ id: OTHER, volume_id: OTHER }), ['volume', 'attachment']),
  {
    name: 'answers a connection that no host can use',
    fault: inTheAnswer({ connection_info: { driver_volume_type: 'local', auth_password: PLANTED } }),
    meaning: 'unusable',
    code: 'connection-info-invalid',
    only: ['attachment'],
  },
  { name: 'refuses with 400', fault: fault(400, 'badRequest'), meaning: 'refused', code: 'cinder-refused' },
  {
    name: 'has no such thing',
    fault: json(404, ({ subject }) => ({ itemNotFound: { code: 404, message: `${subject} could not be found.` } })),
    meaning: 'gone',
    code: 'volume-not-found',
    only: ['volume', 'attachment', 'nothing'],
  },
];

/** As Cinder words its faults, with the caller's token in it, as some middleware does. */
function fault(status: number, name: string, headers: Readonly<Record<string, string>> = {}): CinderFault {
  return (exchange) => {
    const message = `the request with ${exchange.token} cannot be served`;
    return json(status, () => ({ [name]: { code: status, message } }), headers)(exchange);
  };
}

function json(
  status: number,
  body: (call: Exchange['call']) => object,
  headers: Readonly<Record<string, string>> = {},
): CinderFault {
  return ({ response, call }) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body(call)));
  };
}

function html(status: number): CinderFault {
  return ({ response }) => {
    const page = `<html><body><form><input name="password" value="${PLANTED}"></form></body></html>`;
    response.writeHead(status, { 'content-type': 'text/html' }).end(page);
  };
}

async function resetAfterHeaders({ forward, response, socket }: Exchange): Promise<void> {
  const { text } = await forward();
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(text.length + 1000) });
  response.write(text.slice(0, text.length / 2) || '{', () => socket.resetAndDestroy());
}

async function truncated({ forward, response }: Exchange): Promise<void> {
  const { text } = await forward();
  const half = text === '' ? `{"auth_password": "${PLANTED}` : text.slice(0, text.length / 2);
  response.writeHead(200, { 'content-type': 'application/json' }).end(half);
}

/** Cinder does it, and what it answers is changed on the way. */
function inTheAnswer(change: Readonly<Record<string, unknown>>): CinderFault {
  return async ({ forward, response }) => {
    const { status, text }: CinderAnswer = await forward();
    const changed = Object.entries(JSON.parse(text) as object).map(([what, fields]: [string, object]) => {
      return [what, { ...fields, ...change }];
    });
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(Object.fromEntries(changed)));
  };
}
