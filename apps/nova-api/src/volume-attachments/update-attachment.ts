import { NovellaError, parseVolumeId } from '@novella/core';
import type { BlockDeviceMapping, Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { isTrue } from '../http/rules.js';
import type { ApiCall } from '../http/request-context.js';
import type { NovaApiPorts } from '../ports.js';
import { type AllowedStates, notReady, whyNotNow } from '../servers/instance-state.js';
import type { VolumeFacts } from '../volume-api.js';
import { notAttached } from './decide-detach.js';
import type { UpdateAttachmentDto } from './update-attachment.dto.js';

type Io = Pick<NovaApiPorts, 'store' | 'cinder'>;
type Asked = UpdateAttachmentDto['volumeAttachment'];

/**
 * PUT os-volume_attachments/{volume_id} from 2.85 on, for the volume that is attached: whether it is deleted with its
 * server. Mirrors nova:nova/api/openstack/compute/volume_attachments.py _update_volume_regular.
 */
export async function updateAttachment(io: Io, instance: Instance, volume: string, asked: Asked): Promise<void> {
  const { volumeId } = await attachmentToUpdate(io, instance, volume, asked);
  if (asked.delete_on_termination === undefined) return;
  const deleteOnTermination = isTrue(asked.delete_on_termination);
  const outcome = await io.store.updateAttachment({ serverId: instance.id, volumeId, deleteOnTermination });
  if (outcome === 'not-attached') throw noMapping(volume);
}

/**
 * PUT os-volume_attachments/{volume_id} with another volumeId, which Cinder asks for when it moves an attached volume to
 * another back end: Nova's checks as far as they tell the caller what is wrong, and then the refusal that Nova gives where
 * something cannot be done at all, before anything is written. Cinder then puts the volume back as it was.
 * Mirrors nova:nova/api/openstack/compute/volume_attachments.py _update_volume_swap.
 */
export async function swapVolume(
  io: Io,
  { context }: Pick<ApiCall, 'context'>,
  instance: Instance,
  volume: string,
  asked: Asked,
): Promise<never> {
  const oldId = parseVolumeId(volume);
  if (oldId === null) throw new ApiFault(404, `Volume ${volume} could not be found.`);
  const old = await io.cinder.volume(oldId, context);
  if (old.migrationStatus === null) {
    throw new ApiFault(409, `volume ${volume} is not migrating; this API should only be called by Cinder`);
  }
  await newVolume(io, { context }, asked.volumeId);
  const busy = whyNotNow('swap_volume', instance, SWAPS);
  if (busy !== null) throw busy;
  if (instance.host === null) throw notReady(instance.id);
  if ((await mappingOf(io, instance, volume)) === null) throw notAttached(instance.id, volume);
  throw new ApiFault(
    501,
    'The requested functionality is not supported. A volume that is attached to a server cannot be moved to another one.',
  );
}

const SWAPS: AllowedStates = { vmStates: ['active', 'paused'], taskStates: [null] };

/** A volume that only the body names is bad input when it is not there. */
async function newVolume(io: Io, { context }: Pick<ApiCall, 'context'>, volume: string): Promise<VolumeFacts> {
  const refusal = (cause?: unknown) => new ApiFault(400, `Volume ${volume} could not be found.`, { cause });
  const id = parseVolumeId(volume.toLowerCase());
  if (id === null) throw refusal();
  try {
    return await io.cinder.volume(id, context);
  } catch (error) {
    if (error instanceof NovellaError && error.code === 'volume-not-found') throw refusal(error);
    throw error;
  }
}

/** The attachment, when all that is said of it and cannot be changed is so. */
export async function attachmentToUpdate(
  io: Io,
  instance: Instance,
  volume: string,
  { id, serverId, device, tag }: Asked,
): Promise<BlockDeviceMapping> {
  const mapping = await mappingOf(io, instance, volume);
  if (mapping === null) throw noMapping(volume);
  if (id !== undefined && id !== volume) throw immutable('id');
  if (serverId !== undefined && serverId !== instance.id) throw immutable('serverId');
  if (device !== undefined && device !== mapping.device) throw immutable('device');
  if (tag !== undefined && tag !== mapping.tag) throw immutable('tag');
  return mapping;
}

async function mappingOf({ store }: Io, { id }: Instance, volume: string): Promise<BlockDeviceMapping | null> {
  const held = (await store.blockDeviceMappings([id])).get(id) ?? [];
  return held.find(({ volumeId }) => volumeId === volume) ?? null;
}

const immutable = (property: string): ApiFault => new ApiFault(400, `The ${property} property is not mutable`);

const noMapping = (volume: string): ApiFault => new ApiFault(404, `No volume Block Device Mapping with id ${volume}.`);
