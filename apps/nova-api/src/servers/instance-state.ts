import type { TaskState, VmState } from '@novella/core';
import type { Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';

/** Which servers an action takes, and Nova's words for the others (nova:nova/compute/api.py check_instance_state). */
export interface AllowedStates {
  readonly vmStates: readonly VmState[];
  readonly taskStates: readonly (TaskState | null)[];
}

/** null when the server may have it. The first that is wrong is named: vm_state, task_state, then "never launched". */
export function whyNotNow(
  action: string,
  server: Pick<Instance, 'id' | 'vmState' | 'taskState' | 'launchedAt'>,
  allowed: AllowedStates,
): ApiFault | null {
  if (!allowed.vmStates.includes(server.vmState)) return inState(action, server.id, 'vm_state', server.vmState);
  if (!allowed.taskStates.includes(server.taskState)) return inState(action, server.id, 'task_state', server.taskState);
  return server.launchedAt === null ? invalidState(action, server.id) : null;
}

/** As nova:nova/api/openstack/common.py raise_http_conflict_for_instance_invalid_state says it. */
export function inState(
  action: string,
  serverId: string,
  what: 'vm_state' | 'task_state',
  state: VmState | TaskState | null,
): ApiFault {
  if (state === null) return invalidState(action, serverId);
  return new ApiFault(409, `Cannot '${action}' instance ${serverId} while it is in ${what} ${state}`);
}

export const invalidState = (action: string, serverId: string): ApiFault =>
  new ApiFault(409, `Instance ${serverId} is in an invalid state for '${action}'`);

/** nova:nova/exception.py InstanceNotReady: it is on no host yet, or no longer. */
export const notReady = (serverId: string): ApiFault => new ApiFault(409, `Instance ${serverId} is not ready`);

export const noSuchServer = (serverId: string): ApiFault =>
  new ApiFault(404, `Instance ${serverId} could not be found.`);
