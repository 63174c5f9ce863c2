import { randomUUID } from 'node:crypto';
import { badRequest } from '../faults.js';
import { type AttachmentRecord, formatOf, type VolumeRecord, type VolumeStatus } from '../state/records.js';
import { finishExtend } from './extend-volume.js';
import { type Caller, type Parts } from './parts.js';

/**
 * The life of an attachment. Mirrors cinder:volume/api.py attachment_*, db volume_attached and volume_detached.
 *
 *   create    volume available (multiattach: in-use too) -> `reserved`
 *   update    with the host's connector: volume and attachment -> `attaching`, connection_info made
 *   complete  attachment -> `attached`, volume -> `in-use`
 *   delete    volume -> what the attachments left say, `available` without any
 *
 * begin_detaching, before a guest lets the volume go: in-use -> `detaching`; roll_detaching: back.
 */
export interface WantedAttachment {
  readonly volumeId: string;
  readonly serverId: string | null;
  readonly mode: 'rw' | 'ro' | null;
  readonly connector: Readonly<Record<string, unknown>> | null;
}

/** Errors: 404; 400 when the volume is not free for the server. */
export async function createAttachment(
  parts: Parts,
  caller: Caller,
  wanted: WantedAttachment,
): Promise<AttachmentRecord> {
  const { state } = parts;
  return state.exclusive(wanted.volumeId, async () => {
    const volume = state.volume(wanted.volumeId);
    const free = isFree(volume);
    if (!free && !isAgainForTheServer(parts, volume, wanted.serverId)) {
      throw badRequest(`Invalid volume: Volume ${volume.id} cannot be reserved while it is ${volume.status}.`);
    }
    const reserved = await state.attachments.put({
      id: randomUUID(),
      volumeId: volume.id,
      projectId: caller.projectId,
      serverId: wanted.serverId,
      status: 'reserved',
      mode: wanted.mode,
      connector: null,
      devicePath: null,
      format: formatOf(volume),
      attachedAt: null,
      createdAt: new Date().toISOString(),
    });
    if (free) await state.updateVolume(volume.id, { status: 'reserved' });
    return wanted.connector === null ? reserved : connect(parts, reserved, wanted.connector);
  });
}

const isFree = ({ status, type }: VolumeRecord) =>
  status === 'available' || (type === 'multiattach' && status === 'in-use');

/** A second attachment to the same server is how a server moves to another host. */
function isAgainForTheServer({ state }: Parts, { id, status }: VolumeRecord, serverId: string | null): boolean {
  if (serverId === null || (status !== 'in-use' && status !== 'reserved')) return false;
  return state.attachmentsOf(id).some((each) => each.serverId === serverId);
}

/** Errors: 404; 400 when the volume is in an error state. */
export async function updateAttachment(
  parts: Parts,
  attachmentId: string,
  connector: Readonly<Record<string, unknown>>,
): Promise<AttachmentRecord> {
  const { volumeId } = parts.state.attachment(attachmentId);
  return parts.state.exclusive(volumeId, () => connect(parts, parts.state.attachment(attachmentId), connector));
}

async function connect(
  { state, files }: Parts,
  attachment: AttachmentRecord,
  connector: Readonly<Record<string, unknown>>,
): Promise<AttachmentRecord> {
  const { id, status } = state.volume(attachment.volumeId);
  const { format } = attachment;
  if (status.startsWith('error')) throw badRequest(`Invalid volume: Volume ${id} is in state ${status}.`);
  const devicePath = await files.connect({ id, format });
  const mode = attachment.mode ?? (connector['mode'] === 'ro' ? 'ro' : 'rw');
  const attaching = await state.attachments.put({
    ...attachment,
    status: 'attaching',
    mode,
    connector: { ...connector },
    devicePath,
    attachedAt: new Date().toISOString(),
  });
  await state.updateVolume(id, { status: 'attaching' });
  return attaching;
}

/** Error: 404. */
export async function completeAttachment({ state }: Parts, attachmentId: string): Promise<void> {
  const { volumeId } = state.attachment(attachmentId);
  await state.exclusive(volumeId, async () => {
    await state.attachments.put({ ...state.attachment(attachmentId), status: 'attached' });
    await state.updateVolume(volumeId, { status: 'in-use' });
  });
}

/** Errors: 404; 400 when the volume is in another state than `in-use`. */
export async function beginDetaching({ state }: Parts, volumeId: string): Promise<void> {
  await state.exclusive(volumeId, async () => {
    if (state.volume(volumeId).status !== 'in-use') {
      throw badRequest(
        "Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.",
      );
    }
    await state.updateVolume(volumeId, { status: 'detaching' });
  });
}

/** Changes nothing unless the volume is `detaching`. Error: 404. */
export async function rollDetaching({ state }: Parts, volumeId: string): Promise<void> {
  await state.exclusive(volumeId, async () => {
    if (state.volume(volumeId).status === 'detaching') await state.updateVolume(volumeId, { status: 'in-use' });
  });
}

/** Answers the attachments that the volume still has. Error: 404. */
export async function deleteAttachment(parts: Parts, attachmentId: string): Promise<AttachmentRecord[]> {
  const { state, files, work } = parts;
  const { volumeId } = state.attachment(attachmentId);
  return state.exclusive(volumeId, async () => {
    state.attachment(attachmentId);
    const left = state.attachmentsOf(volumeId).filter((each) => each.id !== attachmentId);
    if (left.every((each) => each.devicePath === null)) await files.disconnect(volumeId);
    await state.attachments.remove(attachmentId);
    const extending = state.volume(volumeId).extend !== null;
    if (!extending) await state.updateVolume(volumeId, { status: statusWith(left) });
    // Nobody has the file open any more: what the host was to grow is grown here.
    else if (left.length === 0) work.start('extend-volume', () => finishExtend(parts, volumeId));
    return left;
  });
}

function statusWith(attachments: readonly AttachmentRecord[]): VolumeStatus {
  const has = (status: AttachmentRecord['status']) => attachments.some((each) => each.status === status);
  if (has('attached')) return 'in-use';
  if (has('attaching')) return 'attaching';
  return has('reserved') ? 'reserved' : 'available';
}
