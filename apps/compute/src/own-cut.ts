import type { HostDevice } from '@novella/brick';
import type { Bytes } from '@novella/core';
import type { HostIo } from './host-io.js';
import { reach, type Reachable, volumeSize } from './volume-devices.js';

/**
 * QEMU's block_resize of a raw file or of an image in a Ceph cluster sets its length. When the volume service grows it
 * between our measuring and QEMU's doing, QEMU cuts it back: the guest has never seen the area, so nothing is lost but the
 * length, and no later extend would find it. So each length that a resize may set is noted first, durably; and what is
 * found too small, with exactly a length that we have noted, was cut by us and is grown again.
 */
type CutIo = Pick<HostIo, 'connectors' | 'hostKey' | 'journal' | 'log'>;

/** How often a length that changes while it is noted is measured again. */
const MOST_MEASUREMENTS = 5;

/** The device's bytes, measured right before a resize to them; where it sets them, noted before they are answered. */
export async function noteNextLength(io: CutIo, volume: Reachable, device: HostDevice): Promise<Bytes> {
  let measured = await volumeSize(io, volume);
  if (device.kind === 'block') return measured;
  for (let times = 1; times <= MOST_MEASUREMENTS; times += 1) {
    await io.journal.noteLength(volume.volume, device.path, measured);
    const again = await volumeSize(io, volume);
    if (again === measured) break;
    // The last measurement stands when the loop ends: it is noted, so a cut to it would be found.
    if (times < MOST_MEASUREMENTS) measured = again;
  }
  return measured;
}

/** Gives the volume `wanted` bytes when a resize of ours has cut it; in any other case changes nothing. */
export async function undoOwnCut(io: CutIo, volume: Reachable, device: HostDevice, wanted: Bytes): Promise<void> {
  const own = io.journal.ownLengths(volume.volume);
  if (device.kind === 'block' || own?.path !== device.path) return;
  const { connector, reachable } = reach(io, volume);
  const measured = await connector.size(reachable);
  if (measured >= wanted || !own.lengths.includes(measured)) return;
  // Growing sets a length too, and could in turn cut what the volume service does at this moment.
  await io.journal.noteLength(volume.volume, device.path, wanted);
  const length = await connector.restore(reachable, wanted);
  const facts = { volume: volume.volume, measured, wanted, length };
  io.log.warn('a resize had cut the volume; it has its size again', facts);
}
