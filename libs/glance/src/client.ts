import { isUuid, type Log, type Millis, seconds } from '@novella/core';
import type { Image, ImageService } from '@novella/image';
import { readImage } from './image-answer.js';
import { type Data, GlanceTransport, type Headers } from './transport.js';

/** Headers that prove who calls: `X-Auth-Token`, `X-Service-Token`. Asked for before each request. */
export type GlanceAuth = Headers;

export interface GlanceOptions {
  /** `http://host:9292`, with or without a path and `/v2`; or who knows it, asked before each request. */
  readonly endpoint: string | (() => Promise<string>);
  readonly auth: GlanceAuth;
  readonly log: Log;
  /** At most, for what is asked and for data each; what is more waits. */
  readonly connections?: number;
  readonly connectTimeout?: Millis;
  readonly headersTimeout?: Millis;
  readonly bodyTimeout?: Millis;
  readonly totalTimeout?: Millis;
  readonly maxAnswerBytes?: number;
}

/**
 * What Nova asks of Glance's v2 API. All calls may fail with image-service-unreachable (refused, reset, timed out, 5xx,
 * 429), image-service-unauthorized (401, 403) and image-service-answer-invalid. Mirrors nova:nova/image/glance.py.
 */
export interface GlanceClient extends ImageService {
  /** The same Glance through the same connections, as somebody else: a user with their own token. */
  as(headers: Readonly<Record<string, string>>): GlanceClient;

  /** null when there is none of that id that the caller may see. Errors: image-refused, image-not-active. */
  image(id: string): Promise<Image | null>;

  /** The image's data as it comes, unchecked; null when there is no such image. Ends with the signal. */
  data(id: string, signal: AbortSignal): Promise<Data | null>;

  /** Ends the connections, also for all that `as` made. */
  close(): Promise<void>;
}

/** Throws a TypeError for an endpoint that is no http(s) URL. Opens no connection before the first call. */
export function createGlanceClient(options: GlanceOptions): GlanceClient {
  const { endpoint } = options;
  if (typeof endpoint === 'string' && !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new TypeError('the endpoint is no http(s) URL');
  }
  const transport = new GlanceTransport({
    endpoint: typeof endpoint === 'string' ? () => Promise.resolve(endpoint) : endpoint,
    log: options.log,
    connections: options.connections ?? 16,
    connectTimeout: options.connectTimeout ?? seconds(5),
    headersTimeout: options.headersTimeout ?? seconds(30),
    bodyTimeout: options.bodyTimeout ?? seconds(30),
    totalTimeout: options.totalTimeout ?? seconds(45),
    maxAnswerBytes: options.maxAnswerBytes ?? 2 ** 20,
  });
  return clientOf(transport, options.auth);
}

function clientOf(transport: GlanceTransport, auth: GlanceAuth): GlanceClient {
  return {
    as: (headers) => clientOf(transport, () => Promise.resolve(headers)),
    close: () => transport.close(),

    async image(id) {
      // Glance has no other ids, and a path must not be made of one.
      if (!isUuid(id)) return null;
      const answer = await transport.read(auth, { name: 'image', path: `/images/${id}`, subject: id });
      return answer.kind === 'gone' ? null : readImage(id, answer.json);
    },

    data(id, signal) {
      if (!isUuid(id)) return Promise.resolve(null);
      return transport.open(auth, { name: 'data', path: `/images/${id}/file`, subject: id }, signal);
    },
  };
}
