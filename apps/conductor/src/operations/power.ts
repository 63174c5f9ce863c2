import { assertNever, type ErrorRecord, type PowerState, type TaskState, type VmState } from '@novella/core';
import type { Instance, Operation, OperationFacts, RecordChanges } from '@novella/persistence';
import { RECONNECT, reconnect, reconnectFor, reconnecting } from './attachments.js';
import { guestDisks, proof, readBack, readBackWithoutBoot } from './disks.js';
import { disksAreChanging } from './exclusion.js';
import { failure } from './failure.js';
import type { Command, OperationFlow, Plan, Steps, Turn } from './plan.js';
import { isBelieved, waitFor } from './retry.js';

/**
 * What start, stop, reboot, pause, unpause, suspend and resume have in common: one command for the whole server, sent until the host has answered. Its
 * answer is the guest as it was measured after it: its power state, and what it sees of its volumes.
 *
 *   on-host -> done
 *
 * Mirrors nova:nova/compute/manager.py start_instance, stop_instance, reboot_instance, pause_instance and so on, but: a guest that is not as it
 * was asked to be is no success, and a volume of which it sees too little is extended.
 */
export interface PowerRules {
  command(operation: Operation, args: { server: Instance['id']; volumes: ReturnType<typeof guestDisks> }): Command;
  /** What the guest is when it is done. */
  readonly reaches: readonly PowerState[];
  /**
   * Of those that a hard reboot may overtake: the server's task while they are what it was asked for last. The guest goes
   * on with the memory that it had, which may be older than its disks.
   */
  readonly task?: TaskState;
  /** The vm_state after a failure, of a guest that was last seen so. */
  vmStateAfterFailure(instance: Instance): VmState;
}

const ON_HOST = 'on-host';
const STEPS = { own: [RECONNECT], onHost: [ON_HOST], reached: [] } as const satisfies Steps;
type PowerPlan = Plan<typeof STEPS>;

export const powerFlow = (kind: PowerRules): OperationFlow<null, typeof STEPS> => ({
  steps: STEPS,

  readFacts: () => Promise.resolve(null),

  decide(turn): PowerPlan {
    const { operation, rows, answer } = turn;
    if (rows.instance.deletedAt !== null) return { do: 'fail', error: SERVER_DELETED };
    if (answer !== null) return decideOnAnswer(kind, turn, answer);
    if (rows.instance.taskState === 'deleting') return { do: 'fail', error: SERVER_DELETED };
    if (kind.task !== undefined && rows.instance.taskState !== kind.task) return { do: 'fail', error: SERVER_REBOOTED };
    return reconnecting(operation) ?? forward(kind, operation, rows);
  },

  run: (step, { rows }, io) => reconnect(step, rows, io, ON_HOST),

  giveUp: (_step, { rows }, error) => failed(kind, rows.instance, error),
});

const SERVER_DELETED = failure('server-deleted', 'the server is being deleted');
const SERVER_REBOOTED = failure('server-rebooted', 'a reboot that was asked for later came first');

function forward(kind: PowerRules, operation: Operation, rows: OperationFacts): PowerPlan {
  const { instance, service, mappings } = rows;
  if (instance.host === null) {
    return failed(kind, instance, failure('server-has-no-host', 'the server is on no host'));
  }
  if (service?.up !== true) return { do: 'wait', for: 'host' };
  if (disksAreChanging(rows)) return { do: 'wait', for: 'server-task' };
  return {
    do: 'dispatch',
    step: ON_HOST,
    host: instance.host,
    command: kind.command(operation, { server: instance.id, volumes: guestDisks(mappings) }),
  };
}

function decideOnAnswer(kind: PowerRules, turn: Turn, answer: NonNullable<Turn['answer']>): PowerPlan {
  switch (answer.status) {
    case 'powered':
      return recordPower(kind, turn, answer);
    case 'stale':
      return { do: 'wait', for: 'retry', error: failure('command-stale', 'the host has acted on a newer command') };
    case 'failed':
      if (!isBelieved(turn, answer.error)) return reconnectFor(answer.error, turn.rows) ?? waitFor(answer.error);
      return failed(kind, turn.rows.instance, answer.error);
    case 'grown':
    case 'attached':
    case 'detached':
    case 'built':
    case 'deleted':
      return waitFor(failure('internal', `the host answered a ${turn.operation.kind} with "${answer.status}"`));
    default:
      return assertNever(answer);
  }
}

function recordPower(
  kind: PowerRules,
  turn: Turn,
  { powerState, disks }: Extract<NonNullable<Turn['answer']>, { status: 'powered' }>,
): PowerPlan {
  const { instance, mappings } = turn.rows;
  const { changes, behind, seen } = (kind.task === undefined ? readBack : readBackWithoutBoot)(mappings, disks);
  const measured: Instance = { ...instance, powerState };
  if (!kind.reaches.includes(powerState)) {
    const error = failure('hypervisor-refused', 'the guest is not as it was asked to be', { powerState });
    return isBelieved(turn, error) ? failed(kind, measured, error, changes) : waitFor(error);
  }
  return {
    do: 'succeed',
    ...proof(seen),
    behind,
    changes: {
      instance: {
        vmState: VM_STATE_OF[powerState] ?? instance.vmState,
        taskState: null,
        powerState,
        launched: true,
      },
      mappings: changes,
    },
  };
}

/** The end of what could not be done: the server is what it was measured to be, with the reason as its fault. */
function failed(
  kind: PowerRules,
  instance: Instance,
  error: ErrorRecord,
  mappings: NonNullable<RecordChanges['mappings']> = [],
): PowerPlan {
  const { powerState } = instance;
  return {
    do: 'fail',
    error,
    changes: {
      instance: {
        vmState: error.code === 'domain-not-found' ? 'error' : kind.vmStateAfterFailure(instance),
        taskState: null,
        powerState,
        fault: { code: 500, message: error.message, details: `${error.code}: ${error.message}` },
      },
      mappings,
    },
  };
}

/** What its guest was last seen to be; a server in error stays so until something has worked. */
export const measuredVmState = ({ vmState, powerState }: Instance): VmState =>
  vmState === 'error' ? vmState : (VM_STATE_OF[powerState] ?? vmState);

/** nova:nova/compute/manager.py _sync_instance_power_state */
const VM_STATE_OF = {
  nostate: null,
  running: 'active',
  paused: 'paused',
  shutdown: 'stopped',
  crashed: 'stopped',
  suspended: 'suspended',
  saved: 'suspended',
} as const satisfies Record<PowerState, VmState | null>;
