import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { bytes, type ErrorCode, millis, NovellaError, seconds } from '@novella/core';
import type { Fetchable } from './image-cache.js';
import { imageDownloads } from './image-download.js';

const ID = '11111111-2222-4333-8444-000000000001';
const NEVER = new AbortController().signal;
const SHORT = { head: millis(100), stall: millis(100), total: seconds(60) };

let peer: Server;
let sockets: Socket[];
let step: (response: ServerResponse, request: IncomingMessage) => void;
beforeEach(async () => {
  sockets = [];
  peer = createServer((request, response) => {
    step(response, request);
  });
  peer.on('connection', (socket) => sockets.push(socket));
  await once(peer.listen(0, '127.0.0.1'), 'listening');
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  peer.close();
});

const source = (): Fetchable => ({
  id: ID,
  diskFormat: 'raw',
  size: bytes(8),
  hash: null,
  minDiskGib: 0,
  minMemoryMib: 0,
  commandLine: null,
  url: `http://127.0.0.1:${(peer.address() as AddressInfo).port}/images/${ID}?signature=known-to-us-alone`,
});
async function download(signal = NEVER, limits = SHORT, from = source()): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of await imageDownloads(limits)(from, signal)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
async function failure(call: Promise<unknown>): Promise<NovellaError> {
  const thrown: unknown = await call.then(
    () => new Error('the call did not fail'),
    (error: unknown) => error,
  );
  if (thrown instanceof NovellaError) return thrown;
  throw thrown;
}
const isClosed = (socket: Socket): unknown =>
  socket.closed ? null : new Promise((resolve) => socket.once('close', resolve));
const codeOf = async (call: Promise<unknown>): Promise<ErrorCode> => (await failure(call)).code;

it('answers the data piece by piece', async () => {
  step = (response, { url, method }) => response.end(`${method} ${url}`);
  expect(await download()).toBe(`GET /images/${ID}?signature=known-to-us-alone`);
});

it.each<[string, (response: ServerResponse) => unknown]>([
  ['hangs up', (response) => response.socket?.destroy()],
  ['says nothing', () => undefined],
  ['speaks no HTTP', (response) => response.socket?.end('AMQP\0\0\x09\x01\r\n\r\n')],
  ['knows no such link', (response) => response.writeHead(403).end('{}')],
  ['sends elsewhere', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
  ['fails in words of another', (response) => response.writeHead(500).end('<html>')],
  ['names a code that is none', (response) => response.writeHead(500).end('{"code": "no-such", "message": ""}')],
  [
    'names a code that is not about images',
    (response) => response.writeHead(500).end('{"code": "command-stale", "message": ""}'),
  ],
  [
    'fails without end',
    (response) => {
      response.writeHead(500);
      const timer = setInterval(() => response.write('x'.repeat(1024)), 1);
      response.socket?.on('close', () => clearInterval(timer));
    },
  ],
  ['begins and is cut', (response) => response.writeHead(200).write('data', () => response.socket?.destroy())],
  [
    'ends before the length that it said',
    (response) => {
      response.writeHead(200, { 'content-length': '8' }).write('data', () => response.socket?.end());
    },
  ],
  ['begins and says nothing more', (response) => response.writeHead(200).write('data')],
])('fails, to be tried again, when the conductor %s', async (_what, answers) => {
  step = (response) => void answers(response);
  expect(await failure(download())).toMatchObject({ code: 'image-download-failed', grade: 'unsure' });
});

it('fails, to be tried again, when there is no conductor', async () => {
  const from = source();
  peer.close();
  expect(await codeOf(download(NEVER, SHORT, from))).toBe('image-download-failed');
});

it.each<ErrorCode>(['image-not-found', 'image-not-active', 'image-service-unreachable', 'image-service-unauthorized'])(
  'fails as the conductor says: %s',
  async (code) => {
    step = (response) => response.writeHead(503).end(JSON.stringify({ code, message: 'in its words' }));
    expect(await failure(download())).toMatchObject({
      code,
      message: 'in its words',
      facts: { image: ID, status: 503 },
    });
  },
);

it('says where from, but never the signature', async () => {
  step = (response) => response.socket?.destroy();
  const error = await failure(download());
  expect(error.facts).toMatchObject({ image: ID, from: new URL(source().url).host });
  expect(JSON.stringify([error.facts, error.message, String(error.cause)])).not.toContain('known-to-us-alone');
});

describe('the limits', () => {
  it('are for silence, not for slowness: data that comes on may take longer', async () => {
    step = (response) => {
      response.writeHead(200);
      let left = 10;
      const timer = setInterval(() => {
        response.write('x');
        if ((left -= 1) > 0) return;
        clearInterval(timer);
        response.end();
      }, 40);
    };
    expect(await download(NEVER, { ...SHORT, stall: millis(350) })).toBe('x'.repeat(10));
  });

  it('do not count how long we take with a piece', async () => {
    step = (response) => {
      response.writeHead(200).write('one');
      setTimeout(() => response.end('two'), 10);
    };
    const pieces: string[] = [];
    for await (const piece of await imageDownloads(SHORT)(source(), NEVER)) {
      pieces.push(String(piece));
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    expect(pieces.join('')).toBe('onetwo');
  });

  it('end the whole too', async () => {
    step = (response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'), 10);
      response.socket?.on('close', () => clearInterval(timer));
    };
    expect(await codeOf(download(NEVER, { ...SHORT, total: millis(200) }))).toBe('image-download-failed');
  });
});

it('ends with the signal, and lets go of the connection', async () => {
  const ends = new AbortController();
  step = (response) => {
    response.writeHead(200).write('data', () => ends.abort());
  };
  expect(await codeOf(download(ends.signal))).toBe('image-download-failed');
  await Promise.all(sockets.map(isClosed));
});

it('lets go of the connection when the caller wants no more', async () => {
  step = (response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('x'), 5);
    response.socket?.on('close', () => clearInterval(timer));
  };
  for await (const piece of await imageDownloads(SHORT)(source(), NEVER)) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
  await Promise.all(sockets.map(isClosed));
});
