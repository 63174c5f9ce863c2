import { badRequest } from '../faults.js';
import { formatOf, type VolumeRecord, type VolumeStatus } from '../state/records.js';
import { type State } from '../state/state.js';
import { leaveExtendMessage } from './messages.js';
import { type Caller, type Parts } from './parts.js';

type Extend = NonNullable<VolumeRecord['extend']>;

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
      extend: { to, origin: { projectId, requestId, globalRequestId }, awaited: false },
    });
  });
  parts.work.start('extend-volume', () => finishExtend(parts, volumeId));
}

/**
 * File, then size and status in one write, and only then Nova. A file that a host has open as qcow2 is the host's to
 * grow: Nova is told first, and size and status wait for completeExtend.
 * Mirrors cinder:volume/manager.py extend_volume.
 */
export async function finishExtend(parts: Parts, volumeId: string): Promise<void> {
  const { state, nova } = parts;
  const begun = await state.exclusive(volumeId, async () => {
    const { extend } = state.volume(volumeId);
    if (extend === null) return null;
    const attachments = state.attachmentsOf(volumeId);
    const servers = attachments.flatMap(({ serverId }) => serverId ?? []);
    const awaited = attachments.some(({ format, devicePath }) => format === 'qcow2' && devicePath !== null);
    if (awaited) await state.updateVolume(volumeId, { extend: { ...extend, awaited } });
    else if (!(await growFile(parts, volumeId, extend))) return null;
    return { origin: extend.origin, servers, awaited };
  });

  if (begun === null || begun.servers.length === 0) return;
  const told = await nova.volumeExtended(begun.servers, volumeId, begun.origin);
  if (begun.awaited && told !== 'accepted') await failAwaited(parts, volumeId, '009');
  else if (told === 'untold') await leaveExtendMessage(state, volumeId, '009', begun.origin);
}

/** Whether it has the size now; if not, the volume is `error_extending` and its user was told. */
async function growFile({ state, files, log }: Parts, id: string, { to, origin }: Extend): Promise<boolean> {
  const volume = state.volume(id);
  try {
    await files.grow({ id, format: formatOf(volume) }, to);
  } catch (error) {
    log.error('could not grow the file of a volume', { volumeId: id, toGib: to, error });
    await state.updateVolume(id, { status: 'error_extending', extend: null });
    await leaveExtendMessage(state, id, '010', origin);
    return false;
  }
  await end(state, id, to);
  return true;
}

/**
 * The host has grown the file, or could not. Errors: 404; 400 when no extend waits for that.
 * Mirrors cinder:volume/api.py extend_volume_completion.
 */
export async function completeExtend(parts: Parts, volumeId: string, failed: boolean): Promise<void> {
  const { state } = parts;
  const { status, extend } = state.volume(volumeId);
  if (status !== 'extending' || extend?.awaited !== true) {
    throw badRequest(`Invalid volume: Volume ${volumeId} does not wait for the completion of an extend.`);
  }
  if (failed) return failAwaited(parts, volumeId, '010');
  await state.exclusive(volumeId, async () => {
    const now = state.volume(volumeId).extend;
    if (now?.awaited === true) await end(state, volumeId, now.to);
  });
}

async function failAwaited({ state }: Parts, volumeId: string, detail: '009' | '010'): Promise<void> {
  await state.exclusive(volumeId, async () => {
    const { extend } = state.volume(volumeId);
    if (extend?.awaited !== true) return;
    await state.updateVolume(volumeId, { status: 'error_extending', extend: null });
    await leaveExtendMessage(state, volumeId, detail, extend.origin);
  });
}

async function end(state: State, volumeId: string, size: number): Promise<void> {
  const status = state.attachmentsOf(volumeId).length > 0 ? 'in-use' : 'available';
  await state.updateVolume(volumeId, { size, status, extend: null });
}
