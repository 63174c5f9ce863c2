import { badRequest } from '../faults.js';
import { type VolumeStatus } from '../state/records.js';
import { leaveExtendMessage } from './messages.js';
import { type Caller, type Parts } from './parts.js';

/** cinder:api/microversions.py VOLUME_EXTEND_INUSE: 3.42 */
const EXTEND_IN_USE_MINOR = 42;

/**
 * Accepts an extend: `available` or, from 3.42, `in-use` becomes `extending`; the rest is done after the answer.
 * Errors: 404; 400 for another state or a size that is not larger. Mirrors cinder:volume/api.py _extend.
 */
export async function extendVolume(parts: Parts, caller: Caller, volumeId: string, to: number): Promise<void> {
  const { state } = parts;
  await state.exclusive(volumeId, async () => {
    const volume = state.volume(volumeId);
    const wanted: VolumeStatus =
      volume.status === 'in-use' && caller.minor >= EXTEND_IN_USE_MINOR ? 'in-use' : 'available';
    if (to <= volume.size) {
      throw badRequest(
        `Invalid input received: New size for extend must be greater than current size. (current: ${volume.size}, extended: ${to}).`,
      );
    }
    if (volume.status !== wanted) {
      throw badRequest(`Invalid volume: Volume ${volumeId} must be ${wanted} to extend, it is ${volume.status}.`);
    }
    const { projectId, requestId, globalRequestId } = caller;
    await state.updateVolume(volumeId, {
      status: 'extending',
      extend: { to, origin: { projectId, requestId, globalRequestId } },
    });
  });
  parts.work.start('extend-volume', () => finishExtend(parts, volumeId));
}

/** File, then size and status in one write, and only then Nova. Mirrors cinder:volume/manager.py extend_volume. */
export async function finishExtend({ state, files, nova, log }: Parts, volumeId: string): Promise<void> {
  const grown = await state.exclusive(volumeId, async () => {
    const { extend } = state.volume(volumeId);
    if (extend === null) return null;
    try {
      await files.grow(volumeId, extend.to);
    } catch (error) {
      log.error('could not grow the file of a volume', { volumeId, toGib: extend.to, error });
      await state.updateVolume(volumeId, { status: 'error_extending', extend: null });
      await leaveExtendMessage(state, volumeId, '010', extend.origin);
      return null;
    }
    const attachments = state.attachmentsOf(volumeId);
    const status = attachments.length > 0 ? 'in-use' : 'available';
    await state.updateVolume(volumeId, { size: extend.to, status, extend: null });
    return { origin: extend.origin, servers: attachments.flatMap(({ serverId }) => serverId ?? []) };
  });

  if (grown === null || grown.servers.length === 0) return;
  const told = await nova.volumeExtended(grown.servers, volumeId, grown.origin);
  if (!told) await leaveExtendMessage(state, volumeId, '009', grown.origin);
}
