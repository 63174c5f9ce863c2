import { stat, truncate } from 'node:fs/promises';
import { type Bytes, bytes } from '@novella/core';
import type { FakeDriver, VirtDriver } from '@novella/virt';
import { isLuks, LUKS_HEADER } from './luks-header.js';
import { isQcow2, readQcow2Size, setQcow2Size } from './qcow2-header.js';
import type { RbdImagesInMemory } from './rbd-images.js';

/** What a guest sees of a file: its length, or the size in its qcow2 header. */
export const fileSize = async (path: string): Promise<Bytes> =>
  (await isQcow2(path)) ? readQcow2Size(path) : bytes((await stat(path)).size);

/**
 * A hypervisor that treats files as QEMU does: a resize sets the length of a raw one, and the size in a qcow2 header; as it
 * does that of an image in a Ceph cluster, also to less.
 */
export function likeQemu(fake: FakeDriver, images: RbdImagesInMemory, beforeCut: () => Promise<void>): VirtDriver {
  const resizeDisk: NonNullable<VirtDriver['liveResize']>['resizeDisk'] = async (server, volume, size) => {
    const guest = await fake.guest(server);
    const disk = guest?.disks.find((one) => one.volume === volume);
    await beforeCut();
    if (disk !== undefined && size > (disk.guestBytes ?? 0)) {
      if (images.sizes.has(disk.path)) images.sizes.set(disk.path, size);
      else if (await isQcow2(disk.path)) await setQcow2Size(disk.path, size);
      else await truncate(disk.path, size + ((await isLuks(disk.path)) ? LUKS_HEADER : 0));
    }
    return fake.liveResize.resizeDisk(server, volume, size);
  };
  return { ...withoutResize(fake), liveResize: { resizeDisk } };
}

/** A hypervisor that cannot grow a disk of a running guest. */
export const withoutResize = (fake: FakeDriver): VirtDriver => ({
  name: fake.name,
  hypervisor: () => fake.hypervisor(),
  guests: () => fake.guests(),
  guest: (server) => fake.guest(server),
  createGuest: (spec, keys) => fake.createGuest(spec, keys),
  destroyGuest: (server) => fake.destroyGuest(server),
  startGuest: (server, keys) => fake.startGuest(server, keys),
  stopGuest: (server, grace, signal) => fake.stopGuest(server, grace, signal),
  pauseGuest: (server) => fake.pauseGuest(server),
  unpauseGuest: (server) => fake.unpauseGuest(server),
  suspendGuest: (server, signal) => fake.suspendGuest(server, signal),
  resumeGuest: (server, signal, keys) => fake.resumeGuest(server, signal, keys),
  attachDisk: (server, disk, keys) => fake.attachDisk(server, disk, keys),
  detachDisk: (server, volume) => fake.detachDisk(server, volume),
  onPowerState: (listener) => fake.onPowerState(listener),
  close: () => fake.close(),
});
