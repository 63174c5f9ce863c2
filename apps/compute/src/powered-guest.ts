import type { MeasuredDisk, Outcome, VolumeDisk } from '@novella/contracts';
import type { Guest, VolumeKey } from '@novella/virt';
import { measureDisk } from './guest-disks.js';
import type { HostIo, Step } from './host-io.js';
import { connectVolume } from './volume-devices.js';

/**
 * Makes devices of all volumes that the guest has as disks, and answers what the hypervisor needs to open them. The record
 * may know one more, or one less: that whose attach or detach has ended here but is not reported yet.
 */
export async function connectDisks(
  io: HostIo,
  guest: Guest,
  volumes: readonly VolumeDisk[],
  step: Step,
): Promise<VolumeKey[]> {
  const keys: VolumeKey[] = [];
  for (const disk of disksOf(guest, volumes)) keys.push(...(await step(() => connectVolume(io, disk))).keys);
  return keys;
}

/** What a start, stop or reboot has led to: the guest as it was read, and the sizes of its disks. */
export async function powered(io: HostIo, guest: Guest, volumes: readonly VolumeDisk[]): Promise<Outcome> {
  const disks: MeasuredDisk[] = [];
  for (const disk of disksOf(guest, volumes)) disks.push(await measureDisk(io, disk, guest));
  return { status: 'powered', powerState: guest.powerState, disks };
}

const disksOf = (guest: Guest, volumes: readonly VolumeDisk[]): VolumeDisk[] =>
  volumes.filter(({ volume }) => guest.disks.some((disk) => disk.volume === volume));
