import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { type ErrorCode, type Log, NovellaError, seconds, toErrorRecord } from '@novella/core';
import type { GlanceClient } from '@novella/glance';
import { cannotListen } from '@novella/service-kit';
import type { BadLink, ImageLinks } from './image-links.js';

export interface ImageServerIo {
  /** With the service's credentials. */
  readonly glance: Pick<GlanceClient, 'image' | 'data'>;
  readonly links: Pick<ImageLinks, 'read'>;
  readonly log: Log;
}

export interface ImageServer {
  readonly port: number;
  /** Ends what is still under way: hosts ask again, elsewhere. */
  close(): Promise<void>;
}

/** More is told to come again: each takes connections on both sides. */
const MOST_AT_ONCE = 64;
/** A host that takes nothing for so long has gone. */
const IDLE_LIMIT = seconds(60);
const REQUEST_LIMIT = seconds(10);

/**
 * Serves images to hosts by the links that this or another conductor has signed: the image service's data as it comes,
 * no faster than the host takes it. What cannot be served is answered as `{code, message}`; data that breaks off ends with
 * its connection, so that no host takes it for whole. Error: internal, final, when the address cannot be listened on.
 */
export async function startImageServer(
  io: ImageServerIo,
  { listen, port }: { readonly listen: string; readonly port: number },
): Promise<ImageServer> {
  const serving = new Set<AbortController>();
  const server = createServer((request, response) => {
    const gone = new AbortController();
    serving.add(gone);
    response.once('close', () => {
      serving.delete(gone);
      gone.abort();
    });
    serve(io, serving.size, request, response, gone.signal).catch((error: unknown) => {
      io.log.warn('an image could not be served to its end', { error });
      response.destroy();
    });
  });
  server.requestTimeout = REQUEST_LIMIT;
  server.setTimeout(IDLE_LIMIT, (socket) => socket.destroy());
  server.listen(port, listen);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw cannotListen({ listen, port }, error);
  }
  return { port: (server.address() as AddressInfo).port, close: () => closed(server, serving) };
}

async function serve(
  { glance, links, log }: ImageServerIo,
  atOnce: number,
  request: IncomingMessage,
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  // Whatever a link opens, nothing but reading it.
  if (request.method !== 'GET') {
    refuse(response, 405, 'image-download-failed', 'images can only be read');
    return;
  }
  const link = links.read(request.url ?? '');
  if (typeof link === 'string') {
    log.warn('a link to an image was refused', { why: link, from: request.socket.remoteAddress });
    refuse(response, BAD_LINK[link].status, 'image-download-failed', BAD_LINK[link].message);
    return;
  }
  if (atOnce > MOST_AT_ONCE) {
    refuse(response, 503, 'image-download-failed', 'too many images are served now');
    return;
  }
  const facts = { image: link.image, host: link.host, operation: link.operation };
  try {
    // The service may read what its users may not: it must be active now, whoever was allowed to ask for it.
    const image = await glance.image(link.image);
    const data = image === null ? null : await glance.data(link.image, gone);
    if (data === null) throw new NovellaError('image-not-found', 'the image service has no such image', facts);
    log.info('an image is served', facts);
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'cache-control': 'no-store',
      ...(data.length === null ? {} : { 'content-length': data.length }),
    });
    response.flushHeaders();
    await pipeline(data.body, response);
  } catch (error) {
    if (gone.aborted) return;
    if (response.headersSent) throw error;
    log.warn('an image cannot be served', { ...facts, error });
    const { code, grade, message } = toErrorRecord(error);
    refuse(response, code === 'image-not-found' ? 404 : grade === 'final' ? 409 : 503, code, message);
  }
}

const BAD_LINK = {
  malformed: { status: 404, message: 'there is nothing here' },
  forged: { status: 403, message: 'the link was not made by a conductor with this key' },
  expired: { status: 403, message: 'the link has expired' },
} as const satisfies Record<BadLink, { status: number; message: string }>;

function refuse(response: ServerResponse, status: number, code: ErrorCode, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', connection: 'close' });
  response.end(JSON.stringify({ code, message }));
}

async function closed(server: Server, serving: ReadonlySet<AbortController>): Promise<void> {
  const end = once(server, 'close');
  server.close();
  for (const gone of serving) gone.abort();
  server.closeAllConnections();
  await end;
}
