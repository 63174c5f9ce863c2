import type { PowerState } from '@novella/core';
import { LIFECYCLE } from '@novella/libvirt';

/** virDomainState in Nova's words. nova:virt/libvirt/guest.py LIBVIRT_POWER_STATE */
const BY_DOMAIN_STATE: readonly PowerState[] = [
  'nostate',
  'running',
  'running', // blocked on a resource
  'paused',
  'shutdown', // about to be off
  'shutdown',
  'crashed',
  'suspended',
];

export const powerStateOf = (domainState: number): PowerState => BY_DOMAIN_STATE[domainState] ?? 'nostate';

/** VIR_DOMAIN_EVENT_STOPPED_SAVED */
const STOPPED_SAVED = 4;
/** VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SAVE */
const PAUSED = { state: 3, toBeSaved: 3 } as const;

/** Its processors stand still because its memory is being written to disk. */
export const isBeingSaved = ({ state, reason }: { readonly state: number; readonly reason: number }): boolean =>
  state === PAUSED.state && reason === PAUSED.toBeSaved;

/** What a lifecycle event says of the guest; null where it says nothing of its power. */
export function powerStateAfter(event: number, detail: number): PowerState | null {
  switch (event) {
    case LIFECYCLE.started:
    case LIFECYCLE.resumed:
      return 'running';
    case LIFECYCLE.suspended:
      return 'paused';
    case LIFECYCLE.stopped:
      return detail === STOPPED_SAVED ? 'saved' : 'shutdown';
    case LIFECYCLE.pmSuspended:
      return 'suspended';
    case LIFECYCLE.crashed:
      return 'crashed';
    default:
      return null;
  }
}

/** Whether a guest has no process: it can be started. */
export const isOff = (powerState: PowerState): boolean =>
  powerState === 'shutdown' || powerState === 'crashed' || powerState === 'saved';

/** Whether a guest has a process in which its disks can be seen and changed. */
export const hasLiveDisks = (powerState: PowerState): boolean => powerState === 'running' || powerState === 'paused';
