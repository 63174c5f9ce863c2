import { randomUUID } from 'node:crypto';
import { badRequest } from '../faults.js';
import { type VolumeRecord, type VolumeType } from '../state/records.js';
import { type Caller, type Parts } from './parts.js';

export interface WantedVolume {
  readonly size: number;
  readonly name: string | null;
  readonly description: string | null;
  readonly type: VolumeType;
  readonly metadata: Readonly<Record<string, string>>;
  readonly availabilityZone: string | null;
}

/** Records the volume as `creating`; the file is made after the answer: then `available`, or `error`. */
export async function createVolume(parts: Parts, caller: Caller, wanted: WantedVolume): Promise<VolumeRecord> {
  const volume = await parts.state.volumes.put({
    id: randomUUID(),
    projectId: caller.projectId,
    userId: caller.userId,
    name: wanted.name,
    description: wanted.description,
    type: wanted.type,
    size: wanted.size,
    status: 'creating',
    extend: null,
    metadata: { ...wanted.metadata },
    bootable: false,
    availabilityZone: wanted.availabilityZone ?? 'nova',
    createdAt: new Date().toISOString(),
    updatedAt: null,
  });
  parts.work.start('create-volume', () => finishCreate(parts, volume.id));
  return volume;
}

export async function finishCreate({ state, files, log }: Parts, volumeId: string): Promise<void> {
  await state.exclusive(volumeId, async () => {
    try {
      await files.create(volumeId, state.volume(volumeId).size);
      await state.updateVolume(volumeId, { status: 'available' });
    } catch (error) {
      log.error('could not make the file of a volume', { volumeId, error });
      await state.updateVolume(volumeId, { status: 'error' });
    }
  });
}

export async function setBootable({ state }: Parts, volumeId: string, bootable: boolean): Promise<void> {
  await state.exclusive(volumeId, async () => {
    state.volume(volumeId);
    await state.updateVolume(volumeId, { bootable });
  });
}

const DELETABLE: readonly string[] = ['available', 'error', 'error_extending', 'error_deleting'];

/** Records the volume as `deleting`; it is gone some time after the answer. Errors: 404; 400 in any other state. */
export async function deleteVolume(parts: Parts, volumeId: string): Promise<void> {
  const { state } = parts;
  await state.exclusive(volumeId, async () => {
    const volume = state.volume(volumeId);
    const attached = state.attachmentsOf(volumeId).some((each) => each.status === 'attached');
    if (attached || !DELETABLE.includes(volume.status)) {
      throw badRequest(
        `Invalid volume: Volume status must be ${DELETABLE.join(' or ')} and must not be attached; it is ${volume.status}.`,
      );
    }
    await state.updateVolume(volumeId, { status: 'deleting' });
  });
  parts.work.start('delete-volume', () => finishDelete(parts, volumeId));
}

export async function finishDelete({ state, files, log }: Parts, volumeId: string): Promise<void> {
  await state.exclusive(volumeId, async () => {
    try {
      await files.remove(volumeId);
      for (const attachment of state.attachmentsOf(volumeId)) await state.attachments.remove(attachment.id);
      await state.volumes.remove(volumeId);
    } catch (error) {
      log.error('could not remove the file of a volume', { volumeId, error });
      await state.updateVolume(volumeId, { status: 'error_deleting' });
    }
  });
}
