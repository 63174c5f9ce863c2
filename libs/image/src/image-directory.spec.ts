import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageDirectory } from './image-directory.js';

const ID = '11111111-2222-4333-8444-555555555555';
const KERNEL = '11111111-2222-4333-8444-666666666666';
const refused = expect.objectContaining({ code: 'image-refused' });

describe('ImageDirectory', () => {
  let folder: string;
  let directory: string;
  let images: ImageDirectory;

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'novella-image-')));
    directory = join(folder, 'images');
    await mkdir(directory);
    images = new ImageDirectory(directory);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const describeImage = (text: object | string, id = ID) =>
    writeFile(join(directory, `${id}.json`), typeof text === 'string' ? text : JSON.stringify(text));
  const raw = { id: ID, name: 'cirros', disk_format: 'raw', file: 'disk.img' };

  it('answers a raw image with its resolved path, its size and defaults for what is left out', async () => {
    await describeImage({ ...raw, properties: { os_distro: 'other' } });
    await writeFile(join(directory, 'disk.img'), 'data');
    expect(await images.image(ID)).toEqual({
      id: ID,
      name: 'cirros',
      diskFormat: 'raw',
      path: join(directory, 'disk.img'),
      size: 4,
      minDiskGib: 0,
      minMemoryMib: 0,
      properties: { kernelId: null, ramdiskId: null, commandLine: null, diskBus: 'virtio' },
      remote: null,
    });
  });

  it('answers an ami that boots by kernel and ramdisk and has no disk', async () => {
    const properties = { kernel_id: KERNEL, ramdisk_id: KERNEL, os_command_line: 'quiet', hw_disk_bus: 'scsi' };
    await describeImage({ id: ID, name: 'tiny', disk_format: 'ami', min_disk: 1, min_ram: 64, properties });
    expect(await images.image(ID)).toMatchObject({
      path: null,
      size: 0,
      minDiskGib: 1,
      minMemoryMib: 64,
      properties: { kernelId: KERNEL, ramdiskId: KERNEL, commandLine: 'quiet', diskBus: 'scsi' },
    });
  });

  it('keeps a raw image raw although its content looks like qcow2', async () => {
    await describeImage(raw);
    await writeFile(join(directory, 'disk.img'), Buffer.from('514649fb00000003', 'hex'));
    expect(await images.image(ID)).toMatchObject({ diskFormat: 'raw', size: 8 });
  });

  it('refuses a qcow2 image whose header is not sound', async () => {
    await describeImage({ ...raw, disk_format: 'qcow2' });
    await writeFile(join(directory, 'disk.img'), Buffer.alloc(512));
    await expect(images.image(ID)).rejects.toEqual(refused);
  });

  it.each([KERNEL, '../secret', 'no-uuid', ''])('has no image %p', async (id) => {
    await writeFile(join(folder, 'secret.json'), JSON.stringify(raw));
    expect(await images.image(id)).toBeNull();
  });

  it.each([
    ['is no JSON', '{'],
    ['is of another image', { ...raw, id: KERNEL }],
    ['has an unknown format', { ...raw, disk_format: 'vmdk' }],
    ['has an unknown bus', { ...raw, properties: { hw_disk_bus: 'ide' } }],
    ['has a kernel that is no uuid', { ...raw, properties: { kernel_id: '../vmlinuz' } }],
    ['names no file for a raw image', { ...raw, file: undefined }],
    ['has a negative size', { ...raw, min_disk: -1 }],
  ])('refuses a description that %s', async (_what, text) => {
    await writeFile(join(directory, 'disk.img'), '');
    await describeImage(text);
    await expect(images.image(ID)).rejects.toEqual(refused);
  });

  it.each([
    ['is not there', 'gone.img'],
    ['is above the directory', '../outside'],
    ['is an absolute path', '/etc/hostname'],
    ['is a link that leads out', 'link'],
    ['is the directory itself', '.'],
    ['is a folder', 'folder'],
  ])('refuses a file that %s', async (_what, file) => {
    await writeFile(join(folder, 'outside'), '');
    await symlink(join(folder, 'outside'), join(directory, 'link'));
    await mkdir(join(directory, 'folder'));
    await describeImage({ ...raw, file });
    await expect(images.image(ID)).rejects.toEqual(refused);
  });
});
