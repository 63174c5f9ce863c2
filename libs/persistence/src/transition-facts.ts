import {
  type ErrorRecord,
  ERRORS,
  INSTANCE_ACTION_NAMES,
  type OperationKind,
  POWER_KINDS,
  type PowerState,
  type TaskState,
  type VmState,
} from '@novella/core';
import type { BlockDeviceMapping, Instance, Operation } from './records.js';

/** What both stores write in the same words: names of actions, texts of endings, states that follow from others. */

/** How many entries of its timeline an operation keeps. */
export const TIMELINE_LIMIT = 50;
/** How long an ended operation is listed. */
export const ENDED_LISTED_MS = 24 * 3_600_000;

/** nova:nova/compute/instance_actions.py; a power-update is named for what it does to the server. */
export function actionName(kind: OperationKind, request: Operation['request']): string {
  if (kind === 'power-update') return request['target'] === 'POWER_OFF' ? 'stop' : 'start';
  return INSTANCE_ACTION_NAMES[kind].action;
}

export const eventName = (kind: OperationKind): string => INSTANCE_ACTION_NAMES[kind].event;

export function eventDetails({ code, message, facts }: ErrorRecord): string {
  const cause = facts['cause'];
  return typeof cause === 'string' ? `${code}: ${message} (${cause})` : `${code}: ${message}`;
}

export const SERVER_DELETED: ErrorRecord = {
  code: 'server-deleted',
  grade: ERRORS['server-deleted'],
  message: 'the server is being deleted',
  facts: {},
};

export const SERVER_REBOOTED: ErrorRecord = {
  code: 'server-rebooted',
  grade: ERRORS['server-rebooted'],
  message: 'a reboot that was asked for later came first',
  facts: {},
};

export const VOLUME_DETACHED: ErrorRecord = {
  code: 'volume-detached',
  grade: ERRORS['volume-detached'],
  message: 'the volume is being detached',
  facts: {},
};

/** What a delete ends when no host has it; a build that has begun undoes its steps itself. */
export const ENDED_BY_DELETE: readonly OperationKind[] = ['attach', 'detach', 'extend', ...POWER_KINDS];

/** What a hard reboot ends when no host has it: nova:nova/compute/task_states.py ALLOW_REBOOT. */
export const ENDED_BY_REBOOT: readonly OperationKind[] = ['pause', 'unpause', 'suspend', 'resume'];

/** Tasks that stay when another operation of the server ends: each is the task of one kind, which was asked for last. */
export const TASK_OF_ONE_KIND = { deleting: 'delete', rebooting_hard: 'reboot' } as const satisfies Partial<
  Record<TaskState, OperationKind>
>;

export const tagIsNoVolume = (tag: string): ErrorRecord => ({
  code: 'volume-not-attached',
  grade: ERRORS['volume-not-attached'],
  message: 'the tag of the event is not the id of a volume',
  facts: { tag },
});

/** nova:nova/compute/manager.py _sync_instance_power_state: what a server without a task becomes. */
export const VM_STATE_OF_POWER_STATE = {
  nostate: null,
  running: 'active',
  paused: 'paused',
  shutdown: 'stopped',
  crashed: 'stopped',
  suspended: 'suspended',
  saved: 'suspended',
} as const satisfies Record<PowerState, VmState | null>;

/** The vm_states that follow the guest's power; a server in error or being built says so until somebody mends it. */
export const FOLLOWS_POWER_STATE: readonly VmState[] = ['active', 'paused', 'suspended', 'stopped'];

/** The vm_states in which a volume may be attached or detached: the memory of a suspended server knows its disks. */
export const DISKS_CHANGE: readonly VmState[] = ['active', 'paused', 'stopped'];

/**
 * Whether an operation that is claimed goes on with what it did for requests that it has decided already: an extend
 * between its host's answer and its end. What was asked for since begins after that, from the facts of then.
 */
export const keepsDecision = ({ kind, step, state, attempt }: Operation): boolean =>
  kind === 'extend' && step !== null && state !== 'dispatched' && attempt > 0;

/** Why a volume may not be detached, in the order in which nova:nova/api/openstack/compute/volume_attachments.py asks. */
export function detachRefusal(
  { vmState, taskState }: Pick<Instance, 'vmState' | 'taskState'>,
  mapping: Pick<BlockDeviceMapping, 'bootIndex' | 'attachedAt'> | undefined,
): 'not-attached' | 'root-device' | 'server-busy' | 'attaching' | null {
  if (mapping === undefined) return 'not-attached';
  if (mapping.bootIndex === 0) return 'root-device';
  if (taskState !== null || !DISKS_CHANGE.includes(vmState)) return 'server-busy';
  return mapping.attachedAt === null ? 'attaching' : null;
}

/** Whether an ended extend must not be opened again by the reconciler for the same facts. */
export const isRefusal = (error: ErrorRecord): boolean => error.grade !== 'unsure';
