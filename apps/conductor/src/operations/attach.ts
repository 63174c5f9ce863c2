import { assertNever, type ErrorRecord } from '@novella/core';
import type { BlockDeviceMapping, OperationFacts } from '@novella/persistence';
import { connect, RECONNECT, reconnect, reconnectFor, reconnecting, releaseAttachments } from './attachments.js';
import { proof, readBack, volumeDisk } from './disks.js';
import { isSuspended, powerIsChanging } from './exclusion.js';
import { failure } from './failure.js';
import { OFF_HOST, release, RELEASE, RELEASED, volumeOffHost } from './off-host.js';
import type { OperationFlow, Plan, Steps, Turn } from './plan.js';
import { isBelieved, UNDO_AGAIN, waitFor } from './retry.js';

/**
 * Attaches a volume that nova-api has reserved at Cinder.
 *
 *   connect -> on-host -> complete -> done
 *   undo: off-host -> release -> failed        (Cinder's attachment goes only after the host reported the device gone)
 *
 * Mirrors nova:nova/virt/block_device.py DriverVolumeBlockDevice.attach with Cinder's attachment API (3.44).
 */
const CONNECT = 'connect';
const ON_HOST = 'on-host';
const COMPLETE = 'complete';
const COMPLETED = 'completed';
const STEPS = {
  own: [CONNECT, COMPLETE, RELEASE, RECONNECT],
  onHost: [ON_HOST, OFF_HOST],
  reached: [COMPLETED, RELEASED],
} as const satisfies Steps;
type AttachPlan = Plan<typeof STEPS>;

export const attach: OperationFlow<null, typeof STEPS> = {
  steps: STEPS,

  readFacts: () => Promise.resolve(null),

  decide(turn): AttachPlan {
    const { operation, rows, answer } = turn;
    const mapping = rows.mappings[0];
    if (mapping === undefined) {
      return { do: 'fail', error: operation.error ?? failure('volume-detached', 'the attachment was withdrawn') };
    }
    if (answer !== null) return decideOnAnswer(turn, mapping, answer);
    switch (operation.step) {
      case COMPLETED:
        return { do: 'succeed', ...proof([mapping]), changes: { mappings: [{ id: mapping.id, attached: true }] } };
      case COMPLETE:
        return { do: 'run', step: COMPLETE };
      case OFF_HOST:
        return volumeOffHost(rows, mapping, operation.error);
      case RELEASE:
        return { do: 'run', step: RELEASE };
      case RELEASED:
        return {
          do: 'fail',
          error: operation.error ?? failure('volume-detached', 'the attachment was withdrawn'),
          changes: { mappings: [{ id: mapping.id, removed: true }] },
        };
      default:
        return reconnecting(operation) ?? forward(rows, mapping);
    }
  },

  async run(step, { rows }, io) {
    const mapping = rows.mappings[0];
    if (mapping === undefined) throw new Error(`attach step ${step} without a mapping`);
    switch (step) {
      case CONNECT:
        return { next: ON_HOST, changes: { mappings: [await connect(rows, mapping, io)] } };
      case COMPLETE:
        if (mapping.attachmentId !== null) {
          await io.volumes.completeAttachment(rows.instance.projectId, mapping.attachmentId);
        }
        return { next: COMPLETED };
      case RELEASE:
        await releaseAttachments(rows, mapping, io);
        return { next: RELEASED };
      default:
        return reconnect(step, rows, io, ON_HOST);
    }
  },

  giveUp(step, turn, error): AttachPlan {
    const mapping = turn.rows.mappings[0];
    return step === RELEASE || mapping === undefined ? UNDO_AGAIN : undo(turn, mapping, error);
  },
};

function forward(rows: OperationFacts, mapping: BlockDeviceMapping): AttachPlan {
  const { instance, service } = rows;
  if (mapping.attachmentId === null) {
    // nova-api died between the row and Cinder's answer: nobody was told 200, so what Cinder may hold is let go.
    return { do: 'run', step: RELEASE, error: failure('cinder-unreachable', 'the reservation was never confirmed') };
  }
  if (instance.deletedAt !== null || instance.taskState === 'deleting') {
    return { do: 'fail', error: failure('server-deleted', 'the server is being deleted') };
  }
  if (instance.host === null) {
    return { do: 'run', step: RELEASE, error: failure('server-has-no-host', 'the server is on no host') };
  }
  if (service?.up !== true) return { do: 'wait', for: 'host' };
  const disk = volumeDisk(mapping);
  if (disk === null) return { do: 'run', step: CONNECT };
  if (powerIsChanging(rows)) return { do: 'wait', for: 'server-task' };
  if (isSuspended(rows)) return { do: 'wait', for: 'guest-start' };
  return {
    do: 'dispatch',
    step: ON_HOST,
    host: instance.host,
    command: { method: 'attach_volume', args: { server: instance.id, disk } },
  };
}

function decideOnAnswer(turn: Turn, mapping: BlockDeviceMapping, answer: NonNullable<Turn['answer']>): AttachPlan {
  switch (answer.status) {
    case 'attached':
      return { do: 'run', step: COMPLETE, changes: { mappings: readBack([mapping], [answer.disk]).changes } };
    case 'detached':
      return release(mapping);
    case 'stale':
      return { do: 'wait', for: 'retry' };
    case 'failed':
      if (turn.operation.step === OFF_HOST) return UNDO_AGAIN;
      if (!isBelieved(turn, answer.error)) return reconnectFor(answer.error, turn.rows) ?? waitFor(answer.error);
      return undo(turn, mapping, answer.error);
    case 'grown':
    case 'built':
    case 'deleted':
    case 'powered':
      if (turn.operation.step === OFF_HOST) return UNDO_AGAIN;
      return waitFor(failure('internal', `the host answered an attach with "${answer.status}"`));
    default:
      return assertNever(answer);
  }
}

/** What no host was ever told of is on none; else the host is asked to make sure that the device is not there. */
const undo = ({ operation, rows }: Turn, mapping: BlockDeviceMapping, error: ErrorRecord): AttachPlan =>
  operation.attempt === 0 ? release(mapping, error) : volumeOffHost(rows, mapping, error);
