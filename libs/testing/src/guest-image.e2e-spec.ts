import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { truncate, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Bytes, gib, gibToBytes } from '@novella/core';
import { ImageDirectory } from '@novella/image';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { GuestConsole } from './guest-console.js';
import { guestImages } from './guest-image.js';
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.js';
import { waitUntil } from './wait-until.js';

jest.setTimeout(700_000);

const QEMU = { x64: ['qemu-system-x86_64', 'pc'], arm64: ['qemu-system-aarch64', 'virt'] } as const;
const VIRTIO = 'a1b2c3d4-0000-4000-8000-000000000001';
const SCSI = 'a1b2c3d5-0000-4000-8000-000000000002';
const GIB = (count: number): Bytes => gibToBytes(gib(count));

describe('the guest, run by QEMU itself', () => {
  let directory: TemporaryDirectory;
  let qemu: ChildProcess;
  let control: Socket;
  let guest: GuestConsole;

  beforeAll(async () => {
    directory = await temporaryDirectory();
    const file = (name: string) => join(directory.path, name);
    for (const name of ['virtio.raw', 'scsi.raw']) {
      await writeFile(file(name), '');
      await truncate(file(name), GIB(1));
    }
    const { imagesDir, imageId, kernelPath, initrdPath } = await guestImages();
    const image = await new ImageDirectory(imagesDir).image(imageId);
    const [program, machine] = QEMU[process.arch === 'arm64' ? 'arm64' : 'x64'];
    qemu = spawn(
      program,
      [
        ...['-M', machine, '-cpu', 'max', '-accel', 'tcg', '-m', '128', '-nodefaults', '-display', 'none'],
        ...['-kernel', kernelPath, '-initrd', initrdPath, '-append', image?.properties.commandLine ?? ''],
        ...['-serial', `file:${file('console')}`, '-qmp', `unix:${file('qmp')},server=on,wait=off`],
        ...['-blockdev', `driver=file,filename=${file('virtio.raw')},node-name=virtio`],
        ...['-blockdev', `driver=file,filename=${file('scsi.raw')},node-name=scsi`],
        ...['-device', `virtio-blk-pci,drive=virtio,id=disk,serial=${VIRTIO}`],
        ...['-device', 'virtio-scsi-pci,id=bus', '-device', `scsi-hd,bus=bus.0,drive=scsi,serial=${SCSI}`],
      ],
      { stdio: 'inherit' },
    );
    guest = new GuestConsole(file('console'));
    control = await waitUntil(() => openSocket(file('qmp')), { what: "QEMU's control socket" });
    await execute(control, 'qmp_capabilities', {});
    await guest.ready();
  });

  afterAll(async () => {
    control.destroy();
    qemu.kill();
    await once(qemu, 'exit');
    await directory.remove();
  });

  it('is found by the image service, with its kernel and ramdisk, for either bus', async () => {
    const { imagesDir, imageId, scsiImageId, kernelPath, initrdPath } = await guestImages();
    const images = new ImageDirectory(imagesDir);
    for (const [id, diskBus] of [[imageId, 'virtio'] as const, [scsiImageId, 'scsi'] as const]) {
      const properties = (await images.image(id))?.properties;
      expect(properties).toMatchObject({ diskBus });
      expect((await images.image(properties?.kernelId ?? ''))?.path).toBe(kernelPath);
      expect((await images.image(properties?.ramdiskId ?? ''))?.path).toBe(initrdPath);
    }
  });

  it('tells of its disks: 20 characters of the serial on virtio-blk, all of it on SCSI', async () => {
    expect(await guest.waitForDisk(VIRTIO)).toEqual({ name: 'vda', serial: VIRTIO.slice(0, 20), size: GIB(1) });
    expect(await guest.waitForDisk(SCSI)).toEqual({ name: 'sda', serial: SCSI, size: GIB(1) });
  });

  it.each([
    ['virtio', VIRTIO, 2],
    ['scsi', SCSI, 3],
  ])('sees a %s disk grow while it runs', async (node, serial, size) => {
    await execute(control, 'block_resize', { 'node-name': node, size: GIB(size) });
    await guest.waitForSize(serial, GIB(size));
    expect(await guest.text()).toContain('detected capacity change');
  });

  it('sees a disk go', async () => {
    await execute(control, 'device_del', { id: 'disk' });
    await guest.waitForNoDisk(VIRTIO);
    expect((await guest.disks()).map(({ serial }) => serial)).toEqual([SCSI]);
  });
});

async function openSocket(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  return socket;
}

/** One command of QEMU's machine protocol; its events and greeting are passed over. */
async function execute(socket: Socket, command: string, args: Record<string, string | number>): Promise<void> {
  const answers = createInterface({ input: socket });
  socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
  for await (const line of answers) {
    const answer = JSON.parse(line) as { return?: unknown; error?: { desc: string } };
    if (answer.error !== undefined) throw new Error(`${command}: ${answer.error.desc}`);
    if (answer.return !== undefined) break;
  }
  answers.close();
}
