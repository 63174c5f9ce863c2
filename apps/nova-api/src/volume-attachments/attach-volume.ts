import { assertNever, type BlockDeviceMappingId, parseVolumeId, type Random } from '@novella/core';
import type { BlockDeviceMapping, Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { isTrue } from '../http/rules.js';
import { type ApiCall, requesterOf } from '../http/request-context.js';
import { noSuchServer } from '../servers/instance-state.js';
import { refuseLocked } from '../servers/lock-server.js';
import { serverBusy } from '../servers/server-busy.js';
import type { AttachVolumeDto } from './attach-volume.dto.js';
import { decideAttach, DISKS_CHANGE } from './decide-attach.js';
import { heededDevice } from './device-name.js';
import { reserveAtCinder, type ReserveIo } from './reserve-at-cinder.js';

export interface AttachVolumeIo extends ReserveIo {
  readonly random: Random;
}

/**
 * POST os-volume_attachments: read the volume as the user, decide, reserve mapping and device under the server's lock,
 * reserve at Cinder, let the engine attach. Answers the mapping with the device that list shows afterwards.
 */
export async function attachVolume(
  io: AttachVolumeIo,
  call: ApiCall,
  instance: Instance,
  { volumeAttachment: asked }: AttachVolumeDto,
): Promise<BlockDeviceMapping> {
  refuseLocked(instance, call.context);
  const volumeId = parseVolumeId(asked.volumeId.toLowerCase());
  if (volumeId === null) throw new ApiFault(404, `Volume ${asked.volumeId} could not be found.`);
  const volume = await io.cinder.volume(volumeId, call.context);
  const held = (await io.store.blockDeviceMappings([instance.id])).get(instance.id) ?? [];
  if (held.some((mapping) => mapping.volumeId === volumeId)) throw alreadyAttached(volumeId);
  decideAttach({ instance, volume }, call.microversion);

  const reserved = await io.store.reserveAttachment({
    serverId: instance.id,
    mapping: {
      id: io.random.uuid() as BlockDeviceMappingId,
      volumeId,
      size: volume.size,
      bus: instance.diskBus,
      device: heededDevice(asked.device ?? null, instance.diskBus),
      bootIndex: null,
      tag: asked.tag ?? null,
      deleteOnTermination: isTrue(asked.delete_on_termination),
      multiattach: volume.multiattach,
    },
    requester: requesterOf(call.context),
    confirmWithin: io.config.confirmWithin,
  });
  switch (reserved.kind) {
    case 'server-not-found':
      throw noSuchServer(instance.id);
    case 'server-busy':
      throw await serverBusy(io.store, instance, 'attach_volume', DISKS_CHANGE);
    case 'already-attached':
      throw alreadyAttached(volumeId);
    case 'device-in-use':
      throw new ApiFault(409, `The supplied device path (${asked.device ?? ''}) is in use.`);
    case 'reserved':
      break;
    default:
      return assertNever(reserved);
  }

  const { operation, mapping } = reserved;
  await reserveAtCinder(io, { serverId: instance.id, operation, mappings: [mapping], user: call.context });
  io.hint();
  return mapping;
}

const alreadyAttached = (volumeId: string): ApiFault =>
  new ApiFault(400, `Invalid volume: volume ${volumeId} is already attached to this server`);
