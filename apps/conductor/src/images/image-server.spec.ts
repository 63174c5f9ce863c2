import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { get, type IncomingMessage, request as httpRequest } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { bytes, type ErrorCode, type HostName, minutes, NovellaError, type OperationId, seconds } from '@novella/core';
import type { GlanceClient } from '@novella/glance';
import type { Image } from '@novella/image';
import { virtualClock, waitUntil } from '@novella/testing';
import { ImageLinks } from './image-links.js';
import { type ImageServer, startImageServer } from './image-server.js';

const IMAGE = '11111111-2222-4333-8444-555555555555';
const to = { image: IMAGE, host: 'compute-1' as HostName, operation: IMAGE as OperationId };
const image: Image = {
  id: IMAGE,
  name: '',
  diskFormat: 'raw',
  size: bytes(4),
  minDiskGib: 0,
  minMemoryMib: 0,
  properties: { kernelId: null, ramdiskId: null, commandLine: null, diskBus: 'virtio' },
  remote: { hash: null },
};

let glance: Pick<GlanceClient, 'image' | 'data'>;
let server: ImageServer;
let links: ImageLinks;
const clock = virtualClock();
let logged: unknown[];
beforeEach(async () => {
  glance = { image: () => Promise.resolve(image), data: () => data(Readable.from(['da', 'ta']), 4) };
  links = new ImageLinks({ url: '', key: Buffer.alloc(32), lifetime: minutes(10), clock });
  logged = [];
  const told = (message: string, facts?: unknown) => void logged.push([message, facts]);
  const log = { debug: told, info: told, warn: told, error: told };
  const io = {
    glance: {
      image: (id: string) => glance.image(id),
      data: (id: string, signal: AbortSignal) => glance.data(id, signal),
    },
    links,
    log,
  };
  server = await startImageServer(io, { listen: '127.0.0.1', port: 0 });
});
afterEach(() => server.close());

const data = (body: Readable, length: number | null) => Promise.resolve({ body, length });
const fails = (code: ErrorCode) => () => Promise.reject(new NovellaError(code, `${code} in words`));

async function ask(path = links.link(to), method = 'GET'): Promise<IncomingMessage> {
  const request = httpRequest({ host: '127.0.0.1', port: server.port, path, method, agent: false }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}
const refusal = async (response: IncomingMessage) => [
  response.statusCode,
  (JSON.parse(await text(response)) as { code: string }).code,
];

it('serves the data of the image that the link is for, with its length', async () => {
  const response = await ask();
  expect([response.statusCode, response.headers['content-length'], await text(response)]).toEqual([200, '4', 'data']);
});

it('serves data whose length nobody says', async () => {
  glance.data = () => data(Readable.from(['data']), null);
  const response = await ask();
  expect([response.headers['content-length'], await text(response)]).toEqual([undefined, 'data']);
});

it.each(['HEAD', 'POST', 'PUT', 'DELETE'])('is only read: %s is refused', async (method) => {
  glance.image = () => Promise.reject(new Error('Glance was asked'));
  expect((await ask(links.link(to), method)).statusCode).toBe(405);
});

it('asks Glance nothing for a link that is not its own, or has expired', async () => {
  glance.image = () => Promise.reject(new Error('Glance was asked'));
  const link = links.link(to);
  expect(await refusal(await ask('/'))).toEqual([404, 'image-download-failed']);
  expect(await refusal(await ask(link.replace('compute-1', 'compute-2')))).toEqual([403, 'image-download-failed']);
  await clock.advance(minutes(11));
  expect(await refusal(await ask(link))).toEqual([403, 'image-download-failed']);
});

it.each<[string, () => void, number, ErrorCode]>([
  ['has no such image', () => (glance.image = () => Promise.resolve(null)), 404, 'image-not-found'],
  ['has lost it meanwhile', () => (glance.data = () => Promise.resolve(null)), 404, 'image-not-found'],
  ['has deactivated it', () => (glance.image = fails('image-not-active')), 409, 'image-not-active'],
  ['is away', () => (glance.image = fails('image-service-unreachable')), 503, 'image-service-unreachable'],
  ['goes away', () => (glance.data = fails('image-service-unreachable')), 503, 'image-service-unreachable'],
  ['refuses us', () => (glance.data = fails('image-service-unauthorized')), 503, 'image-service-unauthorized'],
])('says so when Glance %s', async (_what, breakIt, status, code) => {
  breakIt();
  expect(await refusal(await ask())).toEqual([status, code]);
});

it('cuts the connection when Glance’s data is cut, so that nobody takes it for whole', async () => {
  for (const length of [4, null]) {
    const body = new PassThrough();
    glance.data = () => data(body, length);
    const response = await ask();
    body.write('da');
    await once(response, 'data');
    body.destroy(new Error('cut'));
    await expect(text(response)).rejects.toThrow();
  }
});

describe('a host that', () => {
  it('takes no more is not served on: Glance’s data waits for it', async () => {
    let made = 0;
    const endless = new Readable({
      read() {
        made += 1;
        this.push(Buffer.alloc(64 * 1024));
      },
    });
    glance.data = () => data(endless, null);
    const response = await ask();
    response.pause();
    const settled = await waitUntil(async () => {
      const before = made;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return made === before && made > 0 && made;
    });
    // What the kernel's buffers hold, and not the whole of it.
    expect(settled).toBeLessThan(500);
    response.destroy();
    await waitUntil(() => endless.destroyed);
  });

  it('goes away ends what is asked of Glance', async () => {
    let ended: AbortSignal | null = null;
    glance.data = (_id, signal) => {
      ended = signal;
      return new Promise(() => undefined);
    };
    const request = get({ host: '127.0.0.1', port: server.port, path: links.link(to), agent: false });
    request.on('error', () => undefined);
    await waitUntil(() => ended !== null);
    request.destroy();
    await waitUntil(() => ended?.aborted === true);
  });

  it('comes when too many are served is told to come again', async () => {
    glance.data = () => data(new PassThrough(), null);
    const taken = await Promise.all(Array.from({ length: 64 }, () => ask()));
    expect(await refusal(await ask())).toEqual([503, 'image-download-failed']);
    taken[0]?.destroy();
    glance.data = () => data(Readable.from(['data']), 4);
    await waitUntil(async () => (await ask()).statusCode === 200);
    for (const response of taken) response.destroy();
  });
});

it('ends what is under way when it closes', async () => {
  const body = new PassThrough();
  glance.data = () => data(body, null);
  const response = await ask();
  await server.close();
  await expect(text(response)).rejects.toThrow();
  await waitUntil(() => body.destroyed);
  server = await startImageServer(
    { glance, links, log: { debug() {}, info() {}, warn() {}, error() {} } },
    { listen: '127.0.0.1', port: 0 },
  );
});

it('does not start where another listens', async () => {
  const io = { glance, links, log: { debug() {}, info() {}, warn() {}, error() {} } };
  await expect(startImageServer(io, { listen: '127.0.0.1', port: server.port })).rejects.toMatchObject({
    code: 'internal',
    grade: 'final',
  });
});

it('logs who is served what, and no signature', async () => {
  await text(await ask());
  await ask(links.link(to).replace('compute-1', 'compute-2'));
  await clock.advance(seconds(1));
  expect(JSON.stringify(logged)).toContain(IMAGE);
  expect(JSON.stringify(logged)).not.toMatch(/signature/);
});
