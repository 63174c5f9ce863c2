import { assertNever, parseVolumeId } from '@novella/core';
import type { Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { type ApiCall, requesterOf } from '../http/request-context.js';
import type { NovaApiPorts } from '../ports.js';
import { noSuchServer } from '../servers/instance-state.js';
import { refuseLocked } from '../servers/lock-server.js';
import { serverBusy } from '../servers/server-busy.js';
import { DISKS_CHANGE } from './decide-attach.js';
import { notAttached, notInUse, rootDevice, whyNotDetach } from './decide-detach.js';

/**
 * DELETE os-volume_attachments: read the volume as the user, decide, open the detach under the server's lock, let the
 * engine detach. That the volume is `detaching` Cinder hears from the engine.
 */
export async function detachVolume(
  io: Pick<NovaApiPorts, 'store' | 'cinder' | 'hint'>,
  { context }: Pick<ApiCall, 'context'>,
  instance: Instance,
  volume: string,
): Promise<void> {
  const volumeId = parseVolumeId(volume);
  if (volumeId === null) throw new ApiFault(404, `Volume ${volume} could not be found.`);
  const facts = await io.cinder.volume(volumeId, context);
  const held = (await io.store.blockDeviceMappings([instance.id])).get(instance.id) ?? [];
  const mapping = held.find((each) => each.volumeId === volumeId) ?? null;
  if (mapping !== null && mapping.bootIndex !== 0) refuseLocked(instance, context);
  const refusal = whyNotDetach({ instance, mapping, volume: facts });
  if (refusal !== null) throw refusal;

  const outcome = await io.store.requestDetach({ serverId: instance.id, volumeId, requester: requesterOf(context) });
  switch (outcome.kind) {
    case 'accepted':
      io.hint();
      return;
    case 'server-not-found':
      throw noSuchServer(instance.id);
    case 'server-busy':
      throw await serverBusy(io.store, instance, 'detach_volume', DISKS_CHANGE);
    case 'not-attached':
      throw notAttached(instance.id, volumeId);
    case 'root-device':
      throw rootDevice();
    case 'attaching':
    case 'already-detaching':
      throw notInUse();
    default:
      return assertNever(outcome);
  }
}
