import { assertNever, type Bytes, bytes, bytesToGib, type GiB, gibToBytes } from '@novella/core';
import type { BlockDeviceMapping } from '@novella/persistence';
import { failure } from './failure.js';
import type { FlowIo, OperationFlow, Plan, Turn } from './plan.js';
import { afterFailure } from './retry.js';

/**
 * Grows an attached volume in its guest. Cinder has grown the volume already: the size is read from Cinder now, the host
 * rescans, the hypervisor is told, and what it then shows the guest is what the record says.
 * Mirrors nova:nova/compute/manager.py extend_volume, but: nothing is saved before it was read back, and a volume that
 * is not attached is a failure with its reason, not a success.
 */
interface ExtendFacts {
  /** Cinder's size at this moment; null when it was not needed. */
  readonly size: GiB | null;
}

export const extend: OperationFlow<ExtendFacts> = {
  async readFacts(turn: Turn, io: FlowIo) {
    const { operation, rows, answer } = turn;
    if (answer !== null || operation.volumeId === null || rows.instance.deletedAt !== null) return { size: null };
    if ((rows.mappings[0]?.connection ?? null) === null) return { size: null };
    const volume = await io.volumes.volume(rows.instance.projectId, operation.volumeId);
    return { size: volume.size };
  },

  decide(turn, { size }) {
    const { operation, rows, answer } = turn;
    const mapping = rows.mappings[0];
    if (rows.instance.deletedAt !== null)
      return { do: 'fail', error: failure('server-deleted', 'the server is deleted') };
    if (operation.volumeId === null || mapping === undefined) {
      return { do: 'fail', error: failure('volume-not-attached', 'the volume is not attached to the server') };
    }
    if (answer !== null) return decideOnAnswer(turn, mapping, answer);
    if (rows.instance.taskState === 'deleting') {
      return { do: 'fail', error: failure('server-deleted', 'the server is being deleted') };
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
          wantedBytes,
        },
      },
    };
  },
};

function decideOnAnswer(turn: Turn, mapping: BlockDeviceMapping, answer: NonNullable<Turn['answer']>): Plan {
  switch (answer.status) {
    case 'grown': {
      const seen = answer.guestBytes ?? answer.hostBytes;
      if (seen < mapping.wantedBytes) {
        const facts = { wanted: mapping.wantedBytes, guest: answer.guestBytes, host: answer.hostBytes };
        return afterFailure(turn, failure('guest-size-not-reached', 'the host has measured too little', facts));
      }
      return {
        do: 'succeed',
        verifiedBy: answer.guestBytes === null ? 'host-device' : 'hypervisor',
        visible: answer.guestBytes === null ? 'next-start' : 'now',
        changes: {
          mappings: [
            {
              id: mapping.id,
              size: bytesToGib(bytes(seen + mapping.overheadBytes)),
              hostBytes: answer.hostBytes,
              guestBytes: answer.guestBytes,
            },
          ],
        },
      };
    }
    case 'stale':
      return { do: 'wait', for: 'retry', error: failure('command-stale', 'the host has acted on a newer command') };
    case 'failed':
      return afterFailure(turn, answer.error);
    case 'attached':
    case 'detached':
    case 'built':
    case 'deleted':
      return {
        do: 'fail',
        error: failure('rpc-message-invalid', `the host answered an extend with "${answer.status}"`),
      };
    default:
      return assertNever(answer);
  }
}

/** What the guest shall see of a volume of `size`: less the overhead recorded at attach (a LUKS header). */
export const visibleBytes = (size: GiB, mapping: Pick<BlockDeviceMapping, 'overheadBytes'>): Bytes =>
  bytes(gibToBytes(size) - mapping.overheadBytes);
