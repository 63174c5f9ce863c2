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

/** What a lifecycle event says of the guest; null where it says nothing of its power. */
export function powerStateAfter(event: number): PowerState | null {
  switch (event) {
    case LIFECYCLE.started:
    case LIFECYCLE.resumed:
      return 'running';
    case LIFECYCLE.suspended:
      return 'paused';
    case LIFECYCLE.stopped:
      return 'shutdown';
    case LIFECYCLE.pmSuspended:
      return 'suspended';
    case LIFECYCLE.crashed:
      return 'crashed';
    default:
      return null;
  }
}

/** Whether a guest has a process in which its disks can be seen and changed. */
export const hasLiveDisks = (powerState: PowerState): boolean => powerState === 'running' || powerState === 'paused';
