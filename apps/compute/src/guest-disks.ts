import type { HostDevice } from '@novella/brick';
import type { MeasuredDisk, VolumeDisk } from '@novella/contracts';
import { NovellaError, type ServerId } from '@novella/core';
import type { Guest, GuestDisk } from '@novella/virt';
import type { HostIo } from './host-io.js';
import { volumeOverhead, volumeSize } from './volume-devices.js';

/** Error: domain-not-found when the server has no guest on this host. */
export async function presentGuest({ virt }: Pick<HostIo, 'virt'>, server: ServerId): Promise<Guest> {
  const guest = await virt.guest(server);
  if (guest !== null) return guest;
  throw new NovellaError('domain-not-found', 'the server has no guest on this host', { server });
}

/**
 * A connected volume as the hypervisor shall present it. Error connector-unsupported for a qcow2 file that several guests
 * may have: each would write its own idea of the file's tables.
 */
export function guestDisk(disk: VolumeDisk, source: HostDevice): GuestDisk {
  const { volume, connection, device, bus, shareable } = disk;
  if (shareable && connection.format === 'qcow2') {
    throw new NovellaError('connector-unsupported', 'a qcow2 volume cannot be shared by servers', { volume });
  }
  return {
    volume,
    source,
    format: connection.encrypted ? 'luks' : connection.format,
    device,
    bus,
    shareable,
    readOnly: connection.accessMode === 'ro',
  };
}

/** Reads one volume's sizes back. Error: guest-disk-missing when the guest has no disk of it. */
export async function measureDisk(
  io: Pick<HostIo, 'connectors' | 'hostKey'>,
  disk: VolumeDisk,
  guest: Guest,
): Promise<MeasuredDisk> {
  const { volume } = disk;
  const found = guest.disks.find((one) => one.volume === volume);
  if (found === undefined) {
    throw new NovellaError('guest-disk-missing', 'the guest has no disk of the volume', { volume });
  }
  const measured = { volume, hostBytes: await volumeSize(io, disk), guestBytes: found.guestBytes };
  return disk.connection.encrypted ? { ...measured, overheadBytes: await volumeOverhead(io, disk) } : measured;
}
