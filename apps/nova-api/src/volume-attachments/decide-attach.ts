import type { Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { has, type Microversion } from '../http/microversion.js';
import type { VolumeFacts } from '../volume-api.js';

/** vm_states in which a disk can be added. */
const ATTACHABLE: readonly Instance['vmState'][] = ['active', 'paused', 'stopped'];

/** Throws the refusal that the facts alone give; the store and Cinder have the last word. */
export function decideAttach(
  facts: { readonly instance: Pick<Instance, 'vmState' | 'taskState'>; readonly volume: VolumeFacts },
  microversion: Microversion,
): void {
  const { vmState, taskState } = facts.instance;
  if (!ATTACHABLE.includes(vmState) || taskState !== null) throw serverBusy(vmState);
  const why = whyNotAttachable(facts.volume, has(microversion, 'multiattach'));
  if (why !== null) throw new ApiFault(400, why);
}

export const serverBusy = (vmState: string): ApiFault =>
  new ApiFault(409, `Cannot 'attach_volume' instance while it is in vm_state ${vmState} or a task is running`);

/** null when Cinder may be asked to reserve the volume. */
export function whyNotAttachable(volume: VolumeFacts, multiattachServed: boolean): string | null {
  if (volume.multiattach && !multiattachServed) {
    return 'Multiattach volumes are only supported starting with compute API version 2.60.';
  }
  const free = volume.status === 'available' || (volume.multiattach && volume.status === 'in-use');
  return free ? null : `Invalid volume: volume ${volume.id} is '${volume.status}', it must be 'available'`;
}
