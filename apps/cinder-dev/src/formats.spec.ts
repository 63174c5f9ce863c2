import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventsAnswer, type NovaRecorder, startNovaRecorder } from '../../../test/openstack/nova-recorder.js';
import { rawCinder, until } from '../../../test/openstack/raw-cinder.js';
import { type CinderDev, startCinderDev } from './start-cinder-dev.js';

const PROJECT = 'd'.repeat(32);
const SERVER = randomUUID();
const GIB = 2 ** 30;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
interface ShownVolume {
  readonly id: string;
  readonly status: string;
  readonly size: number;
  readonly bootable: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly volume_image_metadata?: Readonly<Record<string, string>>;
}

let folder: string;
let dataDir: string;
let imagesDir: string;
let nova: NovaRecorder;
let cinder: CinderDev;
const start = async () => {
  cinder = await startCinderDev({ port: 0, dataDir, imagesDir, novaEndpoint: nova.endpoint, log: quiet });
};
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cinder-dev-'));
  [dataDir, imagesDir] = [join(folder, 'data'), join(folder, 'images')];
  await mkdir(imagesDir);
  nova = await startNovaRecorder();
  await start();
});
afterEach(async () => {
  await cinder.close();
  await nova.close();
  await rm(folder, { recursive: true });
});

const execute = promisify(execFile);
const call = (...[method, path, options]: Parameters<ReturnType<typeof rawCinder>['call']>) =>
  rawCinder(cinder.url, PROJECT).call(method, path, options);
const show = async (id: string) => ((await call('GET', `/volumes/${id}`)).body as { volume: ShownVolume }).volume;
const settled = (id: string) =>
  until(
    () => show(id),
    ({ status }) => status !== 'creating',
  );
const create = (fields: object = {}) => call('POST', '/volumes', { body: { volume: { size: 1, ...fields } } });
async function createVolume(fields: object = {}): Promise<string> {
  const { id } = ((await create(fields)).body as { volume: ShownVolume }).volume;
  await settled(id);
  return id;
}
async function attach(volume: string): Promise<{ id: string; connection_info: Record<string, unknown> }> {
  const wanted = { attachment: { volume_uuid: volume, instance_uuid: SERVER } };
  const { id } = ((await call('POST', '/attachments', { body: wanted })).body as { attachment: { id: string } })
    .attachment;
  const connector = { attachment: { connector: { host: 'compute-1' } } };
  const { body } = await call('PUT', `/attachments/${id}`, { body: connector });
  await call('POST', `/attachments/${id}/action`, { body: { 'os-complete': {} } });
  return (body as { attachment: { id: string; connection_info: Record<string, unknown> } }).attachment;
}
const act = (volume: string, action: string, args: unknown) =>
  call('POST', `/volumes/${volume}/action`, { body: { [action]: args } });
const extend = (volume: string, size: number) => act(volume, 'os-extend', { new_size: size });
const complete = (volume: string, error: unknown) => act(volume, 'os-extend_volume_completion', { error });
const messages = async (volume: string) => {
  const { body } = await call('GET', `/messages?resource_uuid=${volume}`);
  return (body as { messages: { event_id: string }[] }).messages.map((message) => message.event_id);
};
const fileOf = (volume: string) => join(dataDir, 'files', `volume-${volume}`);
async function sizeOf(path: string, format: string): Promise<number> {
  const { stdout } = await execute('qemu-img', ['info', '--output=json', '-f', format, path]);
  return (JSON.parse(stdout) as { 'virtual-size': number })['virtual-size'];
}
const told = (count = 1) =>
  until(
    () => nova.requests,
    ({ length }) => length >= count,
  );

describe('a volume of the type qcow2', () => {
  let volume: string;
  beforeEach(async () => {
    volume = await createVolume({ volume_type: 'qcow2' });
  });

  it('is a qcow2 file, and hosts are told so', async () => {
    expect(await sizeOf(fileOf(volume), 'qcow2')).toBe(GIB);
    const { connection_info } = await attach(volume);
    expect(connection_info).toMatchObject({
      driver_volume_type: 'local',
      format: 'qcow2',
      device_path: fileOf(volume),
    });
  });

  it('is grown here while nobody has it', async () => {
    await extend(volume, 3);
    await until(
      () => show(volume),
      ({ size, status }) => size === 3 && status === 'available',
    );
    expect(await sizeOf(fileOf(volume), 'qcow2')).toBe(3 * GIB);
    expect(nova.requests).toEqual([]);
  });

  describe('that a host has open', () => {
    let attachment: string;
    beforeEach(async () => {
      attachment = (await attach(volume)).id;
    });

    it('is the host’s to grow: Nova is told, the wanted size stands in the metadata, the file is left alone', async () => {
      const before = await stat(fileOf(volume));
      expect((await extend(volume, 3)).status).toBe(202);
      await told();
      expect(await show(volume)).toMatchObject({ status: 'extending', size: 1, metadata: { extend_new_size: '3' } });
      expect((await stat(fileOf(volume))).mtimeMs).toBe(before.mtimeMs);
      expect(nova.requests).toMatchObject([{ path: '/v2.1/os-server-external-events' }]);
    });

    it('has the new size once the host has said that it is done', async () => {
      await extend(volume, 3);
      await told();
      expect((await complete(volume, false)).status).toBe(202);
      const after = await show(volume);
      expect(after).toMatchObject({ status: 'in-use', size: 3 });
      expect(after.metadata).toEqual({});
      expect((await complete(volume, false)).status).toBe(400);
    });

    it('keeps its size in error_extending when the host could not, and its user is told', async () => {
      await extend(volume, 3);
      await told();
      expect((await complete(volume, true)).status).toBe(202);
      expect(await show(volume)).toMatchObject({ status: 'error_extending', size: 1, metadata: {} });
      expect(await messages(volume)).toEqual(['VOLUME_VOLUME_007_010']);
    });

    it.each<[string, NovaRecorder['answer']]>([
      ['refuses the event', (request) => eventsAnswer(request, 422)],
      ['is not well', () => ({ status: 500, body: {} })],
      ['is not there', () => 'hang-up'],
    ])('does not wait for ever when Nova %s', async (_, answer) => {
      nova.answer = answer;
      await extend(volume, 3);
      await until(
        () => show(volume),
        ({ status, size }) => status === 'error_extending' && size === 1,
      );
      await until(
        () => messages(volume),
        (left) => left.includes('VOLUME_VOLUME_007_009'),
      );
    });

    it('is grown here after all when the host lets it go', async () => {
      await extend(volume, 3);
      await told();
      await call('DELETE', `/attachments/${attachment}`);
      await until(
        () => show(volume),
        ({ status, size }) => status === 'available' && size === 3,
      );
      expect(await sizeOf(fileOf(volume), 'qcow2')).toBe(3 * GIB);
    });

    it('still waits after a restart, and tells Nova again', async () => {
      await extend(volume, 3);
      await told();
      await cinder.close();
      await start();
      await told(2);
      expect(await show(volume)).toMatchObject({ status: 'extending', metadata: { extend_new_size: '3' } });
      await complete(volume, false);
      expect(await show(volume)).toMatchObject({ status: 'in-use', size: 3 });
    });

    it.each(['yes', 1, [], {}])('takes no %j for an error', async (error) => {
      await extend(volume, 3);
      await told();
      expect((await complete(volume, error)).status).toBe(400);
      expect(await show(volume)).toMatchObject({ status: 'extending' });
    });
  });

  it('404 for the completion of a volume that is not there', async () => {
    expect((await complete(randomUUID(), false)).status).toBe(404);
  });
});

describe('a volume that is made of an image', () => {
  const IMAGE = '11111111-2222-4333-8444-555555555555';
  async function image(changes: object = {}, content = 'boots'): Promise<void> {
    await writeFile(join(imagesDir, 'disk.raw'), content);
    const description = { id: IMAGE, name: 'small', disk_format: 'raw', file: 'disk.raw', min_disk: 1, min_ram: 64 };
    const properties = { hw_disk_bus: 'scsi' };
    await writeFile(join(imagesDir, `${IMAGE}.json`), JSON.stringify({ ...description, properties, ...changes }));
  }

  it.each(['raw', 'qcow2'])('has its content and is bootable: a %s image', async (format) => {
    await image({ disk_format: format, file: `disk.${format}` }, 'boots'.padEnd(1024, '.'));
    const [raw, qcow2] = [join(imagesDir, 'disk.raw'), join(imagesDir, 'disk.qcow2')];
    await execute('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2]);
    const volume = await createVolume({ imageRef: IMAGE });
    expect(await show(volume)).toMatchObject({
      status: 'available',
      bootable: 'true',
      volume_image_metadata: { image_id: IMAGE, image_name: 'small', hw_disk_bus: 'scsi', min_ram: '64' },
    });
    const { stdout } = await execute('head', ['-c', '5', fileOf(volume)]);
    expect([stdout, (await stat(fileOf(volume))).size]).toEqual(['boots', GIB]);
  });

  it('can be a qcow2 volume', async () => {
    await image();
    const volume = await createVolume({ imageRef: IMAGE, volume_type: 'qcow2' });
    expect(await show(volume)).toMatchObject({ status: 'available', bootable: 'true' });
    expect(await sizeOf(fileOf(volume), 'qcow2')).toBe(GIB);
  });

  it.each<[string, () => Promise<unknown>, object]>([
    ['nobody knows', () => Promise.resolve(), { imageRef: IMAGE }],
    ['asks for a larger disk', () => image({ min_disk: 2 }), { imageRef: IMAGE }],
    ['lies outside of its folder', () => image({ file: '../data/files/volume-x' }), { imageRef: IMAGE }],
    ['has a format that is none', () => image({ disk_format: 'vmdk' }), { imageRef: IMAGE }],
    ['has no id', () => image(), { imageRef: '../disk' }],
  ])('400 for an image that %s', async (_, make, fields) => {
    await make();
    await writeFile(join(dataDir, 'files', 'volume-x'), 'secret');
    expect((await create(fields)).status).toBe(400);
  });

  it('refuses a qcow2 image that takes its content from another file', async () => {
    const path = join(imagesDir, 'thin.qcow2');
    await image();
    const backing = ['-b', join(imagesDir, 'disk.raw'), '-F', 'raw'];
    await execute('qemu-img', ['create', '-f', 'qcow2', ...backing, path, '1G']);
    await image({ disk_format: 'qcow2', file: 'thin.qcow2' });
    expect((await create({ imageRef: IMAGE })).status).toBe(400);
  });

  it('is not bootable without an image, and has no image metadata', async () => {
    const shown = await show(await createVolume());
    expect(shown.bootable).toBe('false');
    expect(shown).not.toHaveProperty('volume_image_metadata');
  });
});
