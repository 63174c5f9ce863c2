import type { VolumeDisk } from '@novella/contracts';
import { assertNever, type ErrorRecord } from '@novella/core';
import type { BlockDeviceMapping, OperationFacts } from '@novella/persistence';
import { volumeDisk } from './disks.js';
import { failure } from './failure.js';
import type { FlowIo, OperationFlow, Plan, StepDone, Turn } from './plan.js';
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
const OFF_HOST = 'off-host';
const RELEASE = 'release';
const RELEASED = 'released';
const COMPLETED = 'completed';

export const attach: OperationFlow<null> = {
  readFacts: () => Promise.resolve(null),

  decide(turn): Plan {
    const { operation, rows, answer } = turn;
    const mapping = rows.mappings[0];
    if (mapping === undefined) {
      return { do: 'fail', error: operation.error ?? failure('volume-detached', 'the attachment was withdrawn') };
    }
    if (answer !== null) return decideOnAnswer(turn, mapping, answer);
    switch (operation.step) {
      case COMPLETED:
        return { do: 'succeed', ...proof(mapping), changes: { mappings: [{ id: mapping.id, attached: true }] } };
      case COMPLETE:
        return { do: 'run', step: COMPLETE };
      case OFF_HOST:
        return offHost(rows, mapping, operation.error);
      case RELEASE:
        return { do: 'run', step: RELEASE };
      case RELEASED:
        return {
          do: 'fail',
          error: operation.error ?? failure('volume-detached', 'the attachment was withdrawn'),
          changes: { mappings: [{ id: mapping.id, removed: true }] },
        };
      default:
        return forward(rows, mapping);
    }
  },

  async run(step, { rows }, io): Promise<StepDone> {
    const mapping = rows.mappings[0];
    if (mapping === undefined) throw new Error(`attach step ${step} without a mapping`);
    switch (step) {
      case CONNECT:
        return connect(rows, mapping, io);
      case COMPLETE:
        if (mapping.attachmentId !== null) {
          await io.volumes.completeAttachment(rows.instance.projectId, mapping.attachmentId);
        }
        return { next: COMPLETED };
      case RELEASE:
        await releaseAttachments(rows, mapping, io);
        return { next: RELEASED };
      default:
        throw new Error(`attach has no step ${step}`);
    }
  },

  giveUp(step, turn, error): Plan {
    const mapping = turn.rows.mappings[0];
    return step === RELEASE || mapping === undefined ? UNDO_AGAIN : undo(turn, mapping, error);
  },
};

function forward(rows: OperationFacts, mapping: BlockDeviceMapping): Plan {
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
  return dispatchDisk('attach_volume', ON_HOST, rows, disk, instance.host);
}

function decideOnAnswer(turn: Turn, mapping: BlockDeviceMapping, answer: NonNullable<Turn['answer']>): Plan {
  switch (answer.status) {
    case 'attached': {
      const { hostBytes, guestBytes } = answer.disk;
      return {
        do: 'run',
        step: COMPLETE,
        changes: { mappings: [{ id: mapping.id, hostBytes, guestBytes }] },
      };
    }
    case 'detached':
      return { do: 'run', step: RELEASE };
    case 'stale':
      return { do: 'wait', for: 'retry' };
    case 'failed':
      if (turn.operation.step === OFF_HOST) return UNDO_AGAIN;
      if (!isBelieved(turn, answer.error)) return waitFor(answer.error);
      return undo(turn, mapping, answer.error);
    case 'grown':
    case 'built':
    case 'deleted':
      return waitFor(failure('internal', `the host answered an attach with "${answer.status}"`));
    default:
      return assertNever(answer);
  }
}

/** What no host was ever told of is on none. */
const undo = ({ operation, rows }: Turn, mapping: BlockDeviceMapping, error: ErrorRecord): Plan =>
  operation.attempt === 0 ? { do: 'run', step: RELEASE, error } : offHost(rows, mapping, error);

/** Whatever made the attach fail, the host is asked to make sure that the device is not there. */
function offHost(rows: OperationFacts, mapping: BlockDeviceMapping, error: ErrorRecord | null): Plan {
  const because = error === null ? {} : { error };
  const disk = volumeDisk(mapping);
  const fenced = rows.service?.forcedDown === true;
  if (disk === null || rows.instance.host === null || fenced) return { do: 'run', step: RELEASE, ...because };
  if (rows.service?.up !== true) return { do: 'wait', for: 'host', step: OFF_HOST, ...because };
  return { ...dispatchDisk('detach_volume', OFF_HOST, rows, disk, rows.instance.host), ...because };
}

function dispatchDisk(
  method: 'attach_volume' | 'detach_volume',
  step: string,
  rows: OperationFacts,
  disk: VolumeDisk,
  host: NonNullable<OperationFacts['instance']['host']>,
) {
  return { do: 'dispatch', step, host, command: { method, args: { server: rows.instance.id, disk } } } as const;
}

async function connect(rows: OperationFacts, mapping: BlockDeviceMapping, io: FlowIo): Promise<StepDone> {
  if (mapping.attachmentId === null || rows.service === null) throw new Error('connect decided without its facts');
  const { projectId } = rows.instance;
  const connector = rows.service.connectorProperties;
  const connection = await io.volumes.connectAttachment(projectId, mapping.attachmentId, connector, mapping.device);
  return { next: ON_HOST, changes: { mappings: [{ id: mapping.id, connection }] } };
}

/** Every attachment of this volume to this server, also one whose id was never heard. */
export async function releaseAttachments(rows: OperationFacts, mapping: BlockDeviceMapping, io: FlowIo): Promise<void> {
  const { projectId, id } = rows.instance;
  const known = mapping.attachmentId === null ? [] : [mapping.attachmentId];
  const found = mapping.attachmentId === null ? await io.volumes.attachments(projectId, mapping.volumeId, id) : [];
  for (const attachment of [...known, ...found]) await io.volumes.deleteAttachment(projectId, attachment);
}

export function proof(mapping: BlockDeviceMapping) {
  return mapping.guestBytes === null
    ? ({ verifiedBy: 'host-device', visible: 'next-start' } as const)
    : ({ verifiedBy: 'hypervisor', visible: 'now' } as const);
}
