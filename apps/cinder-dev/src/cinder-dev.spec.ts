import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type NovaRecorder, startNovaRecorder } from '../../../test/openstack/nova-recorder.js';
import { rawCinder, until } from '../../../test/openstack/raw-cinder.js';
import { readCinderDevConfig } from './config.js';
import { type CinderDev, startCinderDev } from './start-cinder-dev.js';

const PROJECT = 'd'.repeat(32);
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
interface ShownVolume {
  readonly id: string;
  readonly status: string;
  readonly size: number;
}

let dataDir: string;
let nova: NovaRecorder;
let cinder: CinderDev;
const start = async () => {
  cinder = await startCinderDev({ port: 0, dataDir, novaEndpoint: nova.endpoint, log: quiet });
};
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cinder-dev-'));
  nova = await startNovaRecorder();
  await start();
});
afterEach(async () => {
  await cinder.close();
  await nova.close();
  await rm(dataDir, { recursive: true });
});

const call = (...[method, path, options]: Parameters<ReturnType<typeof rawCinder>['call']>) =>
  rawCinder(cinder.url, PROJECT).call(method, path, options);
const show = async (id: string) => ((await call('GET', `/volumes/${id}`)).body as { volume: ShownVolume }).volume;
const settled = (id: string) =>
  until(
    () => show(id),
    ({ status }) => !['creating', 'extending', 'deleting'].includes(status),
  );
async function createVolume(): Promise<string> {
  const { body } = await call('POST', '/volumes', { body: { volume: { size: 1 } } });
  const { id } = (body as { volume: ShownVolume }).volume;
  expect(await settled(id)).toMatchObject({ status: 'available' });
  return id;
}
const reserve = (volume: string, server: string = randomUUID()) =>
  call('POST', '/attachments', { body: { attachment: { volume_uuid: volume, instance_uuid: server } } });
async function attach(volume: string): Promise<string> {
  const { id } = ((await reserve(volume)).body as { attachment: { id: string } }).attachment;
  await call('PUT', `/attachments/${id}`, { body: { attachment: { connector: { host: 'compute-1' } } } });
  await call('POST', `/attachments/${id}/action`, { body: { 'os-complete': {} } });
  return id;
}
const extend = (volume: string, size: number) =>
  call('POST', `/volumes/${volume}/action`, { body: { 'os-extend': { new_size: size } } });
const fileOf = (volume: string) => join(dataDir, 'files', `volume-${volume}`);
const documentOf = (volume: string) => join(dataDir, 'volumes', `${volume}.json`);

describe('a restart', () => {
  it('keeps volumes, attachments and messages', async () => {
    const volume = await createVolume();
    const attachment = await attach(volume);
    nova.answer = () => ({ status: 500, body: {} });
    await extend(volume, 2);
    const paths = [`/volumes/${volume}`, `/attachments/${attachment}`, `/messages?resource_uuid=${volume}`];
    const before = await until(
      async () => JSON.stringify(await Promise.all(paths.map(async (path) => (await call('GET', path)).body))),
      (shown) => shown.includes('VOLUME_VOLUME_007_009'),
    );
    await cinder.close();
    await start();
    const after = await Promise.all(paths.map(async (path) => (await call('GET', path)).body));
    const samePort = (text: string) => text.replaceAll(/127\.0\.0\.1:\d+/g, 'here');
    expect(samePort(JSON.stringify(after))).toBe(samePort(before));
  });

  it('finishes the extend that an earlier process had begun, and tells Nova', async () => {
    const volume = await createVolume();
    await attach(volume);
    await cinder.close();
    const document = JSON.parse(await readFile(documentOf(volume), 'utf8')) as object;
    const origin = { projectId: PROJECT, requestId: 'req-1', globalRequestId: 'req-1' };
    const begun = { ...document, status: 'extending', extend: { to: 4, origin } };
    await writeFile(documentOf(volume), JSON.stringify(begun));
    await start();
    expect(await settled(volume)).toMatchObject({ status: 'in-use', size: 4 });
    await until(
      () => nova.requests,
      ({ length }) => length === 1,
    );
  });

  it('finishes a delete that had begun', async () => {
    const volume = await createVolume();
    await cinder.close();
    const document = JSON.parse(await readFile(documentOf(volume), 'utf8')) as object;
    await writeFile(documentOf(volume), JSON.stringify({ ...document, status: 'deleting' }));
    await start();
    await until(
      () => call('GET', `/volumes/${volume}`),
      ({ status }) => status === 404,
    );
    expect(await readdir(join(dataDir, 'files'))).toEqual([]);
  });

  it('takes no notice of a document that was being written when the power went', async () => {
    const volume = await createVolume();
    await cinder.close();
    await writeFile(`${documentOf(volume)}.new`, '{"id": "');
    await start();
    expect(await show(volume)).toMatchObject({ status: 'available' });
    expect(await readdir(join(dataDir, 'volumes'))).toEqual([`${volume}.json`]);
  });

  it('does not start on a document that is not its own, and names it', async () => {
    await cinder.close();
    await writeFile(join(dataDir, 'volumes', 'x.json'), '{"id": 7}');
    const open = () => startCinderDev({ port: 0, dataDir, novaEndpoint: nova.endpoint, log: quiet });
    await expect(open()).rejects.toThrow('x.json');
    await rm(join(dataDir, 'volumes', 'x.json'));
    await start();
  });
});

describe('a file that cannot grow', () => {
  it('ends in error_extending: old size, a message for the user, no event', async () => {
    const volume = await createVolume();
    await attach(volume);
    await rm(fileOf(volume));
    expect((await extend(volume, 2)).status).toBe(202);
    expect(await settled(volume)).toMatchObject({ status: 'error_extending', size: 1 });
    const { body } = await call('GET', `/messages?resource_uuid=${volume}`);
    expect(body).toMatchObject({ messages: [{ event_id: 'VOLUME_VOLUME_007_010' }] });
    expect(nova.requests).toEqual([]);
  });

  it('ends in error_extending for a size that no file can have', async () => {
    const volume = await createVolume();
    await extend(volume, 2 ** 31 - 1);
    expect(await settled(volume)).toMatchObject({ status: 'error_extending', size: 1 });
  });

  it('never makes a file smaller that the hypervisor has grown', async () => {
    const volume = await createVolume();
    await truncate(fileOf(volume), 3 * 2 ** 30);
    await extend(volume, 2);
    expect(await settled(volume)).toMatchObject({ status: 'available', size: 2 });
    expect((await stat(fileOf(volume))).size).toBe(3 * 2 ** 30);
  });

  it('makes a volume that is larger than the disk, as it takes no space', async () => {
    const { body } = await call('POST', '/volumes', { body: { volume: { size: 10_000 } } });
    expect(await settled((body as { volume: ShownVolume }).volume.id)).toMatchObject({ status: 'available' });
  });
});

describe('at the same time', () => {
  it('reserves a volume for one of many servers', async () => {
    const volume = await createVolume();
    const answers = await Promise.all(Array.from({ length: 12 }, () => reserve(volume)));
    const codes = answers.map(({ status }) => status).sort();
    expect(codes).toEqual([200, ...Array.from({ length: 11 }, () => 400)]);
  });

  it('accepts one of many extends', async () => {
    const volume = await createVolume();
    const sizes = [2, 3, 4, 5, 6, 7];
    const answers = await Promise.all(sizes.map((size) => extend(volume, size)));
    const accepted = sizes.filter((_, index) => answers[index]?.status === 202);
    expect(accepted).toHaveLength(1);
    expect(await settled(volume)).toMatchObject({ size: accepted[0] });
  });

  it('closes only after the extend that is going on has told Nova', async () => {
    const volume = await createVolume();
    await attach(volume);
    await extend(volume, 2);
    await cinder.close();
    await start();
    expect(await settled(volume)).toMatchObject({ size: 2, status: 'in-use' });
    expect(nova.requests).toHaveLength(1);
  });
});

describe('strangers', () => {
  it('401 without a token', async () => {
    expect((await fetch(`${cinder.url}/${PROJECT}/volumes`)).status).toBe(401);
  });

  it.each<[string, string | Buffer, string, number]>([
    ['not JSON', '{', 'application/json', 400],
    ['a list', '[]', 'application/json', 400],
    ['null', 'null', 'application/json', 400],
    [
      'a key that would change every object',
      '{"__proto__": {"size": 1}, "volume": {"size": 1}}',
      'application/json',
      400,
    ],
    ['another content type', '<volume/>', 'application/xml', 415],
    ['more than a megabyte', Buffer.alloc(2 ** 21, ' '), 'application/json', 413],
  ])('%s as a body is refused in a fault', async (_name, body, type, status) => {
    const headers = { 'x-auth-token': `demo:${PROJECT}`, 'content-type': type };
    const answer = await fetch(`${cinder.url}/${PROJECT}/volumes`, { method: 'POST', headers, body: body.toString() });
    const fault = Object.values((await answer.json()) as Record<string, { code: number }>)[0];
    expect([answer.status, fault?.code]).toEqual([status, status]);
  });

  it('404 for a path that no Cinder has, even one that climbs', async () => {
    for (const path of ['/snapshots', '/volumes/..%2f..%2fetc', '/attachments/../../x']) {
      expect((await call('GET', path)).status).toBe(404);
    }
  });
});

describe('configuration', () => {
  const good = { CINDER_DEV_DATA_DIR: '/tmp/x', CINDER_DEV_NOVA_ENDPOINT: 'http://127.0.0.1:8774/v2.1' };

  it('needs a folder and where Nova is; the rest has defaults, loopback among them', () => {
    expect(readCinderDevConfig(good)).toMatchObject({ port: 8776, listen: '127.0.0.1', useLoop: false });
  });

  it('names every fault at once', () => {
    const read = () => readCinderDevConfig({ CINDER_DEV_PORT: '99999', CINDER_DEV_USE_LOOP: 'perhaps' });
    const keys = ['CINDER_DEV_DATA_DIR', 'CINDER_DEV_NOVA_ENDPOINT', 'CINDER_DEV_PORT', 'CINDER_DEV_USE_LOOP'];
    for (const key of keys) expect(read).toThrow(key);
  });
});
