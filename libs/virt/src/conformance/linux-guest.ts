import { execFile } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Bytes, bytes, type ServerId, type VolumeId } from '@novella/core';
import { GuestConsole, guestImages } from '@novella/testing';
import type { GuestDisk, GuestSpec, VirtDriver } from '../driver.js';

const run = promisify(execFile);

/** What makes booting quick where the processor is emulated. */
export const COMMAND_LINE =
  'console=ttyS0 panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check cryptomgr.notests';

/** A guest of the given driver that boots Linux, and what its kernel says. */
export interface LinuxGuest {
  readonly server: ServerId;
  readonly driver: VirtDriver;
  readonly console: GuestConsole;
}

export async function bootLinux(
  driver: VirtDriver,
  server: ServerId,
  folder: string,
  changes: Partial<GuestSpec> = {},
): Promise<LinuxGuest> {
  const { kernelPath, initrdPath } = await guestImages();
  const consolePath = join(folder, `console-${server}`);
  await driver.createGuest({
    server,
    domainName: `instance-${server.slice(-8)}`,
    displayName: 'linux',
    projectId: 'p',
    vcpus: 1,
    memoryMib: 192,
    kernel: { kernelPath, initrdPath, commandLine: `quiet ${COMMAND_LINE}` },
    rootDisk: null,
    bootVolume: null,
    disks: [],
    consolePath,
    ...changes,
  });
  const guest = { server, driver, console: new GuestConsole(consolePath) };
  await guest.console.ready();
  return guest;
}

/** A volume as the volume service makes and grows it. */
export interface TestVolume {
  readonly disk: GuestDisk;
  readonly grow: (size: Bytes) => Promise<void>;
  readonly remove: () => Promise<void>;
}

export interface VolumeKind {
  readonly source: 'file' | 'block';
  readonly format: 'raw' | 'qcow2';
  readonly bus: 'virtio' | 'scsi';
  readonly shareable?: boolean;
}

export async function makeVolume(path: string, volume: VolumeId, size: Bytes, kind: VolumeKind): Promise<TestVolume> {
  const { source, format, bus, shareable = false } = kind;
  await writeFile(path, '');
  // A block device under qcow2 must have room for what the image will be.
  await truncate(path, format === 'raw' ? size : size * QCOW2_ROOM);
  const opened = source === 'file' ? path : (await run('losetup', ['--find', '--show', path])).stdout.trim();
  if (format === 'qcow2') await run('qemu-img', ['create', '-q', '-f', 'qcow2', opened, String(size)]);
  const device = bus === 'scsi' ? 'sda' : 'vdb';
  const disk = { volume, source: { kind: source, path: opened }, format, device, bus, shareable, readOnly: false };
  return {
    disk,
    async grow(to) {
      if (format === 'qcow2') return; // the hypervisor does
      await truncate(path, to);
      if (source === 'block') await run('losetup', ['-c', opened]);
    },
    async remove() {
      if (source === 'block') await run('losetup', ['-d', opened]);
    },
  };
}

const QCOW2_ROOM = 4;

/** What the image itself says, with no guest that has it open for writing in the way. */
export async function virtualSize(path: string): Promise<Bytes> {
  const { stdout } = await run('qemu-img', ['info', '-U', '-f', 'qcow2', '--output', 'json', path]);
  const { 'virtual-size': size } = JSON.parse(stdout) as { 'virtual-size': number };
  return bytes(size);
}
