import { type Log, type Millis, NovellaError } from '@novella/core';
import { Agent } from 'undici';
import { z } from 'zod';

/** HTTP to Keystone: kept connections, every wait bounded, every fault graded before it leaves this file. */
export interface TransportOptions {
  /** With `/v3` and without a slash at the end. */
  readonly url: string;
  readonly connectTimeout: Millis;
  /** For the whole exchange. */
  readonly totalTimeout: Millis;
  readonly log: Log;
}

/** Both calls that there are can be repeated: they read, or make a token that nobody has seen. */
export interface Call {
  readonly name: 'issueToken' | 'validateToken';
  readonly method: 'GET' | 'POST';
  /** Below `/v3`, with query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: object;
}

export interface Answer {
  readonly status: number;
  /** undefined for an empty body. */
  readonly json: unknown;
  /** X-Subject-Token */
  readonly subjectToken: string | null;
  /** Keystone's own words for a refusal. */
  readonly message: string | null;
}

const CONNECTIONS = 16;
/** The catalog of a large cloud is some hundred KiB. */
const LARGEST_ANSWER = 8 * 2 ** 20;

export class KeystoneTransport {
  private readonly agent: Agent;
  private readonly origin: string;
  private readonly basePath: string;

  constructor(private readonly options: TransportOptions) {
    const url = new URL(options.url);
    this.origin = url.origin;
    this.basePath = url.pathname;
    this.agent = new Agent({
      connections: CONNECTIONS,
      connect: { timeout: options.connectTimeout },
      headersTimeout: options.totalTimeout,
      bodyTimeout: options.totalTimeout,
      maxResponseSize: LARGEST_ANSWER,
      allowH2: false,
    });
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /**
   * Any 2xx and 4xx but 429 is an answer; what it means is the caller's to say.
   * Errors: keystone-unreachable (refused, reset, timed out, 5xx, 429), keystone-answer-invalid.
   */
  async send(call: Call): Promise<Answer> {
    const { status, text, subjectToken } = await this.exchange(call);
    const facts = { call: call.name, status };
    this.options.log.debug('keystone answered', facts);
    if (status === 429 || status >= 500) {
      throw new NovellaError('keystone-unreachable', `Keystone could not serve ${call.name}`, facts);
    }
    const json = parseJson(text);
    const fault = faultBody.safeParse(json);
    if (json === INVALID_JSON || status < 200 || (status >= 300 && (status < 400 || !fault.success))) {
      throw new NovellaError('keystone-answer-invalid', 'what answered does not speak like Keystone', facts);
    }
    return { status, json, subjectToken, message: fault.success ? fault.data.error.message : null };
  }

  private async exchange(call: Call): Promise<Raw> {
    try {
      return await this.attempt(call);
    } catch (thrown) {
      // A kept connection that Keystone has just closed.
      if (!CONNECTION_LOST.has(reasonOf(thrown))) throw unreachable(call, thrown);
    }
    try {
      return await this.attempt(call);
    } catch (thrown) {
      throw unreachable(call, thrown);
    }
  }

  private async attempt({ method, path, headers, body }: Call): Promise<Raw> {
    const answer = await this.agent.request({
      origin: this.origin,
      method,
      path: `${this.basePath}${path}`,
      headers: {
        ...headers,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(this.options.totalTimeout),
    });
    const subjectToken = [answer.headers['x-subject-token']].flat()[0] ?? null;
    return { status: answer.statusCode, text: await answer.body.text(), subjectToken };
  }
}

interface Raw {
  readonly status: number;
  readonly text: string;
  readonly subjectToken: string | null;
}

const INVALID_JSON = Symbol('invalid JSON');
function parseJson(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return INVALID_JSON;
  }
}

/** keystone:keystone/server/flask/application.py: `{"error": {"code", "title", "message"}}` */
const faultBody = z.object({ error: z.looseObject({ message: z.string() }) });

function unreachable(call: Call, thrown: unknown): NovellaError {
  const reason = reasonOf(thrown);
  const facts = { call: call.name, reason };
  if (reason === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' || reason.startsWith('HPE_') || reason === 'HTTPParserError') {
    return new NovellaError('keystone-answer-invalid', 'what answered does not speak like Keystone', facts, {
      cause: thrown,
    });
  }
  return new NovellaError('keystone-unreachable', `no answer from Keystone to ${call.name}`, facts, { cause: thrown });
}

const CONNECTION_LOST = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

const thrownError = z.looseObject({ code: z.string().optional(), name: z.string() });
function reasonOf(thrown: unknown): string {
  const parsed = thrownError.safeParse(thrown);
  return parsed.success ? (parsed.data.code ?? parsed.data.name) : 'unknown';
}
