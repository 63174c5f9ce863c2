import type { HostDevice } from '@novella/brick';
import type { Bytes, ConnectionInfo, VolumeId } from '@novella/core';
import type { HostIo } from './host-io.js';
import { growFile } from './instance-files.js';

/**
 * QEMU's block_resize of a raw file sets the file's length. When the volume service grows the file between our measuring
 * and QEMU's doing, QEMU cuts the file back: the guest has never seen the area, so nothing is lost but the length, and
 * no later extend would find it. So each length that a resize may set is noted first, durably; and a file that is found
 * too small, with exactly a length that we have noted, was cut by us and is grown again.
 */
type CutIo = Pick<HostIo, 'connectors' | 'journal' | 'log'>;

interface Volume {
  readonly volume: VolumeId;
  readonly connection: ConnectionInfo;
}

/** How often a length that changes while it is noted is measured again. */
const MOST_MEASUREMENTS = 5;

/** The device's bytes, measured right before a resize to them; for a file noted before they are answered. */
export async function noteNextLength(io: CutIo, { volume, connection }: Volume, device: HostDevice): Promise<Bytes> {
  const connector = io.connectors[connection.protocol];
  let measured = await connector.size(connection);
  if (device.kind === 'block') return measured;
  for (let times = 1; times <= MOST_MEASUREMENTS; times += 1) {
    await io.journal.noteLength(volume, device.path, measured);
    const again = await connector.size(connection);
    if (again === measured) break;
    // The last measurement stands when the loop ends: it is noted, so a cut to it would be found.
    if (times < MOST_MEASUREMENTS) measured = again;
  }
  return measured;
}

/** Grows the volume's file to `wanted` when a resize of ours has cut it; in any other case changes nothing. */
export async function undoOwnCut(
  io: CutIo,
  { volume, connection }: Volume,
  device: HostDevice,
  wanted: Bytes,
): Promise<void> {
  const own = io.journal.ownLengths(volume);
  if (device.kind !== 'file' || own?.path !== device.path) return;
  const measured = await io.connectors[connection.protocol].size(connection);
  if (measured >= wanted || !own.lengths.includes(measured)) return;
  // Growing sets a length too, and could in turn cut what the volume service does at this moment.
  await io.journal.noteLength(volume, device.path, wanted);
  const length = await growFile(device.path, wanted);
  io.log.warn('a resize had cut the volume; it has its size again', { volume, measured, wanted, length });
}
