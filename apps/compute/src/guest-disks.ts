import type { HostDevice } from '@novella/brick';
import type { MeasuredDisk, VolumeDisk } from '@novella/contracts';
import { NovellaError } from '@novella/core';
import type { Guest, GuestDisk } from '@novella/virt';
import type { HostIo } from './host-io.js';

/** A connected volume as the hypervisor shall present it. */
export const guestDisk = (disk: VolumeDisk, source: HostDevice): GuestDisk => ({
  volume: disk.volume,
  source,
  format: 'raw',
  device: disk.device,
  bus: disk.bus,
  shareable: disk.shareable,
  readOnly: disk.connection.accessMode === 'ro',
});

/** Reads one volume's sizes back. Error: guest-disk-missing when the guest has no disk of it. */
export async function measureDisk(
  io: Pick<HostIo, 'connectors'>,
  { volume, connection }: VolumeDisk,
  guest: Guest,
): Promise<MeasuredDisk> {
  const found = guest.disks.find((one) => one.volume === volume);
  if (found === undefined) {
    throw new NovellaError('guest-disk-missing', 'the guest has no disk of the volume', { volume });
  }
  return { volume, hostBytes: await io.connectors[connection.protocol].size(connection), guestBytes: found.guestBytes };
}
