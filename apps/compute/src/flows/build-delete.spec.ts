import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NovellaError } from '@novella/core';
import type { DriverMethod } from '@novella/virt';
import { broken, MIB, SERVER, testHost, type TestHost } from '../testing/test-host.js';

const IMAGE = '11111111-2222-4333-8444-000000000001';
const KERNEL = '11111111-2222-4333-8444-000000000002';
const GIB = 1024 * MIB;
const failed = (code: string) => ({ status: 'failed', error: expect.objectContaining({ code }) as object });

describe('build_instance and delete_instance', () => {
  let host: TestHost;
  let disk: Awaited<ReturnType<TestHost['volume']>>;
  let folder: string;

  beforeEach(async () => {
    host = await testHost();
    disk = await host.volume(1, 2);
    folder = join(host.stateDir, 'instances', SERVER);
    await image(IMAGE, { disk_format: 'raw', file: 'root' });
    await writeFile(join(host.folder, 'images/root'), 'the root disk');
  });
  afterEach(() => host.remove());

  const image = (id: string, more: object) =>
    writeFile(join(host.folder, 'images', `${id}.json`), JSON.stringify({ id, name: 'one', ...more }));
  const beginning = async (path: string) => {
    const file = await open(path);
    const { buffer } = await file.read({ buffer: Buffer.alloc(13) });
    await file.close();
    return buffer.toString();
  };
  const built = { status: 'built', powerState: 'running' };
  const left = () => readdir(join(host.stateDir, 'instances')).catch(() => []);

  it('builds a server with a root disk, grown without using space, and its volumes measured', async () => {
    expect(await host.build([disk], { imageRef: IMAGE, rootGib: 1 })).toEqual({
      ...built,
      disks: [{ volume: disk.volume, hostBytes: 2 * MIB, guestBytes: 2 * MIB }],
    });
    const root = await stat(join(folder, 'disk'));
    expect(root.size).toBe(GIB);
    expect(root.blocks * 512).toBeLessThan(MIB);
    expect(await beginning(join(folder, 'disk'))).toBe('the root disk');
    expect(await readdir(folder)).toEqual(['disk']);
  });

  it('builds a server without image or volumes', async () => {
    expect(await host.build([])).toEqual({ ...built, disks: [] });
  });

  it('takes the size of the image for a flavor that has none', async () => {
    await host.build([], { imageRef: IMAGE, rootGib: 0 });
    expect((await stat(join(folder, 'disk'))).size).toBe(13);
  });

  it('makes no root disk for a server that boots from a volume', async () => {
    await host.build([disk], { imageRef: IMAGE, bootVolume: disk.volume });
    expect(await readdir(folder)).toEqual([]);
  });

  it('leaves a built server as it is when the command comes again', async () => {
    const token = host.token();
    const command = { imageRef: IMAGE, rootGib: 1, token };
    await host.build([disk], command);
    await writeFile(join(folder, 'disk'), 'written by the guest');
    await host.restart();
    expect(await host.build([disk], command)).toMatchObject(built);
    expect(await readFile(join(folder, 'disk'), 'utf8')).toBe('written by the guest');
    expect(await host.fake.guests()).toHaveLength(1);
  });

  it.each([
    ['an image that is not there', KERNEL, {}, 'image-not-found'],
    ['a kernel that is not there', IMAGE, { properties: { kernel_id: KERNEL, ramdisk_id: KERNEL } }, 'image-not-found'],
    ['a description that is wrong', IMAGE, { disk_format: 'vmdk' }, 'image-refused'],
    ['a qcow2 image without a sound header', IMAGE, { disk_format: 'qcow2' }, 'image-refused'],
    ['an image that needs more memory', IMAGE, { min_ram: 65 }, 'flavor-too-small'],
    ['an image that needs a larger disk', IMAGE, { min_disk: 2 }, 'flavor-too-small'],
  ])('refuses %s, and leaves nothing behind', async (_what, imageRef, more, code) => {
    await image(IMAGE, { disk_format: 'raw', file: 'root', ...more });
    expect(await host.build([disk], { imageRef, rootGib: 1 })).toEqual(failed(code));
    expect(await left()).toEqual([]);
    expect(await host.fake.guests()).toEqual([]);
  });

  it('refuses an image whose disk is larger than the flavor', async () => {
    await truncate(join(host.folder, 'images/root'), GIB + 1);
    expect(await host.build([], { imageRef: IMAGE, rootGib: 1 })).toEqual(failed('flavor-too-small'));
  });

  describe('that fails', () => {
    const second = () => host.volume(2, 2);
    const cases: [string, (at: TestHost) => void][] = [
      ...(['createGuest'] as DriverMethod[]).flatMap((method): [string, (at: TestHost) => void][] => [
        [`${method}, before`, (at) => at.fake.failNext(method, broken(), 'before')],
        [`${method}, after`, (at) => at.fake.failNext(method, broken(), 'after')],
      ]),
      ['connector connect', (at) => (at.faults.connector = { connect: broken() })],
      ['connector size', (at) => (at.faults.connector = { size: broken() })],
    ];

    it.each(cases)('takes back what it made, and builds when run again: %s', async (_where, breakIt) => {
      const token = host.token();
      breakIt(host);
      const volumes = [disk, await second()];
      expect(await host.build(volumes, { imageRef: IMAGE, rootGib: 1, token })).toEqual(
        failed('hypervisor-unreachable'),
      );
      expect(await host.fake.guests()).toEqual([]);
      expect(await left()).toEqual([]);
      await host.restart();
      expect(await host.build(volumes, { imageRef: IMAGE, rootGib: 1, token })).toMatchObject(built);
      expect((await host.fake.guest(SERVER))?.disks).toHaveLength(2);
    });

    it('leaves a guest alone that was there before', async () => {
      const token = host.token();
      await host.build([disk], { imageRef: IMAGE, token });
      host.faults.connector = { size: broken() };
      expect(await host.build([disk], { imageRef: IMAGE, token })).toEqual(failed('hypervisor-unreachable'));
      expect(await host.fake.guests()).toHaveLength(1);
      expect(await readdir(folder)).toEqual(['disk']);
    });

    it('keeps the files of a guest that could not be taken back', async () => {
      host.fake.failNext('createGuest', broken(), 'after');
      host.fake.failNext('destroyGuest', broken());
      expect(await host.build([], { imageRef: IMAGE })).toEqual(failed('hypervisor-unreachable'));
      expect(await readdir(folder)).toEqual(['disk']);
    });

    it('fails when the guest that is there lacks a volume', async () => {
      await host.build([]);
      expect(await host.build([disk])).toEqual(failed('guest-disk-missing'));
    });
  });

  it('removes guest and files, and says so again when nothing is there', async () => {
    await host.build([disk], { imageRef: IMAGE });
    expect(await host.delete([disk])).toEqual({ status: 'deleted' });
    expect(await host.fake.guests()).toEqual([]);
    expect(await left()).toEqual([]);
    expect((await stat(disk.path)).size).toBe(2 * MIB);
    expect(await host.delete([disk])).toEqual({ status: 'deleted' });
  });

  it('does not call deleted what is still there', async () => {
    await host.build([]);
    host.virt.destroyGuest = () => Promise.resolve();
    expect(await host.delete([])).toEqual(failed('hypervisor-refused'));
  });

  it('touches neither the domain of somebody else nor its files', async () => {
    host.fake.addForeignDomain(SERVER, 'theirs');
    expect(await host.delete([])).toEqual(failed('domain-not-ours'));
    expect(await host.build([])).toEqual(failed('domain-not-ours'));
  });

  it.each([
    ['destroyGuest, before', (at: TestHost) => at.fake.failNext('destroyGuest', broken(), 'before')],
    ['destroyGuest, after', (at: TestHost) => at.fake.failNext('destroyGuest', broken(), 'after')],
    ['guest', (at: TestHost) => at.fake.failNext('guest', broken())],
    ['connector disconnect', (at: TestHost) => void (at.faults.connector = { disconnect: broken() })],
  ])('deletes when it is run again after a cut at %s (rule 3.4b)', async (_where, breakIt) => {
    await host.build([disk], { imageRef: IMAGE });
    const token = host.token();
    breakIt(host);
    expect(await host.delete([disk], token)).toEqual(failed('hypervisor-unreachable'));
    await host.restart();
    expect(await host.delete([disk], token)).toEqual({ status: 'deleted' });
    expect(await left()).toEqual([]);
  });

  it('does nothing for commands that a delete has overtaken (rule 3.5b)', async () => {
    const [early, late] = [host.token(), host.token()];
    await host.build([disk]);
    const before = host.token();
    await host.delete([disk]);
    expect(await host.build([disk], { token: before })).toEqual({ status: 'stale' });
    expect(await host.extend(disk, 2, early)).toEqual({ status: 'stale' });
    expect(await host.attach(disk, late)).toEqual({ status: 'stale' });
    expect(await host.fake.guests()).toEqual([]);
  });

  it('stops a build at its next step when a delete has come meanwhile, and takes nothing back', async () => {
    const held = host.fake.hangNext('guest');
    const building = host.build([disk], { imageRef: IMAGE });
    await held.reached;
    const deleting = host.delete([disk]);
    await new Promise((resolve) => setImmediate(resolve));
    held.release();
    await Promise.all([building, deleting]);
    expect(host.reports.map(({ outcome }) => outcome.status)).toEqual(['stale', 'deleted']);
    expect(host.fake.calls.some(({ method }) => method === 'createGuest')).toBe(false);
  });

  it('keeps an error of ours as it is on the wire', async () => {
    host.faults.connector = { connect: new NovellaError('paths-down', 'one of two', { up: 1 }) };
    expect(await host.build([disk])).toEqual({
      status: 'failed',
      error: { code: 'paths-down', grade: 'unsure', message: 'one of two', facts: { up: 1 } },
    });
  });
});
