import { assertNever, type ErrorCode, NovellaError } from '@novella/core';
import type { BlockDeviceMapping, OperationFacts } from '@novella/persistence';
import { RECONNECT, reconnect, reconnectFor, reconnecting, releaseAttachments } from './attachments.js';
import { failure } from './failure.js';
import { OFF_HOST, release, RELEASE, RELEASED, volumeOffHost } from './off-host.js';
import type { FlowIo, OperationFlow, Plan, Steps, Turn } from './plan.js';
import { isBelieved, waitFor } from './retry.js';

/**
 * Detaches a volume from a server.
 *
 *   begin -> off-host -> release -> done
 *   undo: roll -> failed                        (the guest keeps its disk, and the volume is in-use again)
 *
 * Mirrors nova:nova/compute/manager.py detach_volume and nova/virt/block_device.py DriverVolumeBlockDevice.detach, but:
 * an outcome that is not known is measured again, and only what a host has answered rolls Cinder back.
 */
const BEGIN = 'begin';
const ROLL = 'roll';
const ROLLED = 'rolled';
const STEPS = {
  own: [BEGIN, RELEASE, ROLL, RECONNECT],
  onHost: [OFF_HOST],
  reached: [RELEASED, ROLLED],
} as const satisfies Steps;
type DetachPlan = Plan<typeof STEPS>;

export const detach: OperationFlow<null, typeof STEPS> = {
  steps: STEPS,

  readFacts: () => Promise.resolve(null),

  decide(turn): DetachPlan {
    const { operation, rows, answer } = turn;
    const mapping = rows.mappings[0];
    // It is as it was asked for, whoever has done it.
    if (mapping === undefined) return { do: 'succeed' };
    if (answer !== null) return decideOnAnswer(turn, mapping, answer);
    switch (operation.step) {
      case RELEASE:
        return { do: 'run', step: RELEASE };
      case RELEASED:
        return { do: 'succeed', changes: { mappings: [{ id: mapping.id, removed: true }] } };
      case ROLL:
        return { do: 'run', step: ROLL };
      case ROLLED:
        return { do: 'fail', error: operation.error ?? failure('internal', 'the reason was not kept') };
      default:
        return forward(turn, mapping);
    }
  },

  async run(step, { rows }, io) {
    const mapping = rows.mappings[0];
    if (mapping === undefined) throw new Error(`detach step ${step} without a mapping`);
    const { projectId } = rows.instance;
    switch (step) {
      case BEGIN:
        await beginDetaching(rows, mapping, io);
        return { next: OFF_HOST };
      case RELEASE:
        await releaseAttachments(rows, mapping, io);
        return { next: RELEASED };
      case ROLL:
        await io.volumes.rollDetaching(projectId, mapping.volumeId);
        return { next: ROLLED };
      default:
        return reconnect(step, rows, io, OFF_HOST);
    }
  },

  giveUp(step, { operation }, error): DetachPlan {
    // Nothing is undone here, so that Cinder refuses is the only reason there is.
    if (step === RELEASE) return waitFor(error);
    if (step === BEGIN) return { do: 'fail', error };
    if (step === ROLL) return { do: 'fail', error: operation.error ?? error };
    return { do: 'run', step: ROLL, error };
  },
};

function forward({ operation, rows }: Turn, mapping: BlockDeviceMapping): DetachPlan {
  if (rows.instance.deletedAt !== null || rows.instance.taskState === 'deleting') {
    return { do: 'fail', error: failure('server-deleted', 'the server is being deleted') };
  }
  if (operation.step === null || operation.step === BEGIN) return { do: 'run', step: BEGIN };
  return reconnecting(operation) ?? volumeOffHost(rows, mapping, null);
}

function decideOnAnswer(turn: Turn, mapping: BlockDeviceMapping, answer: NonNullable<Turn['answer']>): DetachPlan {
  switch (answer.status) {
    case 'detached':
      return release(mapping);
    case 'stale':
      return { do: 'wait', for: 'retry' };
    case 'failed':
      // The guest has let go: what is left to do is tried for as long as it takes.
      if (answer.error.code === 'guest-disk-missing') return waitFor(answer.error);
      if (!isBelieved(turn, answer.error)) return reconnectFor(answer.error, turn.rows) ?? waitFor(answer.error);
      return { do: 'run', step: ROLL, error: answer.error };
    case 'grown':
    case 'attached':
    case 'built':
    case 'deleted':
    case 'powered':
      return waitFor(failure('internal', `the host answered a detach with "${answer.status}"`));
    default:
      return assertNever(answer);
  }
}

/**
 * A growth that Cinder has left to the host, and whose extend this detach has ended, nobody else would tell Cinder of: the
 * volume would be `extending` for ever. Of a volume that Cinder has lost, what is left of it can still be taken away.
 */
async function beginDetaching(rows: OperationFacts, { volumeId }: BlockDeviceMapping, io: FlowIo): Promise<void> {
  const { projectId } = rows.instance;
  try {
    await io.volumes.beginDetaching(projectId, volumeId);
  } catch (error) {
    if (isCode(error, 'volume-not-found')) return;
    const isExtended = rows.others.some((other) => other.kind === 'extend' && other.volumeId === volumeId);
    if (!isCode(error, 'cinder-refused') || isExtended) throw error;
    const { extendingTo } = await io.volumes.volume(projectId, volumeId);
    if (extendingTo === null) throw error;
    await io.volumes.completeExtend(projectId, volumeId, extendingTo, 'failed');
    await io.volumes.beginDetaching(projectId, volumeId);
  }
}

const isCode = (error: unknown, code: ErrorCode): boolean => error instanceof NovellaError && error.code === code;
