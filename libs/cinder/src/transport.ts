import { type ErrorFacts, type Log, type Millis, NovellaError, type ProjectId } from '@novella/core';
import { Agent } from 'undici';
import { z } from 'zod';

/** HTTP to Cinder: kept connections, every wait bounded, every fault graded before it leaves this file. */
export interface TransportOptions {
  /** `http://host:port/v3`: without project and trailing slash. */
  readonly endpoint: () => Promise<string>;
  readonly connections: number;
  readonly connectTimeout: Millis;
  /** From the sent request to the answer's headers. Long: an attachment update waits for the storage back end. */
  readonly headersTimeout: Millis;
  /** Between two pieces of the body. */
  readonly bodyTimeout: Millis;
  /** For the whole exchange, however slowly it trickles. */
  readonly totalTimeout: Millis;
  readonly maxAnswerBytes: number;
  readonly log: Log;
}

export interface Call {
  /** The client's method, for facts and log: `getVolume`. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/v3/<project>`, with query. */
  readonly path: string;
  /** `3.44`: the lowest microversion that has what the call needs. */
  readonly microversion: string;
  /** The id that a 404 must name to mean "gone"; null for calls about no single thing. */
  readonly subject: string | null;
  readonly body?: object;
}

/** What proves who calls. */
export interface CinderCredentials {
  /** That the token is for: Cinder takes no other in its URL. */
  readonly project: ProjectId;
  /** `X-Auth-Token`, `X-Service-Token` */
  readonly headers: Readonly<Record<string, string>>;
}

export interface CinderAuth {
  /** Asked for before each request. */
  credentials(): Promise<CinderCredentials>;
  /** Cinder has answered 401 to `refused` and done nothing: others, with which the call is repeated once, or null. */
  renewed(refused: CinderCredentials): Promise<CinderCredentials | null>;
}

/** `json` is undefined for an empty body; `gone` is Cinder's word that it has no such volume or attachment. */
export type Answer =
  | { readonly kind: 'ok'; readonly status: number; readonly json: unknown }
  | { readonly kind: 'gone'; readonly facts: ErrorFacts };

export class CinderTransport {
  private readonly agent: Agent;

  constructor(private readonly options: TransportOptions) {
    this.agent = new Agent({
      connections: options.connections,
      connect: { timeout: options.connectTimeout },
      headersTimeout: options.headersTimeout,
      bodyTimeout: options.bodyTimeout,
      maxResponseSize: options.maxAnswerBytes,
      allowH2: false,
    });
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /** Errors: cinder-unreachable, cinder-unauthorized, cinder-refused, cinder-answer-invalid. */
  async send(auth: CinderAuth, call: Call): Promise<Answer> {
    let credentials = await proof(call, auth.credentials());
    let raw = await this.exchange(credentials, call);
    const newer = raw.status === 401 ? await proof(call, auth.renewed(credentials)) : null;
    if (newer !== null) {
      credentials = newer;
      raw = await this.exchange(credentials, call);
    }
    return judge(call, raw, hide(Object.values(credentials.headers)));
  }

  private async exchange(credentials: CinderCredentials, call: Call): Promise<Raw> {
    const url = new URL(await proof(call, this.options.endpoint()));
    const raw = await this.untilAnswered(url, credentials, call);
    this.options.log.debug('cinder answered', { call: call.name, status: raw.status, cinderRequest: raw.requestId });
    return raw;
  }

  private async untilAnswered(url: URL, credentials: CinderCredentials, call: Call): Promise<Raw> {
    const attempt = () => this.attempt(url, credentials, call);
    try {
      return await attempt();
    } catch (thrown) {
      // A kept connection that Cinder has just closed: reading again is safe, once. What changes things is the caller's
      // to repeat, after it has looked.
      if (call.method !== 'GET' || !CONNECTION_LOST.has(reasonOf(thrown))) throw unreachable(call, thrown);
    }
    try {
      return await attempt();
    } catch (thrown) {
      throw unreachable(call, thrown);
    }
  }

  private async attempt(url: URL, { project, headers }: CinderCredentials, call: Call): Promise<Raw> {
    const answer = await this.agent.request({
      origin: url.origin,
      method: call.method,
      path: `${url.pathname.replace(/\/+$/, '')}/${encodeURIComponent(project)}${call.path}`,
      headers: {
        ...headers,
        accept: 'application/json',
        'openstack-api-version': `volume ${call.microversion}`,
        ...(call.body ? { 'content-type': 'application/json' } : {}),
      },
      body: call.body ? JSON.stringify(call.body) : null,
      signal: AbortSignal.timeout(this.options.totalTimeout),
    });
    const text = await answer.body.text();
    const header = (name: string) => [answer.headers[name]].flat()[0] ?? null;
    return {
      status: answer.statusCode,
      text,
      retryAfter: header('retry-after'),
      requestId: header('x-openstack-request-id'),
    };
  }
}

interface Raw {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | null;
  readonly requestId: string | null;
}

function judge(call: Call, raw: Raw, hideSecrets: (text: string) => string): Answer {
  const { status } = raw;
  const facts: Record<string, string | number> = { call: call.name, status };
  if (raw.requestId !== null) facts['cinderRequest'] = raw.requestId.slice(0, 100);
  if (raw.retryAfter !== null && /^\d{1,9}$/.test(raw.retryAfter)) facts['retryAfterS'] = Number(raw.retryAfter);
  const json = parseJson(raw.text);

  if (status >= 200 && status < 300) {
    if (json === INVALID_JSON) throw new NovellaError('cinder-answer-invalid', 'Cinder answered no JSON', facts);
    return { kind: 'ok', status, json };
  }
  const fault = readFault(json);
  if (fault !== null) facts['cinderMessage'] = hideSecrets(fault.message).slice(0, 1000);

  if (status === 401 || status === 403) {
    throw new NovellaError('cinder-unauthorized', `Cinder refused the credentials of ${call.name}`, facts);
  }
  if (status === 429 || status >= 500) {
    throw new NovellaError('cinder-unreachable', `Cinder could not serve ${call.name}`, facts);
  }
  // Cinder names what it misses. A 404 without the id (a route that this Cinder lacks, a proxy's page), a redirect or a
  // list of versions says that the address is wrong, and must never be read as "the volume is gone".
  const namesSubject = call.subject !== null && fault?.message.includes(call.subject);
  if (status === 404 && namesSubject) return { kind: 'gone', facts };
  if (status < 400 || status === 404 || fault === null) {
    throw new NovellaError('cinder-answer-invalid', 'what answered does not speak like Cinder', facts);
  }
  throw new NovellaError('cinder-refused', `Cinder refused ${call.name}`, facts);
}

const INVALID_JSON = Symbol('invalid JSON');
function parseJson(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // The syntax error quotes the text, which may hold secrets: it is not passed on.
    return INVALID_JSON;
  }
}

/** cinder:api/openstack/wsgi.py Fault: one key that names the fault, under it code and message. */
const faultBody = z.record(z.string(), z.looseObject({ message: z.string() }));
function readFault(json: unknown): { name: string; message: string } | null {
  const parsed = faultBody.safeParse(json);
  const [entry, ...others] = parsed.success ? Object.entries(parsed.data) : [];
  return entry === undefined || others.length > 0 ? null : { name: entry[0], message: entry[1].message };
}

/** Who cannot prove who they are, or does not know where Cinder is, cannot reach it; the cause says why. */
async function proof<T>(call: Call, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (cause) {
    const reason = cause instanceof NovellaError ? cause.code : 'unknown';
    const message = `${call.name} could not be asked of Cinder for want of credentials`;
    throw new NovellaError('cinder-unreachable', message, { call: call.name, reason }, { cause });
  }
}

function unreachable(call: Call, thrown: unknown): NovellaError {
  const reason = reasonOf(thrown);
  const facts = { call: call.name, reason };
  if (reason === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return new NovellaError('cinder-answer-invalid', 'the answer is larger than we accept', facts, { cause: thrown });
  }
  if (reason.startsWith('HPE_') || reason === 'HTTPParserError') {
    return new NovellaError('cinder-answer-invalid', 'what answered does not speak HTTP', facts, { cause: thrown });
  }
  return new NovellaError('cinder-unreachable', `no answer from Cinder to ${call.name}`, facts, { cause: thrown });
}

const CONNECTION_LOST = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

const thrownError = z.looseObject({ code: z.string().optional(), name: z.string() });
function reasonOf(thrown: unknown): string {
  const parsed = thrownError.safeParse(thrown);
  return parsed.success ? (parsed.data.code ?? parsed.data.name) : 'unknown';
}

/** Replaces what proves the caller: a message that echoes a request must not carry a token into a record. */
function hide(secrets: readonly string[]): (text: string) => string {
  const long = secrets.filter((secret) => secret.length >= 8);
  return (text) => long.reduce((left, secret) => left.replaceAll(secret, '***'), text);
}
