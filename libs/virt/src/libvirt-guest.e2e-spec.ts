import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { bytes, type ServerId, type VolumeId } from '@novella/core';
import {
  GuestConsole,
  guestImages,
  type PrivateLibvirtd,
  startPrivateLibvirtd,
  temporaryDirectory,
  type TemporaryDirectory,
} from '@novella/testing';
import type { GuestDisk } from './driver.js';
import { LibvirtDriver } from './libvirt-driver.js';

jest.setTimeout(700_000);
const MIB = 2 ** 20;
const SERVER = '5e50e500-0000-4000-8000-0000000000aa' as ServerId;
const VOLUMES = {
  virtio: 'a1b2c3d4-0000-4000-8000-000000000001' as VolumeId,
  scsi: 'a1b2c3d5-0000-4000-8000-000000000002' as VolumeId,
};

describe('LibvirtDriver with a Linux guest', () => {
  let libvirtd: PrivateLibvirtd;
  let driver: LibvirtDriver;
  let directory: TemporaryDirectory;
  let guest: GuestConsole;

  beforeAll(async () => {
    const { kernelPath, initrdPath } = await guestImages();
    directory = await temporaryDirectory();
    libvirtd = await startPrivateLibvirtd();
    driver = await LibvirtDriver.open({ socketPath: libvirtd.socketPath, domainType: 'qemu' });
    const consolePath = join(directory.path, 'console');
    guest = new GuestConsole(consolePath);
    await driver.createGuest({
      server: SERVER,
      domainName: 'instance-000000aa',
      displayName: 'linux',
      projectId: 'p',
      vcpus: 1,
      memoryMib: 192,
      kernel: { kernelPath, initrdPath, commandLine: 'console=ttyS0 quiet panic=-1' },
      rootDisk: null,
      bootVolume: null,
      disks: [],
      consolePath,
    });
    await guest.ready();
  });
  afterAll(async () => {
    await driver.close();
    await libvirtd.stop();
    await directory.remove();
  });

  const path = (bus: string): string => join(directory.path, bus);

  async function newDisk(bus: 'virtio' | 'scsi'): Promise<GuestDisk> {
    await writeFile(path(bus), '');
    await truncate(path(bus), 8 * MIB);
    return {
      volume: VOLUMES[bus],
      source: { kind: 'file', path: path(bus) },
      format: 'raw',
      device: bus === 'virtio' ? 'vdb' : 'sda',
      bus,
      shareable: false,
      readOnly: false,
    };
  }

  it.each(['virtio', 'scsi'] as const)('the guest sees a disk on %s come, grow and go', async (bus) => {
    const disk = await newDisk(bus);
    await driver.attachDisk(SERVER, disk);
    await guest.waitForSize(disk.volume, bytes(8 * MIB));
    await truncate(path(bus), 16 * MIB);
    expect(await driver.liveResize.resizeDisk(SERVER, disk.volume, bytes(16 * MIB))).toBe(16 * MIB);
    await guest.waitForSize(disk.volume, bytes(16 * MIB));
    await driver.detachDisk(SERVER, disk.volume);
    await guest.waitForNoDisk(disk.volume);
    expect((await driver.guest(SERVER))?.disks).toEqual([]);
  });
});
