import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type ErrorCode, type Log, millis, NovellaError } from '@novella/core';
import { createGlanceClient, type GlanceClient, type GlanceOptions } from './client.js';

const IMAGE = '11111111-2222-4333-8444-555555555555';
const KERNEL = '11111111-2222-4333-8444-666666666666';
const SHA512 = 'ab'.repeat(64);
const MD5 = 'cd'.repeat(16);
const NEVER = new AbortController().signal;
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const SHORT = { headersTimeout: millis(100), bodyTimeout: millis(100), totalTimeout: millis(300) };

type Step = (response: ServerResponse, request: IncomingMessage) => void;
let peer: Server;
let sockets: Socket[];
let steps: Step[];
let seen: { url: string | undefined; headers: IncomingMessage['headers'] }[];
let client: GlanceClient;

const open = (options: Partial<GlanceOptions> = {}, path = ''): GlanceClient => {
  const endpoint = `http://127.0.0.1:${(peer.address() as AddressInfo).port}${path}`;
  return createGlanceClient({
    endpoint,
    auth: () => Promise.resolve({ 'X-Auth-Token': 'mine' }),
    log: quiet,
    ...options,
  });
};
beforeEach(async () => {
  [sockets, steps, seen] = [[], [], []];
  peer = createServer((request, response) => {
    seen.push({ url: request.url, headers: request.headers });
    (steps.shift() ?? answer(599, 'the script has ended'))(response, request);
  });
  peer.on('connection', (socket) => sockets.push(socket));
  await once(peer.listen(0, '127.0.0.1'), 'listening');
  client = open();
});
afterEach(async () => {
  await client.close();
  for (const socket of sockets) socket.destroy();
  peer.close();
});

const answer =
  (status: number, body: unknown, headers: Record<string, string> = {}): Step =>
  (response) => {
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
  };
/** As WebOb writes it. */
const notFound = answer(404, { message: `No image found with ID ${IMAGE}<br /><br />`, code: '404 Not Found' });
const silence: Step = () => undefined;
const hangUp: Step = (response) => response.socket?.destroy();

const glanceImage = (more: object = {}) => ({
  id: IMAGE,
  name: 'cirros',
  status: 'active',
  disk_format: 'qcow2',
  container_format: 'bare',
  size: 4096,
  virtual_size: 2 ** 30,
  checksum: MD5,
  os_hash_algo: 'sha512',
  os_hash_value: SHA512,
  min_disk: 1,
  min_ram: 64,
  owner: 'p1',
  visibility: 'private',
  tags: [],
  ...more,
});
const imageOf = (more: object) => {
  steps.push(answer(200, glanceImage(more)));
  return client.image(IMAGE);
};
async function codeOf(call: Promise<unknown>): Promise<ErrorCode> {
  const thrown: unknown = await call.then(
    () => new Error('the call did not fail'),
    (error: unknown) => error,
  );
  if (thrown instanceof NovellaError) return thrown.code;
  throw thrown;
}

describe('an image', () => {
  it('is asked for by its id with the credentials, and read', async () => {
    expect(await imageOf({})).toEqual({
      id: IMAGE,
      name: 'cirros',
      diskFormat: 'qcow2',
      size: 4096,
      minDiskGib: 1,
      minMemoryMib: 64,
      properties: { kernelId: null, ramdiskId: null, commandLine: null, diskBus: 'virtio' },
      remote: { hash: { algorithm: 'sha512', value: SHA512 } },
    });
    expect(seen).toMatchObject([{ url: `/v2/images/${IMAGE}`, headers: { 'x-auth-token': 'mine' } }]);
  });

  it('tells of the kernel and ramdisk that it boots by, and may then have no data', async () => {
    const found = await imageOf({
      disk_format: 'ami',
      container_format: 'ami',
      size: 0,
      kernel_id: KERNEL,
      ramdisk_id: KERNEL,
      os_command_line: 'quiet',
      hw_disk_bus: 'scsi',
      hw_scsi_model: 'virtio-scsi',
    });
    expect(found).toMatchObject({
      size: 0,
      properties: { kernelId: KERNEL, ramdiskId: KERNEL, commandLine: 'quiet', diskBus: 'scsi' },
    });
  });

  it('is asked for in the name of somebody else over the same connections', async () => {
    await client.close();
    client = open({ connections: 1 });
    steps.push(answer(200, glanceImage()), answer(200, glanceImage()));
    await client.image(IMAGE);
    await client.as({ 'X-Auth-Token': 'hers' }).image(IMAGE);
    expect(seen.map(({ headers }) => headers['x-auth-token'])).toEqual(['mine', 'hers']);
    expect(sockets).toHaveLength(1);
  });

  it.each([['/image'], ['/image/'], ['/image/v2'], ['/image/v2/']])(
    'is below an endpoint with the path %s',
    async (path) => {
      const other = open({}, path);
      steps.push(notFound);
      expect(await other.image(IMAGE)).toBeNull();
      expect(seen[0]?.url).toBe(`/image/v2/images/${IMAGE}`);
      await other.close();
    },
  );

  it('is not there when Glance says so by its id, in JSON or HTML', async () => {
    steps.push(notFound, answer(404, `<h1>404 Not Found</h1> No image found with ID ${IMAGE}<br />`));
    expect(await client.image(IMAGE)).toBeNull();
    expect(await client.image(IMAGE)).toBeNull();
  });

  it.each(['../x', '', 'cirros', 'ABCDEFAB-2222-4333-8444-555555555555'])(
    'is not there for %p, of which Glance is not asked',
    async (id) => {
      expect(await client.image(id)).toBeNull();
      expect(await client.data(id, NEVER)).toBeNull();
      expect(seen).toEqual([]);
    },
  );

  it.each([
    ['the hash that Glance was told to make', {}, { algorithm: 'sha512', value: SHA512 }],
    ['the older checksum, without one', { os_hash_algo: null, os_hash_value: null }, { algorithm: 'md5', value: MD5 }],
    [
      'the older checksum, for one that is not known here',
      { os_hash_algo: 'blake2b' },
      { algorithm: 'md5', value: MD5 },
    ],
    ['the older checksum, for one that is no hash', { os_hash_value: '../x' }, { algorithm: 'md5', value: MD5 }],
    ['nothing', { os_hash_algo: null, os_hash_value: null, checksum: null }, null],
  ])('is checked by %s', async (_what, more, hash) => {
    expect((await imageOf(more))?.remote).toEqual({ hash });
  });

  it.each(['queued', 'saving', 'deactivated', 'killed', 'a word of the future'])(
    'is not active: %s',
    async (status) => {
      await expect(imageOf({ status, disk_format: null, size: null })).rejects.toMatchObject({
        code: 'image-not-active',
        message: `Image ${IMAGE} is not active.`,
      });
    },
  );

  it.each([
    ['a disk format that is not served', { disk_format: 'vmdk' }],
    ['no disk format', { disk_format: null }],
    ['an archive as its container', { container_format: 'ova' }],
    ['no data', { size: 0 }],
    ['an unknown size', { size: null }],
    ['a kernel that is no id', { kernel_id: '../vmlinuz' }],
    ['a ramdisk that is no id', { ramdisk_id: 'initrd' }],
    ['too long a command line', { os_command_line: 'x'.repeat(2049) }],
    ['a bus that is not served', { hw_disk_bus: 'ide' }],
    ['a SCSI model that is not served', { hw_disk_bus: 'scsi', hw_scsi_model: 'lsilogic' }],
    ['its data in volumes', { block_device_mapping: '[{"boot_index": 0}]' }],
    ['encrypted data', { cinder_encryption_key_id: KERNEL }],
  ])('is refused with %s', async (_what, more) => {
    expect(await codeOf(imageOf(more))).toBe('image-refused');
  });

  it.each([
    ['is about another image', { id: KERNEL }],
    ['has no status', { status: undefined }],
    ['has a size that is none', { size: -1 }],
    ['has a size in words', { size: 'large' }],
  ])('is not believed when the answer %s', async (_what, more) => {
    expect(await codeOf(imageOf(more))).toBe('image-service-answer-invalid');
  });
});

const EXCHANGES: [string, Step, ErrorCode][] = [
  ['refuses the token', answer(401, 'no'), 'image-service-unauthorized'],
  ['forbids it', answer(403, 'no'), 'image-service-unauthorized'],
  ['is overloaded', answer(429, ''), 'image-service-unreachable'],
  ['fails', answer(500, ''), 'image-service-unreachable'],
  ['is behind a proxy that does not reach it', answer(503, '<html>'), 'image-service-unreachable'],
  ['finds no data in its store', answer(204, ''), 'image-service-unreachable'],
  ['says nothing', silence, 'image-service-unreachable'],
  [
    'is another service, whose 404 only repeats the path',
    (response, { url }) => answer(404, `${url} is not here`)(response, {} as never),
    'image-service-answer-invalid',
  ],
  ['sends us elsewhere', answer(302, '', { location: 'http://127.0.0.1:1/' }), 'image-service-answer-invalid'],
  ['lists versions', answer(300, { versions: [] }), 'image-service-answer-invalid'],
  [
    'speaks no HTTP',
    (response) => void response.socket?.end('AMQP\0\0\x09\x01\r\n\r\n'),
    'image-service-answer-invalid',
  ],
];

describe.each([
  ['image', () => client.image(IMAGE)],
  ['data', () => client.data(IMAGE, NEVER)],
])('%s, when what answers', (_name, call) => {
  beforeEach(async () => {
    await client.close();
    client = open(SHORT);
  });

  it.each(EXCHANGES)('%s', async (_what, step, code) => {
    steps.push(step);
    expect(await codeOf(call())).toBe(code);
  });

  it('is not there at all', async () => {
    peer.close();
    expect(await codeOf(call())).toBe('image-service-unreachable');
  });

  it('has just closed the kept connection: it is asked once more, and not again', async () => {
    steps.push(hangUp, notFound);
    expect(await call()).toBeNull();
    steps.push(hangUp, hangUp, notFound);
    expect(await codeOf(call())).toBe('image-service-unreachable');
    expect(seen).toHaveLength(4);
  });

  it('answers an error without end', async () => {
    steps.push((response) => {
      response.writeHead(500);
      const timer = setInterval(() => response.write('x'.repeat(16 * 1024)), 1);
      response.socket?.on('close', () => clearInterval(timer));
    });
    expect(['image-service-unreachable', 'image-service-answer-invalid']).toContain(await codeOf(call()));
  });
});

it('takes no answer that is no JSON, is cut, trickles for ever, or is larger than any image’s', async () => {
  await client.close();
  client = open({ ...SHORT, maxAnswerBytes: 10_000 });
  const cut: Step = (response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('{', () => response.socket?.destroy());
  };
  const trickle: Step = (response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 20);
    response.socket?.on('close', () => clearInterval(timer));
  };
  steps.push(answer(200, '<html>'));
  expect(await codeOf(client.image(IMAGE))).toBe('image-service-answer-invalid');
  steps.push(cut, cut);
  expect(await codeOf(client.image(IMAGE))).toBe('image-service-unreachable');
  steps.push(trickle);
  expect(await codeOf(client.image(IMAGE))).toBe('image-service-unreachable');
  steps.push(answer(200, glanceImage({ description: 'x'.repeat(10_000) })));
  expect(await codeOf(client.image(IMAGE))).toBe('image-service-answer-invalid');
});

describe('the data of an image', () => {
  it('comes as it is, with its length', async () => {
    steps.push((response) => response.writeHead(200, { 'content-length': '4' }).end('data'));
    const data = await client.data(IMAGE, NEVER);
    expect([data?.length, await text(data!.body)]).toEqual([4, 'data']);
    expect(seen).toMatchObject([{ url: `/v2/images/${IMAGE}/file`, headers: { 'x-auth-token': 'mine' } }]);
  });

  it('may come without a length', async () => {
    steps.push((response) => response.writeHead(200).end('data'));
    const data = await client.data(IMAGE, NEVER);
    expect([data?.length, await text(data!.body)]).toEqual([null, 'data']);
  });

  it.each([
    ['cut', (response: ServerResponse) => response.socket?.destroy()],
    ['held back', () => undefined],
  ])('fails when it is %s', async (_what, after) => {
    await client.close();
    client = open(SHORT);
    steps.push((response) => {
      response.writeHead(200, { 'content-length': '8' });
      response.write('data', () => {
        after(response);
      });
    });
    const data = await client.data(IMAGE, NEVER);
    await expect(text(data!.body)).rejects.toThrow();
  });

  it('takes longer than any answer may, as long as it comes', async () => {
    await client.close();
    client = open({ ...SHORT, totalTimeout: millis(50) });
    steps.push((response) => {
      response.writeHead(200);
      let left = 10;
      const timer = setInterval(() => {
        response.write('x');
        if ((left -= 1) > 0) return;
        clearInterval(timer);
        response.end();
      }, 20);
    });
    const data = await client.data(IMAGE, NEVER);
    expect(await text(data!.body)).toBe('x'.repeat(10));
  });

  it('is not waited for with what else is asked', async () => {
    await client.close();
    client = open({ connections: 1 });
    steps.push((response) => void response.writeHead(200).write('the beginning'), answer(200, glanceImage()));
    const end = new AbortController();
    const data = await client.data(IMAGE, end.signal);
    expect(await client.image(IMAGE)).toMatchObject({ id: IMAGE });
    end.abort();
    await expect(text(data!.body)).rejects.toThrow();
  });
});

it('takes no endpoint but an http one', () => {
  expect(() => createGlanceClient({ endpoint: 'ftp://glance', auth: () => Promise.resolve({}), log: quiet })).toThrow(
    TypeError,
  );
});

it('asks where Glance is before each request, and is as good as without one when nobody knows', async () => {
  await client.close();
  const { port } = peer.address() as AddressInfo;
  const known = [
    () => Promise.reject(new NovellaError('endpoint-not-found', 'the catalog has no image endpoint')),
    () => Promise.resolve(`http://127.0.0.1:${port}`),
    () => Promise.resolve(`http://localhost:${port}/image/`),
  ];
  client = open({ endpoint: async () => known.shift()?.() ?? '' });
  steps.push(answer(200, glanceImage()), answer(200, 'the data'));
  await expect(client.image(IMAGE)).rejects.toMatchObject({
    code: 'image-service-unreachable',
    facts: { reason: 'endpoint-not-found' },
  });
  expect(await client.image(IMAGE)).toMatchObject({ id: IMAGE });
  expect(await text((await client.data(IMAGE, NEVER))!.body)).toBe('the data');
  expect(seen.map(({ url }) => url)).toEqual([`/v2/images/${IMAGE}`, `/image/v2/images/${IMAGE}/file`]);
});
