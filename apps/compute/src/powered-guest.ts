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

/** What a start, reboot or resume has led to: the guest as it was read, and the sizes of its disks. */
export async function powered(io: HostIo, guest: Guest, volumes: readonly VolumeDisk[]): Promise<Outcome> {
  const disks: MeasuredDisk[] = [];
  for (const disk of disksOf(guest, volumes)) disks.push(await measureDisk(io, disk, guest));
  return { status: 'powered', powerState: guest.powerState, disks };
}

/** The guest is as it is whatever can be measured of its volumes: what cannot is left for the next start to find. */
export async function poweredAsMeasured(io: HostIo, guest: Guest, volumes: readonly VolumeDisk[]): Promise<Outcome> {
  const disks: MeasuredDisk[] = [];
  for (const disk of volumes) disks.push(...(await measuredIfThere(io, disk, guest)));
  return { status: 'powered', powerState: guest.powerState, disks };
}

async function measuredIfThere(io: HostIo, disk: VolumeDisk, guest: Guest): Promise<MeasuredDisk[]> {
  try {
    return [await measureDisk(io, disk, guest)];
  } catch (error) {
    io.log.warn('a volume of a guest cannot be measured', { volume: disk.volume, cause: error });
    return [];
  }
}

const disksOf = (guest: Guest, volumes: readonly VolumeDisk[]): VolumeDisk[] =>
  volumes.filter(({ volume }) => guest.disks.some((disk) => disk.volume === volume));
