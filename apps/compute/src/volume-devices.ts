import type { HostDevice, VolumeSecret } from '@novella/brick';
import type { VolumeDisk } from '@novella/contracts';
import { NovellaError, type ServerId } from '@novella/core';
import type { HostIo } from './host-io.js';

type Reachable = Pick<VolumeDisk, 'attachment' | 'connection' | 'sealedSecret'>;

/**
 * Makes the volume a device of this host. Its secret is read right before and kept nowhere. Errors: secret-unreadable;
 * those of the connector.
 */
export async function connectVolume(
  io: Pick<HostIo, 'connectors' | 'hostKey'>,
  volume: Reachable,
): Promise<HostDevice> {
  return io.connectors[volume.connection.protocol].connect(volume.connection, secretOf(io, volume));
}

/**
 * Lets go of the volume's device and of what the journal knows of it, unless another guest on this host has it as a disk.
 * Only a shareable volume can be in two guests: for another one no other guest, which may not answer, is asked.
 */
export async function disconnectVolume(
  io: Pick<HostIo, 'connectors' | 'virt' | 'journal'>,
  server: ServerId,
  { volume, connection, shareable }: VolumeDisk,
): Promise<void> {
  const others = shareable ? (await io.virt.guests()).filter((guest) => guest.server !== server) : [];
  if (others.some(({ disks }) => disks.some((disk) => disk.volume === volume))) return;
  await io.connectors[connection.protocol].disconnect(connection);
  await io.journal.forgetLengths(volume);
}

/** Neither cause nor text of what went wrong goes on: they could hold what was to be read. */
function secretOf({ hostKey }: Pick<HostIo, 'hostKey'>, { attachment, sealedSecret }: Reachable): VolumeSecret | null {
  if (sealedSecret === null) return null;
  try {
    return hostKey.unseal(sealedSecret, attachment);
  } catch {
    throw new NovellaError('secret-unreadable', "the volume's secret cannot be read with this host's key", {
      attachment,
    });
  }
}
