import { assertNever, type TaskState, TASK_STATES, VM_STATES, type VmState } from '@novella/core';

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

/**
 * What servers of these statuses may be and do, or null when no word is a status. As Nova has it: with a status that a
 * vm_state has by itself, tasks are not looked at, so ACTIVE finds those that reboot too.
 */
export function statesOf(words: readonly string[]): { vmStates: VmState[]; taskStates?: TaskState[] } | null {
  const statuses = words.map((word) => word.toUpperCase()).filter(isServerStatus);
  if (statuses.length === 0) return null;
  const byItself = VM_STATES.filter((vmState) => statuses.includes(serverStatus(vmState, null)));
  const byTask = VM_STATES.flatMap((vmState) =>
    TASK_STATES.filter(
      (task) =>
        serverStatus(vmState, task) !== serverStatus(vmState, null) && statuses.includes(serverStatus(vmState, task)),
    ).map((taskState) => ({ vmState, taskState })),
  );
  const vmStates = VM_STATES.filter(
    (vmState) => byItself.includes(vmState) || byTask.some((pair) => pair.vmState === vmState),
  );
  if (byItself.length > 0) return { vmStates };
  return { vmStates, taskStates: byTask.map(({ taskState }) => taskState) };
}
