import { assertNever, type GiB } from '@novella/core';
import type { BlockDeviceMapping } from '@novella/persistence';
import { RECONNECT, reconnect, reconnectFor, reconnecting } from './attachments.js';
import { proof, shownSize, visibleBytes, volumeSize } from './disks.js';
import { powerIsChanging } from './exclusion.js';
import { failure } from './failure.js';
import type { OperationFlow, Plan, Steps, Turn } from './plan.js';
import { afterFailure } from './retry.js';

/**
 * Grows an attached volume in its guest. Cinder has grown the volume already: the size is read from Cinder now, the host
 * rescans, the hypervisor is told, and what it then shows the guest is what the record says.
 * Mirrors nova:nova/compute/manager.py extend_volume, but: nothing is saved before it was read back, and a volume that
 * is not attached is a failure with its reason, not a success.
 *
 * A qcow2 file is grown by whoever has it open, so there the host does what elsewhere the storage has done. Where Cinder
 * waits for that (status `extending`), the size is the one that it waits for, and it is told of the end.
 *
 *   (on the host) -> ended                                      raw
 *   (on the host) -> tell-grown -> told-grown -> ended          qcow2; or tell-failed -> told-failed
 */
interface ExtendFacts {
  /** The size to be seen, from Cinder at this moment; null when it was not needed. */
  readonly size: GiB | null;
}
const AGAIN = 'on-host';
const TELL_GROWN = 'tell-grown';
const TELL_FAILED = 'tell-failed';
const TOLD_GROWN = 'told-grown';
const TOLD_FAILED = 'told-failed';
const STEPS = {
  own: [TELL_GROWN, TELL_FAILED, RECONNECT],
  onHost: [],
  reached: [AGAIN, TOLD_GROWN, TOLD_FAILED],
} as const satisfies Steps;
type ExtendPlan = Plan<typeof STEPS>;

export const extend: OperationFlow<ExtendFacts, typeof STEPS> = {
  steps: STEPS,

  async readFacts({ operation, rows, answer }, io) {
    const { step } = operation;
    if (answer !== null || (step !== null && step !== AGAIN)) return { size: null };
    if (operation.volumeId === null || rows.instance.deletedAt !== null) return { size: null };
    const connection = rows.mappings[0]?.connection ?? null;
    if (connection === null) return { size: null };
    const { size, extendingTo } = await io.volumes.volume(rows.instance.projectId, operation.volumeId);
    return { size: connection.format === 'qcow2' ? (extendingTo ?? size) : size };
  },

  decide(turn, { size }): ExtendPlan {
    const { operation, rows, answer } = turn;
    const mapping = rows.mappings[0];
    if (operation.step === TELL_GROWN || operation.step === TELL_FAILED) return { do: 'run', step: operation.step };
    if (operation.step === TOLD_GROWN || operation.step === TOLD_FAILED) return afterTelling(operation.step, turn);
    if (rows.instance.deletedAt !== null)
      return { do: 'fail', error: failure('server-deleted', 'the server is deleted') };
    if (operation.volumeId === null || mapping === undefined) {
      return { do: 'fail', error: failure('volume-not-attached', 'the volume is not attached to the server') };
    }
    if (answer !== null) return decideOnAnswer(turn, mapping, answer);
    if (rows.instance.taskState === 'deleting') {
      return { do: 'fail', error: failure('server-deleted', 'the server is being deleted') };
    }
    const reconnects = reconnecting(operation);
    if (reconnects !== null) return reconnects;
    // It may yet stay, and then it has to grow.
    if (rows.others.some(({ kind, volumeId }) => kind === 'detach' && volumeId === operation.volumeId)) {
      return { do: 'wait', for: 'server-task' };
    }
    if (mapping.connection === null || mapping.attachmentId === null || mapping.attachedAt === null) {
      const attaching = rows.others.some(({ kind }) => kind === 'attach' || kind === 'build');
      if (attaching) return { do: 'wait', for: 'server-task' };
      return { do: 'fail', error: failure('volume-not-attached', 'the attachment of the volume was never completed') };
    }
    if (rows.instance.host === null) {
      return { do: 'fail', error: failure('server-has-no-host', 'the server is on no host') };
    }
    if (rows.service?.up !== true) return { do: 'wait', for: 'host' };
    if (powerIsChanging(rows)) return { do: 'wait', for: 'server-task' };
    if (size === null) throw new Error('extend decided without the size of the volume');
    const wantedBytes = visibleBytes(size, mapping);
    return {
      do: 'dispatch',
      step: null,
      host: rows.instance.host,
      changes: { mappings: [{ id: mapping.id, wantedBytes }] },
      command: {
        method: 'extend_volume',
        args: {
          server: rows.instance.id,
          volume: operation.volumeId,
          attachment: mapping.attachmentId,
          connection: mapping.connection,
          sealedSecret: mapping.sealedSecret,
          wantedBytes,
          seenBytes: mapping.guestBytes,
        },
      },
    };
  },

  async run(step, { rows }, io) {
    if (step !== TELL_GROWN && step !== TELL_FAILED) return reconnect(step, rows, io, AGAIN);
    const mapping = rows.mappings[0];
    if (mapping !== undefined) {
      const size = volumeSize(mapping.wantedBytes, mapping);
      const end = step === TELL_GROWN ? 'grown' : 'failed';
      await io.volumes.completeExtend(rows.instance.projectId, mapping.volumeId, size, end);
    }
    return { next: step === TELL_GROWN ? TOLD_GROWN : TOLD_FAILED };
  },

  /** A Cinder that refuses to be told has heard of it already, or does not wait: the guest has what it has. */
  giveUp: (step, turn, error) =>
    step === TELL_GROWN || step === TELL_FAILED ? afterTelling(step, turn) : { do: 'fail', error },
};

function decideOnAnswer(turn: Turn, mapping: BlockDeviceMapping, answer: NonNullable<Turn['answer']>): ExtendPlan {
  switch (answer.status) {
    case 'grown': {
      const seen = answer.guestBytes ?? answer.hostBytes;
      if (seen < mapping.wantedBytes) {
        const facts = { wanted: mapping.wantedBytes, guest: answer.guestBytes, host: answer.hostBytes };
        const error = failure('guest-size-not-reached', 'the host has measured too little', facts);
        return tellingOfFailure(afterFailure(turn, error), mapping);
      }
      const { hostBytes, guestBytes } = answer;
      const changes = { mappings: [{ id: mapping.id, size: shownSize(seen, mapping), hostBytes, guestBytes }] };
      if (isGrownByHost(mapping)) return { do: 'run', step: TELL_GROWN, changes };
      return { do: 'succeed', ...proof([answer]), changes };
    }
    case 'stale':
      return { do: 'wait', for: 'retry', error: failure('command-stale', 'the host has acted on a newer command') };
    case 'failed':
      return reconnectFor(answer.error, turn.rows) ?? tellingOfFailure(afterFailure(turn, answer.error), mapping);
    case 'attached':
    case 'detached':
    case 'built':
    case 'deleted':
    case 'powered':
      return {
        do: 'fail',
        error: failure('rpc-message-invalid', `the host answered an extend with "${answer.status}"`),
      };
    default:
      return assertNever(answer);
  }
}

const isGrownByHost = ({ connection }: BlockDeviceMapping): boolean => connection?.format === 'qcow2';

function tellingOfFailure(plan: ReturnType<typeof afterFailure>, mapping: BlockDeviceMapping): ExtendPlan {
  if (plan.do !== 'fail' || !isGrownByHost(mapping)) return plan;
  return { do: 'run', step: TELL_FAILED, error: plan.error };
}

/** What was read back is in the record by now. */
function afterTelling(step: string, { operation, rows }: Turn): ExtendPlan {
  if (step === TELL_GROWN || step === TOLD_GROWN) return { do: 'succeed', ...proof(rows.mappings) };
  return { do: 'fail', error: operation.error ?? failure('internal', 'why the extend failed was not kept') };
}
