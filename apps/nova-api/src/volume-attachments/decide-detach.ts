import type { BlockDeviceMapping, Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { notReady, whyNotNow } from '../servers/instance-state.js';
import type { VolumeFacts } from '../volume-api.js';
import { DISKS_CHANGE } from './decide-attach.js';

/**
 * Whether a volume may be taken from a server, from the facts alone; null: yes, as far as they tell. A host that is down
 * is no reason: the engine waits for it.
 * Mirrors nova:nova/api/openstack/compute/volume_attachments.py delete, nova:nova/compute/api.py detach_volume.
 */
export function whyNotDetach(facts: {
  readonly instance: Pick<Instance, 'id' | 'vmState' | 'taskState' | 'launchedAt' | 'host'>;
  readonly mapping: Pick<BlockDeviceMapping, 'bootIndex' | 'attachedAt'> | null;
  readonly volume: Pick<VolumeFacts, 'id' | 'status'>;
}): ApiFault | null {
  const { instance, mapping, volume } = facts;
  if (mapping === null) return notAttached(instance.id, volume.id);
  if (mapping.bootIndex === 0) return rootDevice();
  const busy = whyNotNow('detach_volume', instance, DISKS_CHANGE);
  if (busy !== null) return busy;
  if (instance.host === null) return notReady(instance.id);
  return volume.status === 'in-use' && mapping.attachedAt !== null ? null : notInUse();
}

export const notAttached = (serverId: string, volumeId: string): ApiFault =>
  new ApiFault(404, `Instance ${serverId} is not attached to volume ${volumeId}`);

export const rootDevice = (): ApiFault => new ApiFault(400, 'Cannot detach a root device volume');

/** What Cinder's begin_detaching says, in Nova's envelope. */
export const notInUse = (): ApiFault =>
  new ApiFault(
    400,
    "Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.",
  );
