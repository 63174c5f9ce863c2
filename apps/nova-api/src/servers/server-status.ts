import { assertNever, type TaskState, VM_STATES, type VmState } from '@novella/core';

/** The word that clients wait for. Mirrors nova:nova/api/openstack/common.py _STATE_MAP. */
export const SERVER_STATUSES = [
  'ACTIVE',
  'BUILD',
  'DELETED',
  'ERROR',
  'HARD_REBOOT',
  'MIGRATING',
  'PASSWORD',
  'PAUSED',
  'REBOOT',
  'REBUILD',
  'RESCUE',
  'RESIZE',
  'REVERT_RESIZE',
  'SHELVED',
  'SHELVED_OFFLOADED',
  'SHUTOFF',
  'SOFT_DELETED',
  'SUSPENDED',
  'UNKNOWN',
  'VERIFY_RESIZE',
] as const;
export type ServerStatus = (typeof SERVER_STATUSES)[number];

export const isServerStatus = (text: string): text is ServerStatus =>
  (SERVER_STATUSES as readonly string[]).includes(text);

export function serverStatus(vmState: VmState, taskState: TaskState | null): ServerStatus {
  switch (vmState) {
    case 'building':
      return 'BUILD';
    case 'active':
      if (taskState === 'rebooting') return 'REBOOT';
      return taskState === 'rebooting_hard' ? 'HARD_REBOOT' : 'ACTIVE';
    case 'stopped':
      return 'SHUTOFF';
    case 'paused':
      return 'PAUSED';
    case 'suspended':
      return 'SUSPENDED';
    case 'error':
      return 'ERROR';
    case 'deleted':
      return 'DELETED';
    default:
      return assertNever(vmState);
  }
}

/** The vm_states in which a server can have one of these statuses; a first, coarse filter. */
export const vmStatesOf = (statuses: readonly ServerStatus[]): VmState[] =>
  VM_STATES.filter((vmState) =>
    ([null, 'rebooting', 'rebooting_hard'] as const).some((task) => statuses.includes(serverStatus(vmState, task))),
  );
