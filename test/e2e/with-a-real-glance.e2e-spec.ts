import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bytes } from '@novella/core';
import { GuestConsole, type NewImage, PrivateGlance, waitUntil } from '@novella/testing';
import { writeBootDisk } from '../../libs/virt/src/conformance/boot-disk.js';
import { Cloud, developmentCinder, inThisProcess, PROJECT } from './cloud.js';

const run = promisify(execFile);
const GIB = 2 ** 30;
const LONG = 240_000;
const OWNER = `alice:${PROJECT}`;
const CONSOLE = 'console=ttyS0 panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check cryptomgr.notests';

let glance: PrivateGlance;
let cloud: Cloud;
beforeAll(async () => {
  glance = await PrivateGlance.start();
  cloud = await Cloud.start(developmentCinder(), (config, hypervisor) =>
    inThisProcess(Object.assign(config, { glanceEndpoint: glance.url }), hypervisor),
  );
}, LONG);
afterAll(async () => {
  await cloud.stop();
  await glance.stop();
}, LONG);

const upload = async (image: NewImage, path: string): Promise<string> =>
  glance.upload(OWNER, image, await readFile(path));
const cacheDir = () => join(cloud.dir.path, 'novella', 'compute', 'image-cache');
const emptyCache = async (): Promise<void> => {
  for (const name of await readdir(cacheDir())) await rm(join(cacheDir(), name));
};
const consoleOf = (server: string): GuestConsole =>
  new GuestConsole(join(cloud.dir.path, 'novella', 'compute', 'instances', server, 'console.log'));
describe('a guest whose kernel and ramdisk were uploaded to Glance', () => {
  it(
    'boots, sees a volume grow, and boots again when no image is on the host any more',
    async () => {
      const { kernelPath, initrdPath } = cloud.images;
      const kernel = await upload({ disk_format: 'aki', container_format: 'aki' }, kernelPath);
      const ramdisk = await upload({ disk_format: 'ari', container_format: 'ari' }, initrdPath);
      const parts = { kernel_id: kernel, ramdisk_id: ramdisk, os_command_line: `quiet ${CONSOLE}` };
      const ami = { disk_format: 'ami', container_format: 'ami', ...parts };
      const server = await cloud.server(await glance.upload(OWNER, ami, Buffer.alloc(0)));
      const volume = await cloud.attachedVolume(server);
      await cloud.grow(volume, 2);
      await server.guest.waitForSize(volume, bytes(2 * GIB));

      await emptyCache();
      // What the new guest says is in a new file then.
      await rm(join(cloud.dir.path, 'novella', 'compute', 'instances', server.id, 'console.log'));
      await cloud.nova('POST', `/servers/${server.id}/action`, { reboot: { type: 'HARD' } });
      await server.guest.ready();
      await server.guest.waitForSize(volume, bytes(2 * GIB));
      await cloud.deleteServer(server.id);
    },
    LONG,
  );
});

// Only a PC's BIOS boots what syslinux makes.
(process.arch === 'x64' ? describe : describe.skip)('a guest whose disk was uploaded to Glance', () => {
  it.each(['qcow2', 'raw'])(
    'boots from its own copy of it, which is as large as the flavor says: %s',
    async (format) => {
      const path = join(cloud.dir.path, `boot-${format}`);
      await writeBootDisk(`${path}.raw`, format);
      await run('qemu-img', ['convert', '-f', 'raw', '-O', format, `${path}.raw`, path]);
      const id = await cloud.activeServer({ imageRef: await upload({ disk_format: format }, path), flavorRef: '1' });
      const guest = consoleOf(id);
      await guest.ready();
      expect(await guest.text()).toContain(`novella.booted=${format}`);
      const itsDisk = async () => (await guest.disks()).some(({ name, size }) => name === 'vda' && size === bytes(GIB));
      await waitUntil(itsDisk, { what: 'the guest to tell of its disk', timeout: LONG / 2 });
      await cloud.deleteServer(id);
    },
    LONG,
  );
});

it(
  'a guest that boots from a volume needs nothing of Glance',
  async () => {
    const volume = await cloud.volume();
    await cloud.volumes('POST', `/volumes/${volume}/action`, { 'os-set_bootable': { bootable: true } });
    const [asked, cached] = [await glance.log(), await readdir(cacheDir())];
    const boot = { uuid: volume, source_type: 'volume', destination_type: 'volume', boot_index: 0 };
    const id = await cloud.activeServer({ block_device_mapping_v2: [boot] });
    expect([await glance.log(), await readdir(cacheDir())]).toEqual([asked, cached]);
    await cloud.deleteServer(id);
  },
  LONG,
);
