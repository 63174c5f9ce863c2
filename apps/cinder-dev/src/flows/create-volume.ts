import { randomUUID } from 'node:crypto';
import { gib, gibToBytes } from '@novella/core';
import { badRequest } from '../faults.js';
import { formatOf, type VolumeRecord, type VolumeType } from '../state/records.js';
import { type ImageFile } from '../backend/image-files.js';
import { type Caller, type Parts } from './parts.js';

export interface WantedVolume {
  readonly size: number;
  readonly name: string | null;
  readonly description: string | null;
  readonly type: VolumeType;
  readonly metadata: Readonly<Record<string, string>>;
  readonly availabilityZone: string | null;
  readonly imageId: string | null;
}

/**
 * Records the volume as `creating`; the file is made after the answer: then `available`, or `error`. One that is made of
 * an image is bootable. Error: 400 for an image that is not there or does not fit.
 */
export async function createVolume(parts: Parts, caller: Caller, wanted: WantedVolume): Promise<VolumeRecord> {
  const image = wanted.imageId === null ? null : await imageFor(parts, wanted.imageId, wanted.size);
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
    bootable: image !== null,
    imageMetadata: image === null ? null : { ...image.metadata },
    availabilityZone: wanted.availabilityZone ?? 'nova',
    createdAt: new Date().toISOString(),
    updatedAt: null,
  });
  parts.work.start('create-volume', () => finishCreate(parts, volume.id));
  return volume;
}

async function imageFor({ images }: Parts, imageId: string, sizeGib: number): Promise<ImageFile> {
  const image = await images.find(imageId);
  if (image === null) throw badRequest('Invalid image identifier or unable to access requested image.');
  if (image.minDiskGib > sizeGib || image.size > gibToBytes(gib(sizeGib))) {
    throw badRequest(`Invalid input received: Volume size ${sizeGib}GB cannot be smaller than the image.`);
  }
  return image;
}

export async function finishCreate({ state, files, images, log }: Parts, volumeId: string): Promise<void> {
  await state.exclusive(volumeId, async () => {
    try {
      const volume = state.volume(volumeId);
      const imageId = volume.imageMetadata?.['image_id'];
      const image = imageId === undefined ? null : await images.find(imageId);
      if (imageId !== undefined && image === null) throw new Error(`the image ${imageId} is gone`);
      await files.create({ id: volumeId, format: formatOf(volume) }, volume.size, image);
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
