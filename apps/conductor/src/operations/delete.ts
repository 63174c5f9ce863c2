import { assertNever, NovellaError, type VolumeId } from '@novella/core';
import { releaseAttachments } from './attachments.js';
import { hostIsActing } from './exclusion.js';
import { failure } from './failure.js';
import { OFF_HOST, RELEASE, RELEASED, serverOffHost } from './off-host.js';
import type { FlowIo, OperationFlow, Plan, Steps, Turn } from './plan.js';
import { waitFor } from './retry.js';

/**
 * Deletes a server: the guest first, then Cinder's attachments (and the volumes that were to go with the server), then
 * the row. An attachment is let go only after the host reported the guest absent, or an operator declared the host
 * fenced (forced down). A delete never fails: it goes on until everything is gone.
 *
 *   off-host -> release -> deleted
 */
const STEPS = { own: [RELEASE], onHost: [OFF_HOST], reached: [RELEASED] } as const satisfies Steps;
type DeletePlan = Plan<typeof STEPS>;

/** nova:nova/compute/manager.py _cleanup_volumes goes on after the first. */
const DELETE_VOLUME_RETRIES = 5;

export const deleteServer: OperationFlow<null, typeof STEPS> = {
  steps: STEPS,

  readFacts: () => Promise.resolve(null),

  decide(turn): DeletePlan {
    const { operation, rows, answer } = turn;
    if (answer !== null) return decideOnAnswer(answer);
    if (rows.instance.deletedAt !== null) return { do: 'succeed' };
    switch (operation.step) {
      case RELEASE:
        return { do: 'run', step: RELEASE };
      case RELEASED:
        return {
          do: 'succeed',
          changes: {
            instance: { deleted: true },
            mappings: rows.mappings.map(({ id }) => ({ id, removed: true })),
          },
        };
      default:
        // What a host is doing for this server ends first; its end wakes this operation.
        return hostIsActing(rows) ? { do: 'wait', for: 'server-task' } : serverOffHost(rows, null);
    }
  },

  async run(_release, turn, io) {
    const { mappings } = turn.rows;
    for (const mapping of mappings) await releaseAttachments(turn.rows, mapping, io);
    for (const { deleteOnTermination, volumeId } of mappings) {
      if (deleteOnTermination) await deleteVolume(turn, volumeId, io);
    }
    return { next: RELEASED };
  },
};

/** Cinder may refuse for a moment, while it still detaches; or for good (it has snapshots): then the volume stays. */
async function deleteVolume({ operation, rows }: Turn, volume: VolumeId, io: FlowIo): Promise<void> {
  try {
    await io.volumes.deleteVolume(rows.instance.projectId, volume);
  } catch (error) {
    const refused = error instanceof NovellaError && error.code === 'cinder-refused';
    if (!refused || operation.failures < DELETE_VOLUME_RETRIES) throw error;
  }
}

function decideOnAnswer(answer: NonNullable<Turn['answer']>): DeletePlan {
  switch (answer.status) {
    case 'deleted':
      return { do: 'run', step: RELEASE };
    case 'stale':
      return { do: 'wait', for: 'retry', error: failure('command-stale', 'the host has acted on a newer command') };
    case 'failed':
      return waitFor(answer.error);
    case 'grown':
    case 'attached':
    case 'detached':
    case 'built':
    case 'powered':
      return waitFor(failure('internal', `the host answered a delete with "${answer.status}"`));
    default:
      return assertNever(answer);
  }
}
