import { type IncomingMessage, get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { type ErrorCode, isErrorCode, type Millis, minutes, NovellaError, seconds } from '@novella/core';
import { z } from 'zod';
import type { Fetchable, OpenImage } from './image-cache.js';

export interface DownloadLimits {
  /** From the beginning to the answer's head; the conductor asks the image service meanwhile. */
  readonly head: Millis;
  /** Between two pieces of the data. */
  readonly stall: Millis;
  readonly total: Millis;
}

const LIMITS: DownloadLimits = { head: seconds(60), stall: seconds(30), total: minutes(60) };

/** What a conductor may say of an image that it cannot give; anything else it may do better at the next try. */
const SAID: readonly ErrorCode[] = [
  'image-not-found',
  'image-not-active',
  'image-refused',
  'image-service-unreachable',
  'image-service-unauthorized',
  'image-service-answer-invalid',
];

/** Fetches from conductors, by the URLs that their commands carry. No redirect is followed. */
export function imageDownloads(limits: DownloadLimits = LIMITS): OpenImage {
  return async (source, signal) => {
    const whole = AbortSignal.any([signal, AbortSignal.timeout(limits.total)]);
    const response = await headOf(source, limits.head, whole);
    if (response.statusCode !== 200) throw await refusal(source, response, limits.stall);
    return piecesOf(source, response, limits.stall);
  };
}

function headOf(source: Fetchable, limit: Millis, signal: AbortSignal): Promise<IncomingMessage> {
  const get = source.url.startsWith('https:') ? httpsGet : httpGet;
  return new Promise((resolve, reject) => {
    const request = get(source.url, { signal, agent: false }, (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    const timer = setTimeout(() => request.destroy(new Error('no answer in time')), limit);
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(failed(source, 'no answer from the conductor', error));
    });
  });
}

async function* piecesOf(source: Fetchable, response: IncomingMessage, stall: Millis): AsyncGenerator<Buffer> {
  // It runs only while a piece is waited for: how long we take with one is no fault of the sender.
  const whileWaiting = () => setTimeout(() => response.destroy(new Error('nothing came for too long')), stall);
  let timer = whileWaiting();
  try {
    for await (const piece of response) {
      clearTimeout(timer);
      yield piece as Buffer;
      timer = whileWaiting();
    }
  } catch (error) {
    throw failed(source, 'the data has ended before its end', error);
  } finally {
    clearTimeout(timer);
    response.destroy();
  }
}

const saidBody = z.object({ code: z.string(), message: z.string().max(1000) });
const MOST_OF_AN_ANSWER = 4096;

async function refusal(source: Fetchable, response: IncomingMessage, stall: Millis): Promise<NovellaError> {
  const facts = { image: source.id, status: response.statusCode ?? 0 };
  const said = saidBody.safeParse(await jsonOf(piecesOf(source, response, stall)));
  if (said.success && isErrorCode(said.data.code) && SAID.includes(said.data.code)) {
    const { code, message } = said.data;
    return new NovellaError(code, message, facts);
  }
  return new NovellaError('image-download-failed', 'the conductor did not give the image', facts);
}

async function jsonOf(pieces: AsyncIterable<Buffer>): Promise<unknown> {
  let text = '';
  try {
    for await (const piece of pieces) {
      text += String(piece);
      if (text.length > MOST_OF_AN_ANSWER) break;
    }
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** The address may be known, the signature that opens it not: the URL is in no error. */
function failed({ id, url }: Fetchable, message: string, cause: unknown): NovellaError {
  return new NovellaError('image-download-failed', message, { image: id, from: new URL(url).host }, { cause });
}
