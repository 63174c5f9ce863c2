import { NovellaError, type ServerId } from '@novella/core';
import type { GuestDisk, VolumeKey } from './driver.js';

/**
 * Two writers of one qcow2 file each keep its tables in memory, and so destroy it. QEMU would refuse the second by its
 * lock, but only on one host, and only when the second starts.
 */
export function refuseSharedQcow2(server: ServerId, disks: readonly GuestDisk[]): void {
  const shared = disks.find(({ format, shareable }) => format === 'qcow2' && shareable);
  if (!shared) return;
  const facts = { server, volume: shared.volume, format: shared.format, shareable: true };
  throw new NovellaError('hypervisor-refused', 'a qcow2 disk cannot be shared between guests', facts, {
    grade: 'final',
  });
}

/** Which keys open the disk. */
export const keysFor = ({ source, format }: GuestDisk): VolumeKey['purpose'][] => [
  ...(source.kind === 'network' && source.auth !== null ? (['cephx'] as const) : []),
  ...(format === 'luks' ? (['luks'] as const) : []),
];

export function refuseWithoutKey(server: ServerId, disks: readonly GuestDisk[], keys: readonly VolumeKey[]): void {
  const locked = disks.find((disk) =>
    keysFor(disk).some((needed) => !keys.some((key) => key.volume === disk.volume && key.purpose === needed)),
  );
  if (locked) throw keyMissing(server, locked);
}

export function keyMissing(server: ServerId, { volume }: GuestDisk): NovellaError {
  const message = 'the hypervisor has no secret for the volume, and no key came';
  return new NovellaError('volume-key-missing', message, { server, volume });
}
