import {
  connectorFor,
  type HostDevice,
  type ReachableVolume,
  type VolumeConnector,
  type VolumeSecret,
} from '@novella/brick';
import type { VolumeDisk } from '@novella/contracts';
import { type Bytes, NovellaError, type ServerId } from '@novella/core';
import type { VolumeKey } from '@novella/virt';
import type { HostIo } from './host-io.js';

type Reach = Pick<HostIo, 'connectors' | 'hostKey'>;
/** What of a disk or command says how its volume is reached. */
export type Reachable = Pick<VolumeDisk, 'volume' | 'attachment' | 'connection' | 'sealedSecret'>;

/** The volume with its secret, read now and kept nowhere, and the connector for it. Error: secret-unreadable. */
export function reach(io: Reach, volume: Reachable): { connector: VolumeConnector; reachable: ReachableVolume } {
  const { connection } = volume;
  return {
    connector: connectorFor(io.connectors, connection),
    reachable: { connection, secret: secretOf(io, volume) },
  };
}

/** Makes the volume a device of this host. Errors: secret-unreadable; those of the connector. */
export async function connectVolume(
  io: Reach,
  volume: Reachable,
): Promise<{ readonly device: HostDevice; readonly keys: readonly VolumeKey[] }> {
  const { connector, reachable } = reach(io, volume);
  const { device, keys } = await connector.connect(reachable);
  return { device, keys: keys.map((key) => ({ volume: volume.volume, ...key })) };
}

/** Bytes that a guest would see of it now. Errors: secret-unreadable; those of the connector. */
export async function volumeSize(io: Reach, volume: Reachable): Promise<Bytes> {
  const { connector, reachable } = reach(io, volume);
  return connector.size(reachable);
}

/** Bytes of its device that no guest sees. Errors: secret-unreadable; those of the connector. */
export async function volumeOverhead(io: Reach, volume: Reachable): Promise<Bytes> {
  const { connector, reachable } = reach(io, volume);
  return connector.overhead(reachable);
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
  await connectorFor(io.connectors, connection).disconnect(connection);
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
