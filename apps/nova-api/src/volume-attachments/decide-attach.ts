import type { Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { has, type Microversion } from '../http/microversion.js';
import { type AllowedStates, whyNotNow } from '../servers/instance-state.js';
import type { VolumeFacts } from '../volume-api.js';

/** In which a disk can be added or taken away. */
export const DISKS_CHANGE: AllowedStates = { vmStates: ['active', 'paused', 'stopped'], taskStates: [null] };

/** Throws the refusal that the facts alone give; the store and Cinder have the last word. */
export function decideAttach(
  facts: {
    readonly instance: Pick<Instance, 'id' | 'vmState' | 'taskState' | 'launchedAt'>;
    readonly volume: VolumeFacts;
  },
  microversion: Microversion,
): void {
  const busy = whyNotNow('attach_volume', facts.instance, DISKS_CHANGE);
  if (busy !== null) throw busy;
  const why = whyNotAttachable(facts.volume, has(microversion, 'multiattach'));
  if (why !== null) throw new ApiFault(400, why);
}

/** null when Cinder may be asked to reserve the volume. */
export function whyNotAttachable(volume: VolumeFacts, multiattachServed: boolean): string | null {
  if (volume.multiattach && !multiattachServed) {
    return 'Multiattach volumes are only supported starting with compute API version 2.60.';
  }
  const free = volume.status === 'available' || (volume.multiattach && volume.status === 'in-use');
  return free ? null : `Invalid volume: volume ${volume.id} is '${volume.status}', it must be 'available'`;
}
