import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageSource } from '@novella/contracts';
import {
  bytes,
  type ErrorCode,
  type HostName,
  minutes,
  NovellaError,
  type OperationId,
  type RequestId,
  seconds,
} from '@novella/core';
import { createGlanceClient, type GlanceClient } from '@novella/glance';
import type { Image } from '@novella/image';
import { systemClock } from '@novella/service-kit';
import {
  cuttingProxy,
  type CuttingProxy,
  type KeystoneProject,
  type KeystoneUser,
  PrivateGlance,
  PrivateKeystone,
  temporaryDirectory,
  type TemporaryDirectory,
  waitUntil,
} from '@novella/testing';
import { CacheFiles } from '../../apps/compute/src/images/cache-files.js';
import { type Fetchable, ImageCache } from '../../apps/compute/src/images/image-cache.js';
import { imageDownloads } from '../../apps/compute/src/images/image-download.js';
import { type Images, startImages } from '../../apps/conductor/src/images/start-images.js';
import { glanceImageApi } from '../../apps/nova-api/src/glance-image-api.js';
import type { ImageApi } from '../../apps/nova-api/src/image-api.js';

// OpenStack's own Glance and Keystone, our client of them, the server of a conductor and the cache of a host.
const LONG = 240_000;
const NEVER = new AbortController().signal;
const log = { debug() {}, info() {}, warn() {}, error() {} };
const HOST = 'compute-1' as HostName;
const OPERATION = '55555555-5555-4555-8555-555555555555' as OperationId;
const REQUEST = 'req-11111111-1111-4111-8111-111111111111' as RequestId;

let keystone: PrivateKeystone;
let glance: PrivateGlance;
let demo: KeystoneProject;
let alice: string;
let bob: string;
let nova: KeystoneUser;
let service: KeystoneProject;
let admin: string;

beforeAll(async () => {
  keystone = await PrivateKeystone.start();
  service = await keystone.createProject('service');
  nova = await keystone.createUserIn(service, 'nova', 'admin', 'service');
  const user = await keystone.createUserIn(service, 'glance', 'admin', 'service');
  glance = await PrivateGlance.start({ keystone: { url: keystone.url, user, project: service } });
  demo = await keystone.createProject('demo');
  const other = await keystone.createProject('other');
  alice = await keystone.token(await keystone.createUserIn(demo, 'alice', 'member'), { project: demo });
  bob = await keystone.token(await keystone.createUserIn(other, 'bob', 'member'), { project: other });
  admin = await keystone.token(nova, { project: service });
}, LONG);
afterAll(async () => {
  await glance.stop();
  await keystone.stop();
});

async function codeOf(call: Promise<unknown>): Promise<ErrorCode> {
  const thrown: unknown = await call.then(
    () => new Error('the call did not fail'),
    (error: unknown) => error,
  );
  if (thrown instanceof NovellaError) return thrown.code;
  throw thrown;
}

describe('what a user may boot from', () => {
  let client: GlanceClient;
  let images: ImageApi;
  beforeAll(() => {
    client = createGlanceClient({ endpoint: glance.url, auth: () => Promise.resolve({}), log });
    images = glanceImageApi(client);
  });
  afterAll(() => client.close());
  const as = (token: string) => (id: string) => images.image(id, { token, requestId: REQUEST, globalRequestId: null });

  it('is the image of the own project, as it is', async () => {
    const properties = { hw_disk_bus: 'scsi', hw_scsi_model: 'virtio-scsi', os_command_line: 'quiet' };
    const id = await glance.upload(
      alice,
      { name: 'one', min_disk: 1, min_ram: 64, ...properties },
      Buffer.from('data'),
    );
    expect(await as(alice)(id)).toEqual({
      id,
      name: 'one',
      diskFormat: 'raw',
      size: 4,
      minDiskGib: 1,
      minMemoryMib: 64,
      properties: { kernelId: null, ramdiskId: null, commandLine: 'quiet', diskBus: 'scsi' },
      remote: { hash: { algorithm: 'sha512', value: expect.stringMatching(/^[0-9a-f]{128}$/) as unknown } },
    });
  });

  it('is not the private image of another project, until that is public or shared with it', async () => {
    const id = await glance.upload(alice, {}, Buffer.from('data'));
    expect(await as(bob)(id)).toBeNull();
    await glance.setProperty(admin, id, 'visibility', 'public');
    expect(await as(bob)(id)).toMatchObject({ id });
  });

  it('is no image that nobody has, nor one that has no data yet, nor one that was deactivated', async () => {
    expect(await as(alice)(OPERATION)).toBeNull();
    const queued = await glance.upload(alice, {}, null);
    expect(await codeOf(as(alice)(queued))).toBe('image-not-active');
    const gone = await glance.upload(alice, {}, Buffer.from('data'));
    await glance.call(admin, 'POST', `/v2/images/${gone}/actions/deactivate`);
    expect(await codeOf(as(alice)(gone))).toBe('image-not-active');
  });

  it('boots by a kernel and a ramdisk, and needs no data of its own then', async () => {
    const kernel = await glance.upload(alice, { disk_format: 'aki', container_format: 'aki' }, Buffer.from('kernel'));
    const ami = { disk_format: 'ami', container_format: 'ami', kernel_id: kernel, ramdisk_id: kernel };
    const id = await glance.upload(alice, ami, Buffer.alloc(0));
    expect(await as(alice)(id)).toMatchObject({ size: 0, properties: { kernelId: kernel, ramdiskId: kernel } });
  });

  it.each([
    ['no token', ''],
    ['a token that is none', 'gAAAAABnot-a-token'],
  ])('is nothing with %s', async (_what, token) => {
    const id = await glance.upload(alice, {}, Buffer.from('data'));
    expect(await codeOf(as(token)(id))).toBe('image-service-unauthorized');
  });
});

describe('the way of an image to a host', () => {
  let dir: TemporaryDirectory;
  let proxy: CuttingProxy;
  let images: Images;
  let cache: ImageCache;
  let token: string;

  beforeEach(async () => {
    dir = await temporaryDirectory();
    proxy = await cuttingProxy({ port: Number(new URL(glance.url).port) });
    token = admin;
    images = await startImages({
      glanceEndpoint: `http://127.0.0.1:${proxy.port}`,
      auth: () => Promise.resolve({ 'X-Auth-Token': token }),
      listen: '127.0.0.1',
      port: 0,
      clock: systemClock,
      log,
    });
    cache = new ImageCache({
      files: await CacheFiles.open(dir.path),
      open: imageDownloads({ head: seconds(60), stall: seconds(3), total: minutes(5) }),
      limits: { most: bytes(2 ** 30), keepUnused: minutes(60) },
      clock: systemClock,
      log,
    });
  });
  afterEach(async () => {
    await cache.stop();
    await images.close();
    await proxy.close();
    await dir.remove();
  });

  async function source(data: Buffer): Promise<Fetchable> {
    const id = await glance.upload(alice, {}, data);
    const client = createGlanceClient({
      endpoint: glance.url,
      auth: () => Promise.resolve({ 'X-Auth-Token': alice }),
      log,
    });
    const image = await client.image(id);
    await client.close();
    return sourceOf(image!) as Fetchable;
  }
  const sourceOf = ({ id, diskFormat, size, remote }: Image): ImageSource => ({
    id,
    diskFormat,
    size,
    hash: remote!.hash,
    minDiskGib: 0,
    minMemoryMib: 0,
    commandLine: null,
    url: images.links.link({ image: id, host: HOST, operation: OPERATION }),
  });
  const kept = () => readdir(dir.path);
  /** Some of the data is here. */
  const begun = async (): Promise<boolean> => {
    const [name] = await kept();
    return name !== undefined && (await stat(join(dir.path, name))).size > 0;
  };

  it('is from the private store of its project to the cache, whole', async () => {
    const data = randomBytes(3_000_000);
    const { path } = await cache.hold(await source(data), NEVER);
    expect(data.equals(await readFile(path))).toBe(true);
  });

  it.each<[string, (id: string) => Promise<unknown>, ErrorCode]>([
    ['was deleted meanwhile', (id) => glance.call(alice, 'DELETE', `/v2/images/${id}`), 'image-not-found'],
    [
      'was deactivated meanwhile, though the service may still read it',
      (id) => glance.call(admin, 'POST', `/v2/images/${id}/actions/deactivate`),
      'image-not-active',
    ],
    ['has no data in its store any more', (id) => rm(glance.dataPath(id)), 'image-service-unreachable'],
    [
      'has other data in its store, of the same size',
      (id) => writeFile(glance.dataPath(id), Buffer.alloc(100_000, 'x')),
      'image-data-wrong',
    ],
    ['has less data in its store', (id) => truncate(glance.dataPath(id), 50_000), 'image-download-failed'],
  ])('ends with a code that says why, and nothing in the cache, when it %s', async (_what, breakIt, code) => {
    const image = await source(randomBytes(100_000));
    await breakIt(image.id);
    expect(await codeOf(cache.hold(image, NEVER))).toBe(code);
    expect(await kept()).toEqual([]);
  });

  it('is closed to a service whose token is none', async () => {
    const image = await source(Buffer.from('data'));
    token = 'gAAAAABnot-a-token';
    expect(await codeOf(cache.hold(image, NEVER))).toBe('image-service-unauthorized');
  });

  it('is closed without Glance, and open again when it is back', async () => {
    const image = await source(Buffer.from('data'));
    proxy.set('cut');
    expect(await codeOf(cache.hold(image, NEVER))).toBe('image-service-unreachable');
    proxy.set('pass');
    await cache.hold(image, NEVER);
  });

  it('is cut with Glance in its middle: nothing stays, and the next try has all of it', async () => {
    // More than what all buffers on the way hold.
    const data = randomBytes(32 * 2 ** 20);
    const image = await source(data);
    const held = codeOf(cache.hold(image, NEVER));
    await waitUntil(begun);
    proxy.set('cut');
    expect(await held).toBe('image-download-failed');
    expect(await kept()).toEqual([]);
    proxy.set('pass');
    const { path } = await cache.hold(image, NEVER);
    expect(data.equals(await readFile(path))).toBe(true);
  });

  it('is cut with the conductor in its middle: nothing stays', async () => {
    const image = await source(randomBytes(32 * 2 ** 20));
    const held = codeOf(cache.hold(image, NEVER));
    await waitUntil(begun);
    await images.close();
    expect(await held).toBe('image-download-failed');
    expect(await kept()).toEqual([]);
  });
});
