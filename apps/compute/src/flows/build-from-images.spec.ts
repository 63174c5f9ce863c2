import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildInstance, ImageSource, ImageSources } from '@novella/contracts';
import { type ErrorCode, NovellaError, type ServerId } from '@novella/core';
import type { GuestSpec } from '@novella/virt';
import { qcow2Header, readQcow2Size } from '../testing/qcow2-header.js';
import { MIB, OTHER_SERVER, SERVER, testHost, type TestHost } from '../testing/test-host.js';

const IMAGE = '11111111-2222-4333-8444-000000000001';
const KERNEL = '11111111-2222-4333-8444-000000000002';
const RAMDISK = '11111111-2222-4333-8444-000000000003';
const GIB = 1024 * MIB;
const failed = (code: string) => ({ status: 'failed', error: expect.objectContaining({ code }) as object });
const BUILT = { status: 'built', powerState: 'running', disks: [] };

let host: TestHost;
let folder: string;
/** What the hypervisor was asked to make. */
let created: GuestSpec[];
beforeEach(async () => {
  host = await testHost();
  created = [];
  const createGuest = host.virt.createGuest.bind(host.virt);
  host.virt.createGuest = (spec) => {
    created.push(spec);
    return createGuest(spec);
  };
  folder = join(host.stateDir, 'instances', SERVER);
});
afterEach(() => host.remove());

const alone = (image: ImageSource): ImageSources => ({ image, kernel: null, ramdisk: null });
const build = (images: ImageSources, more: Partial<BuildInstance> = {}) =>
  host.build([], { imageRef: images.image.id, images, rootGib: 1, ...more });
const cached = async () => (await readdir(host.cacheDir)).map((name) => name.slice(0, 36)).toSorted();
const instances = () => readdir(join(host.stateDir, 'instances')).catch(() => []);
const emptyCache = async (): Promise<void> => {
  for (const name of await readdir(host.cacheDir)) await rm(join(host.cacheDir, name));
};

describe('a server whose image is fetched', () => {
  it('has a root disk of its own, grown, and the image stays for others', async () => {
    expect(await build(alone(host.pieces.serve(IMAGE, ['the root disk'])))).toEqual(BUILT);
    expect((await stat(join(folder, 'disk'))).size).toBe(GIB);
    expect((await readFile(join(folder, 'disk'))).subarray(0, 13).toString()).toBe('the root disk');
    expect(await cached()).toEqual([IMAGE]);
  });

  it('has a kernel and a ramdisk of its own, and starts with them when the images are long gone', async () => {
    const image = { ...host.pieces.serve(IMAGE, [], 'ami'), url: null, commandLine: 'quiet' };
    const kernel = host.pieces.serve(KERNEL, ['a kernel'], 'aki');
    const ramdisk = host.pieces.serve(RAMDISK, ['a ramdisk'], 'ari');
    expect(await build({ image, kernel, ramdisk })).toEqual(BUILT);
    expect(created[0]?.kernel).toEqual({
      kernelPath: join(folder, 'kernel'),
      initrdPath: join(folder, 'ramdisk'),
      commandLine: 'quiet',
    });
    expect(created[0]?.rootDisk).toBeNull();
    await emptyCache();
    expect(await readFile(join(folder, 'kernel'), 'utf8')).toBe('a kernel');
    expect(await readFile(join(folder, 'ramdisk'), 'utf8')).toBe('a ramdisk');
  });

  it('has a disk as large as the flavor from a qcow2 image of any size below', async () => {
    const path = join(host.folder, 'image');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
    expect(await build(alone(host.pieces.serve(IMAGE, [await readFile(path)], 'qcow2')))).toEqual(BUILT);
    expect(await readQcow2Size(join(folder, 'disk'))).toBe(GIB);
    expect(created[0]?.rootDisk).toMatchObject({ format: 'qcow2' });
  });

  it('is left as it is when its build comes again, though neither cache nor conductor has the image', async () => {
    const images = alone(host.pieces.serve(IMAGE, ['the root disk']));
    const token = host.token();
    await build(images, { token });
    await emptyCache();
    host.pieces.instead(images.image, []);
    await host.restart();
    expect(await build(images, { token })).toEqual(BUILT);
    expect(host.pieces.asked).toEqual([IMAGE]);
  });

  it('shares one download with another that is built at the same time', async () => {
    const images = alone(host.pieces.serve(IMAGE, ['the root disk']));
    const both = [build(images), build(images, { server: OTHER_SERVER })];
    expect(await Promise.all(both)).toEqual([BUILT, BUILT]);
    expect(host.pieces.asked).toEqual([IMAGE]);
  });

  it.each<[string, (image: ImageSource) => ImageSource, ErrorCode]>([
    ['a qcow2 image with a backing file', (image) => image, 'image-refused'],
    ['a qcow2 image that is none', () => host.pieces.serve(IMAGE, ['raw, in truth'], 'qcow2'), 'image-refused'],
    ['a kernel as its image', () => host.pieces.serve(IMAGE, ['a kernel'], 'aki'), 'image-refused'],
    ['too large a disk', () => host.pieces.serve(IMAGE, [qcow2Header(GIB + MIB)], 'qcow2'), 'flavor-too-small'],
    ['too much memory', () => ({ ...host.pieces.serve(IMAGE, ['x']), minMemoryMib: 65 }), 'flavor-too-small'],
  ])('is refused with %s', async (_what, change, code) => {
    const backed = qcow2Header(MIB);
    backed.writeBigUInt64BE(512n, 8);
    expect(await build(alone(change(host.pieces.serve(IMAGE, [backed], 'qcow2'))))).toEqual(failed(code));
    expect(await instances()).toEqual([]);
    expect(await host.fake.guests()).toEqual([]);
  });

  const cut = new NovellaError('image-download-failed', 'cut off by the test');
  it.each<[string, (string | NovellaError)[], ErrorCode]>([
    ['has no data', [], 'image-data-wrong'],
    ['is cut', ['the ', cut], 'image-download-failed'],
    ['is another', ['another disk!'], 'image-data-wrong'],
    ['is too long', ['the root disk!'], 'image-data-wrong'],
  ])(
    'fails, and leaves nothing behind, when its image %s; it is built when that is over',
    async (_what, instead, code) => {
      const image = host.pieces.serve(IMAGE, ['the root disk']);
      host.pieces.instead(
        image,
        instead.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)),
      );
      expect(await build(alone(image))).toEqual(failed(code));
      expect([await instances(), await cached(), await host.fake.guests()]).toEqual([[], [], []]);
      host.pieces.serve(IMAGE, ['the root disk']);
      expect(await build(alone(image))).toEqual(BUILT);
    },
  );
});

describe('while an image is on its way', () => {
  /** The next download stands before its first piece until it is let go. */
  const held = () => {
    let letGo = (): void => undefined;
    let reached = (): void => undefined;
    const standing = new Promise<void>((resolve) => (reached = resolve));
    const going = new Promise<void>((resolve) => (letGo = resolve));
    host.pieces.beforeEach = () => {
      reached();
      return going;
    };
    return { standing, letGo };
  };

  it('a delete ends the build at once', async () => {
    const { standing, letGo } = held();
    const building = build(alone(host.pieces.serve(IMAGE, ['data'])));
    await standing;
    expect(await host.delete([])).toEqual({ status: 'deleted' });
    expect(await building).toEqual({ status: 'stale' });
    letGo();
    expect(await instances()).toEqual([]);
  });

  it('a process that stops reports nothing: the build comes again', async () => {
    const { standing } = held();
    const building = build(alone(host.pieces.serve(IMAGE, ['data'])));
    await standing;
    const reason = new NovellaError('internal', 'the compute is stopping');
    host.stopping.abort(reason);
    await expect(building).rejects.toBe(reason);
    expect(host.reports).toEqual([]);
  });

  it('an extend of another server goes on, however many builds wait', async () => {
    const volume = await host.volume(1, 2);
    await host.build([volume]);
    const { standing, letGo } = held();
    const images = alone(host.pieces.serve(IMAGE, ['data']));
    const waiting = Array.from({ length: 20 }, (_, index) => {
      const server = `5e7e0000-0000-4000-8000-0000000001${String(index).padStart(2, '0')}` as ServerId;
      return build(images, { server, domainName: `instance-000001${String(index).padStart(2, '0')}` });
    });
    await standing;
    expect(await host.extend(volume, 2)).toMatchObject({ status: 'grown' });
    letGo();
    expect(await Promise.all(waiting)).toEqual(Array(20).fill(BUILT));
    expect(host.pieces.asked).toEqual([IMAGE]);
  });
});
