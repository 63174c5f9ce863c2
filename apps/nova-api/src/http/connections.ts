import type { Log } from '@novella/core';
import type { FastifyServerOptions } from 'fastify';
import { type Server, type ServerOptions, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpSettings } from '../http-settings.js';
import { faultBody, type FaultStatus } from './fault.js';

/**
 * What a client may do to a connection before there is a request: how much it may send, how long it may take, and what it
 * is told when it sends no HTTP. Node ends what is too slow, and looks every few seconds for it.
 */
const LOOK_AT_MOST_EVERY_MS = 5_000;
/** A connection on which nothing moves, not even the answer that its client does not read. */
const STANDSTILL_MS = 300_000;
const DROPPED_PER_LINE_OF_LOG = 1_000;

type ConnectionOptions = Pick<
  FastifyServerOptions,
  'bodyLimit' | 'requestTimeout' | 'keepAliveTimeout' | 'connectionTimeout'
> & {
  readonly http: ServerOptions;
  readonly clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => void;
};

export function connectionOptions(settings: HttpSettings): ConnectionOptions {
  const requestTimeout = settings.requestTimeoutS * 1000;
  const headersTimeout = Math.min(settings.headersTimeoutS * 1000, requestTimeout);
  return {
    bodyLimit: settings.maxBodyBytes,
    requestTimeout,
    keepAliveTimeout: settings.keepAliveS * 1000,
    connectionTimeout: STANDSTILL_MS,
    http: {
      requestTimeout,
      headersTimeout,
      connectionsCheckingInterval: Math.min(headersTimeout / 2, LOOK_AT_MOST_EVERY_MS),
      maxHeaderSize: settings.maxHeaderBytes,
    },
    clientErrorHandler: answerNoRequest,
  };
}

export function watchConnections(server: Server, settings: HttpSettings, log: Log): void {
  limitConnections(server, settings.maxConnections, log);
  server.on('request', (request, answer) => {
    const { socket } = request;
    const open = openAnswers.get(socket) ?? new Set();
    openAnswers.set(socket, open.add(answer));
    answer.once('close', () => open.delete(answer));
  });
}

/** One more connection is closed by Node as it comes. */
function limitConnections(server: Server, limit: number, log: Log): void {
  server.maxConnections = limit;
  let dropped = 0;
  server.on('drop', () => {
    if (dropped % DROPPED_PER_LINE_OF_LOG === 0) {
      log.warn('too many connections: new ones are closed', { limit, closed: dropped + 1 });
    }
    dropped += 1;
  });
}

/** Answers that have not ended, in the order of their requests. */
const openAnswers = new WeakMap<Socket, Set<ServerResponse>>();

const STATUS_OF: Readonly<Record<string, FaultStatus>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};
const MESSAGE_OF: Partial<Record<FaultStatus, string>> = {
  400: 'The request is malformed.',
  408: 'The request took too long.',
  431: 'The headers of the request are too large.',
};

/**
 * What came is no request, or none in time. Requests before it that came whole are carried out, and their answers go
 * first: one that was carried out is never answered 400.
 */
function answerNoRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  const [before] = openAnswers.get(socket) ?? [];
  if (before?.req.complete === true && !socket.destroyed) {
    before.once('close', () => answerNoRequest(error, socket));
    return;
  }
  if (error.code === 'ECONNRESET' || !socket.writable || before?.headersSent === true) {
    socket.destroy();
    return;
  }
  const status = STATUS_OF[error.code ?? ''] ?? 400;
  const body = JSON.stringify(faultBody(status, MESSAGE_OF[status] ?? ''));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: application/json; charset=UTF-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
