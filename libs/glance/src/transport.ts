import { type ErrorFacts, type Log, type Millis, NovellaError } from '@novella/core';
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher } from 'undici';
import { z } from 'zod';

/** HTTP to Glance: every wait bounded, every fault graded before it leaves this file. */
export interface TransportOptions {
  /** `http://host:9292`, with or without a path; `/v2` is appended where it is not there. */
  readonly endpoint: () => Promise<string>;
  readonly connections: number;
  readonly connectTimeout: Millis;
  /** From the sent request to the answer's headers. */
  readonly headersTimeout: Millis;
  /** Between two pieces of a body. */
  readonly bodyTimeout: Millis;
  /** For the whole of an exchange that answers facts; data may take as long as it comes on. */
  readonly totalTimeout: Millis;
  readonly maxAnswerBytes: number;
  readonly log: Log;
}

export interface Call {
  /** The client's method, for facts and log: `image`. */
  readonly name: string;
  /** Below `/v2`. */
  readonly path: string;
  /** The id that a 404 must name to mean "there is none". */
  readonly subject: string;
}

export type Headers = () => Promise<Readonly<Record<string, string>>>;

/** `gone` is Glance's word that it has no such image, or none that the caller may see. */
export type Answer = { readonly kind: 'ok'; readonly json: unknown } | { readonly kind: 'gone' };

export interface Data {
  /** As the answer announces it; null: it does not. */
  readonly length: number | null;
  /** Fails where it is cut, or nothing comes for `bodyTimeout`. Must be read or destroyed. */
  readonly body: Readable;
}

export class GlanceTransport {
  /** Data takes long: what asks for facts must not wait behind it for a connection. */
  private readonly facts: Agent;
  private readonly data: Agent;

  constructor(private readonly options: TransportOptions) {
    const { connections, headersTimeout, bodyTimeout, maxAnswerBytes } = options;
    const shared = { connections, headersTimeout, bodyTimeout, connect: { timeout: options.connectTimeout } };
    this.facts = new Agent({ ...shared, maxResponseSize: maxAnswerBytes, allowH2: false });
    this.data = new Agent({ ...shared, allowH2: false });
  }

  async close(): Promise<void> {
    await Promise.all([this.facts.destroy(), this.data.destroy()]);
  }

  /** Errors: image-service-unreachable, image-service-unauthorized, image-service-answer-invalid. */
  async read(headers: Headers, call: Call): Promise<Answer> {
    const to = { agent: this.facts, url: await this.urlOf(call), credentials: await headers() };
    const signal = AbortSignal.timeout(this.options.totalTimeout);
    const raw = await this.exchange(call, async () => rawOf(await this.request(to, call, signal)));
    if (raw.status === 200) {
      const json = parseJson(raw.text);
      if (json === null) throw invalid(call, 'Glance answered no JSON', raw.status);
      return { kind: 'ok', json };
    }
    return judge(call, raw);
  }

  /** A file as it comes; null when there is no such image. Errors: as `read`. */
  async open(headers: Headers, call: Call, signal: AbortSignal): Promise<Data | null> {
    const to = { agent: this.data, url: await this.urlOf(call), credentials: await headers() };
    const answer = await this.exchange(call, () => this.request(to, call, signal));
    if (answer.statusCode !== 200) {
      judge(call, { ...rawHead(answer), text: await beginning(answer.body) });
      return null;
    }
    const length = Number(headerOf(answer, 'content-length') ?? Number.NaN);
    return { length: Number.isSafeInteger(length) ? length : null, body: answer.body };
  }

  /** A kept connection that Glance has just closed: reading again is safe, once. */
  private async exchange<T>(call: Call, attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (thrown) {
      if (!CONNECTION_LOST.has(reasonOf(thrown))) throw unreachable(call, thrown);
    }
    return attempt().catch((thrown: unknown) => {
      throw unreachable(call, thrown);
    });
  }

  /** Who does not know where Glance is cannot reach it; the cause says why. */
  private async urlOf(call: Call): Promise<URL> {
    try {
      const url = new URL(await this.options.endpoint());
      url.pathname = `${url.pathname.replace(/\/+$/, '').replace(/\/v2$/, '')}/v2${call.path}`;
      return url;
    } catch (cause) {
      const reason = cause instanceof NovellaError ? cause.code : 'unknown';
      const facts = { call: call.name, image: call.subject, reason };
      throw new NovellaError('image-service-unreachable', 'it is not known where Glance is', facts, { cause });
    }
  }

  private async request(
    { agent, url, credentials }: Addressed,
    call: Call,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const answer = await agent.request({
      origin: url.origin,
      method: 'GET',
      path: url.pathname,
      headers: { ...credentials, accept: 'application/json, application/octet-stream' },
      signal,
    });
    const glanceRequest = headerOf(answer, 'x-openstack-request-id');
    this.options.log.debug('glance answered', { call: call.name, status: answer.statusCode, glanceRequest });
    return answer;
  }
}

interface Addressed {
  readonly agent: Agent;
  readonly url: URL;
  readonly credentials: Readonly<Record<string, string>>;
}

interface Raw {
  readonly status: number;
  readonly text: string;
  readonly requestId: string | null;
}

const rawHead = (answer: Dispatcher.ResponseData) => ({
  status: answer.statusCode,
  requestId: headerOf(answer, 'x-openstack-request-id'),
});

async function rawOf(answer: Dispatcher.ResponseData): Promise<Raw> {
  return { ...rawHead(answer), text: await answer.body.text() };
}

/** Of an error's page, which shall not be able to keep us. What cannot be read of it says nothing. */
async function beginning(body: Readable): Promise<string> {
  let text = '';
  try {
    for await (const chunk of body) {
      text += String(chunk);
      if (text.length >= MOST_OF_A_PAGE) break;
    }
  } catch {
    return text;
  }
  return text;
}
const MOST_OF_A_PAGE = 64 * 1024;

const headerOf = (answer: Dispatcher.ResponseData, name: string): string | null =>
  [answer.headers[name]].flat()[0] ?? null;

/** Of what is no 200. Glance's errors are WebOb's, in JSON or HTML; none of their words is passed on. */
function judge(call: Call, { status, text, requestId }: Raw): { readonly kind: 'gone' } {
  const facts: Record<string, string | number> = { call: call.name, image: call.subject, status };
  if (requestId !== null) facts['glanceRequest'] = requestId.slice(0, 100);
  if (status === 401 || status === 403) {
    throw new NovellaError('image-service-unauthorized', `Glance does not let us ${ASKS[status]}`, facts);
  }
  if (status === 429 || status >= 500) {
    throw new NovellaError('image-service-unreachable', 'Glance could not serve the image', facts);
  }
  // 204 is Glance's answer for an image whose data its store does not find.
  if (status === 204) throw new NovellaError('image-service-unreachable', 'Glance finds no data of the image', facts);
  // Glance names what it misses. A 404 that only repeats the path (a proxy's page, another service) says that the
  // address is wrong.
  if (status === 404 && text.replaceAll(call.path, '').includes(call.subject)) return { kind: 'gone' };
  throw invalid(call, 'what answered does not speak like Glance', status);
}

const ASKS = { 401: 'in: it refuses the credentials', 403: 'have the image' } as const;

const invalid = (call: Call, message: string, status: number): NovellaError =>
  new NovellaError('image-service-answer-invalid', message, { call: call.name, image: call.subject, status });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** What an exchange with Glance has failed with. */
export function unreachable(call: Call, thrown: unknown): NovellaError {
  if (thrown instanceof NovellaError) return thrown;
  const reason = reasonOf(thrown);
  const facts: ErrorFacts = { call: call.name, image: call.subject, reason };
  const cause = { cause: thrown };
  if (reason === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return new NovellaError('image-service-answer-invalid', 'the answer is larger than we accept', facts, cause);
  }
  if (reason.startsWith('HPE_') || reason === 'HTTPParserError') {
    return new NovellaError('image-service-answer-invalid', 'what answered does not speak HTTP', facts, cause);
  }
  return new NovellaError('image-service-unreachable', 'no answer from Glance', facts, cause);
}

const CONNECTION_LOST = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

const thrownError = z.looseObject({ code: z.string().optional(), name: z.string() });
function reasonOf(thrown: unknown): string {
  const parsed = thrownError.safeParse(thrown);
  return parsed.success ? (parsed.data.code ?? parsed.data.name) : 'unknown';
}
