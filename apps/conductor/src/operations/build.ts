import type { ImageSource, ImageSources } from '@novella/contracts';
import { assertNever, type BootImage, type ErrorRecord } from '@novella/core';
import type { Instance, Operation, OperationFacts, Service } from '@novella/persistence';
import { connect, RECONNECT, reconnect, reconnectFor, reconnecting, releaseAttachments } from './attachments.js';
import { chooseHosts, roomNeeded } from './choose-hosts.js';
import { connectedDisks, proof, readBack } from './disks.js';
import { failure } from './failure.js';
import { OFF_HOST, RELEASE, RELEASED, serverOffHost } from './off-host.js';
import type { FlowIo, OperationFlow, Plan, Steps, Turn } from './plan.js';
import { isBelieved, UNDO_AGAIN, waitFor } from './retry.js';

/**
 * Builds a server: takes room on a host, connects its volumes there, starts the guest.
 *
 *   (place) -> connect -> on-host -> complete -> active
 *   undo: off-host -> release -> error          (no attachment goes before the host reported the guest gone)
 *
 * Mirrors nova:nova/conductor/manager.py schedule_and_build_instances and compute/manager.py _do_build_and_run_instance.
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
type BuildPlan = Plan<typeof STEPS>;

interface BuildFacts {
  /** Where the server could be placed; null when it has a host, or is being undone without one. */
  readonly services: readonly Service[] | null;
  /** Where its host can get its images now; null: the host has them, or it boots from none. */
  readonly images: ImageSources | null;
}

export const build: OperationFlow<BuildFacts, typeof STEPS> = {
  steps: STEPS,

  async readFacts({ operation, rows, answer }, io) {
    const placing = answer === null && operation.step === null && rows.instance.host === null;
    return {
      services: placing ? await io.computeServices() : null,
      images: answer === null ? imageSources(rows.instance, operation, io.imageLinks) : null,
    };
  },

  decide(turn, facts): BuildPlan {
    const { operation, rows, answer } = turn;
    if (rows.instance.deletedAt !== null) {
      return { do: 'fail', error: operation.error ?? failure('server-deleted', 'the server is deleted') };
    }
    if (answer !== null) return decideOnAnswer(turn, answer);
    switch (operation.step) {
      case COMPLETE:
        return { do: 'run', step: COMPLETE };
      case COMPLETED:
        return succeed(rows);
      case OFF_HOST:
        return serverOffHost(rows, operation.error);
      case RELEASE:
        return { do: 'run', step: RELEASE };
      case RELEASED:
        return fail(
          rows,
          operation.error ?? failure('internal', 'the build was undone for a reason that was not kept'),
        );
      default:
        return reconnecting(operation) ?? forward(turn, facts);
    }
  },

  async run(step, { rows }, io) {
    switch (step) {
      case CONNECT: {
        // One at a time, so that what Cinder has connected is stored before it begins with the next.
        const mapping = rows.mappings.find(({ connection }) => connection === null);
        const changes = mapping === undefined ? {} : { mappings: [await connect(rows, mapping, io)] };
        return { next: ON_HOST, changes };
      }
      case COMPLETE:
        for (const { attachmentId } of rows.mappings) {
          if (attachmentId !== null) await io.volumes.completeAttachment(rows.instance.projectId, attachmentId);
        }
        return { next: COMPLETED };
      case RELEASE:
        for (const mapping of rows.mappings) await releaseAttachments(rows, mapping, io);
        return { next: RELEASED };
      default:
        return reconnect(step, rows, io, ON_HOST);
    }
  },

  giveUp: (step, turn, error): BuildPlan => (step === RELEASE ? UNDO_AGAIN : undo(turn, error)),
};

function forward(turn: Turn, { services, images }: BuildFacts): BuildPlan {
  const { instance, mappings, service } = turn.rows;
  if (instance.taskState === 'deleting') {
    return undo(turn, failure('server-deleted', 'the server was deleted while it was being built'));
  }
  if (mappings.some(({ attachmentId }) => attachmentId === null)) {
    return {
      do: 'run',
      step: RELEASE,
      error: failure('cinder-unreachable', 'the reservation of a volume was never confirmed'),
    };
  }
  if (instance.host === null) {
    const need = roomNeeded(instance);
    const hosts = chooseHosts(services ?? [], need);
    if (hosts.length > 0) return { do: 'place', hosts, need };
    return { do: 'run', step: RELEASE, error: failure('no-valid-host', 'no host that is up has room for the server') };
  }
  if (service?.up !== true) return { do: 'wait', for: 'host' };
  if (mappings.some((mapping) => mapping.connection === null)) return { do: 'run', step: CONNECT };
  return {
    do: 'dispatch',
    step: ON_HOST,
    host: instance.host,
    command: {
      method: 'build_instance',
      args: {
        server: instance.id,
        domainName: domainName(instance),
        displayName: instance.name,
        projectId: instance.projectId,
        vcpus: instance.flavor.vcpus,
        memoryMib: instance.flavor.memoryMib,
        rootGib: instance.flavor.rootGib,
        imageRef: instance.imageRef,
        images,
        rootBus: instance.diskBus,
        bootVolume: mappings.find(({ bootIndex }) => bootIndex === 0)?.volumeId ?? null,
        volumes: connectedDisks(mappings),
      },
    },
  };
}

function decideOnAnswer(turn: Turn, answer: NonNullable<Turn['answer']>): BuildPlan {
  const { operation, rows } = turn;
  switch (answer.status) {
    case 'built':
      return {
        do: 'run',
        step: COMPLETE,
        changes: {
          instance: { powerState: answer.powerState },
          mappings: readBack(rows.mappings, answer.disks).changes,
        },
      };
    case 'deleted':
      return { do: 'run', step: RELEASE };
    case 'stale':
      return { do: 'wait', for: 'retry' };
    case 'failed':
      if (operation.step === OFF_HOST) return UNDO_AGAIN;
      if (!isBelieved(turn, answer.error)) return reconnectFor(answer.error, rows) ?? waitFor(answer.error);
      return undo(turn, answer.error);
    case 'grown':
    case 'attached':
    case 'detached':
    case 'powered':
      if (operation.step === OFF_HOST) return UNDO_AGAIN;
      return waitFor(failure('internal', `the host answered a build with "${answer.status}"`));
    default:
      return assertNever(answer);
  }
}

/** What no host was ever told of is on none. */
const undo = ({ operation, rows }: Turn, error: ErrorRecord): BuildPlan =>
  operation.attempt === 0 ? { do: 'run', step: RELEASE, error } : serverOffHost(rows, error);

function succeed({ instance, mappings }: OperationFacts): BuildPlan {
  return {
    do: 'succeed',
    ...proof(mappings),
    changes: {
      instance: {
        vmState: instance.powerState === 'running' ? 'active' : 'stopped',
        taskState: null,
        launched: true,
      },
      mappings: mappings.map(({ id }) => ({ id, attached: true })),
    },
  };
}

function fail({ instance, mappings }: OperationFacts, error: ErrorRecord): BuildPlan {
  return {
    do: 'fail',
    error,
    changes: {
      instance: {
        vmState: 'error',
        taskState: null,
        fault: { code: 500, message: error.message, details: `${error.code}: ${error.message}` },
      },
      // A delete still has to delete the volumes that were to go with the server.
      mappings: instance.taskState === 'deleting' ? [] : mappings.map(({ id }) => ({ id, removed: true })),
    },
  };
}

/** Links are for the host that the server has now, and for this operation. */
function imageSources(
  { bootImages, host }: Instance,
  { id: operation }: Operation,
  links: FlowIo['imageLinks'],
): ImageSources | null {
  if (bootImages === null || host === null || links === undefined) return null;
  const source = (image: BootImage): ImageSource => ({
    ...image,
    url: image.size === 0 ? null : links.link({ image: image.id, host, operation }),
  });
  const { image, kernel, ramdisk } = bootImages;
  return {
    image: source(image),
    kernel: kernel === null ? null : source(kernel),
    ramdisk: ramdisk === null ? null : source(ramdisk),
  };
}

const domainName = ({ number }: Instance): string => `instance-${number.toString(16).padStart(8, '0')}`;
