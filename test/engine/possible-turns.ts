import {
  type BlockDeviceMappingId,
  type Bytes,
  type ErrorCode,
  ERRORS,
  type ErrorRecord,
  gib,
  gibToBytes,
  NovellaError,
  type OperationKind,
  type PowerState,
  type TaskState,
  type VolumeId,
} from '@novella/core';
import type { Outcome } from '@novella/contracts';
import type { BlockDeviceMapping, Instance, OperationFacts } from '@novella/persistence';
import { CONNECTION, HOST, instance, mapping, operation, service, VOLUME } from '@novella/testing';
import type { FlowIo, Turn } from '../../apps/conductor/src/operations/plan.js';

/** All turns of an operation at a step that differ in something that a flow looks at. */
export function* turnsOf(
  kind: OperationKind,
  step: string | null,
  answers: readonly (Outcome | null)[],
): Generator<Turn> {
  const ofOneVolume = kind === 'attach' || kind === 'detach' || kind === 'extend';
  const volumeId = ofOneVolume ? VOLUME : null;
  // An answer is about what was sent: nobody looks then at what else is under way, but for who changes the power.
  const others = answers === NONE ? OTHERS : OTHERS.slice(0, 2);
  const failures = answers === NONE ? [0] : [0, 9];
  const operations = failures.flatMap((failed) =>
    [0, 1].flatMap((attempt) =>
      REASONS.map((error) => operation({ kind, step, volumeId, attempt, error, failures: failed })),
    ),
  );
  for (const server of serversOf(kind))
    for (const mappings of ofOneVolume ? OF_ONE_VOLUME : OF_A_SERVER)
      for (const other of others)
        for (const one of operations)
          for (const answer of answers) yield { operation: one, rows: { ...server, mappings, others: other }, answer };
}

const record = (code: ErrorCode): ErrorRecord => ({ code, grade: ERRORS[code], message: code, facts: {} });
const failed = (code: ErrorCode): Outcome => ({ status: 'failed', error: record(code) });
const powered = (powerState: PowerState): Outcome => ({ status: 'powered', powerState, disks: [] });
const grown = (hostBytes: Bytes, guestBytes: Bytes | null): Outcome => ({ status: 'grown', hostBytes, guestBytes });
const ONE = gibToBytes(gib(1));

export const NONE: readonly null[] = [null];
/** Each answer of the contract; failures that differ in what follows from them. */
export const ANSWERS: readonly Outcome[] = [
  { status: 'built', powerState: 'running', disks: [] },
  { status: 'deleted' },
  { status: 'attached', disk: { volume: VOLUME, hostBytes: ONE, guestBytes: ONE } },
  { status: 'detached' },
  grown(ONE, ONE),
  grown(ONE, gibToBytes(gib(0))),
  powered('running'),
  powered('shutdown'),
  powered('paused'),
  powered('saved'),
  { status: 'stale' },
  failed('host-device-missing'),
  failed('hypervisor-unreachable'),
  failed('paths-down'),
  failed('guest-busy'),
  failed('secret-unreadable'),
  failed('disk-cannot-grow'),
  failed('domain-not-found'),
];

const PLACES: readonly { host: Instance['host']; service: OperationFacts['service'] }[] = [
  { host: HOST, service: service() },
  { host: HOST, service: service({ up: false }) },
  { host: HOST, service: service({ up: false, forcedDown: true }) },
  { host: null, service: null },
];

/** The task of those that a hard reboot may overtake. */
const OWN_TASK: Partial<Record<OperationKind, TaskState>> = {
  pause: 'pausing',
  unpause: 'unpausing',
  suspend: 'suspending',
  resume: 'resuming',
};

function serversOf(kind: OperationKind): Pick<OperationFacts, 'instance' | 'service'>[] {
  const own = OWN_TASK[kind];
  const states: readonly Partial<Instance>[] = [
    { taskState: own ?? null },
    { taskState: 'deleting' },
    { deletedAt: new Date(0) },
    own === undefined ? { vmState: 'suspended' } : { taskState: 'rebooting_hard' },
  ];
  return PLACES.flatMap(({ host, service: placedOn }) =>
    states.map((state) => ({ instance: instance({ ...state, host }), service: placedOn })),
  );
}

const UNCONFIRMED = { attachmentId: null, connection: null, attachedAt: null, hostBytes: null, guestBytes: null };
const SECOND = { id: 'second' as BlockDeviceMappingId, volumeId: 'second' as VolumeId };
const OF_ONE_VOLUME: readonly (readonly BlockDeviceMapping[])[] = [
  [],
  [mapping(UNCONFIRMED)],
  [mapping({ connection: null, attachedAt: null })],
  [mapping({ attachedAt: null })],
  [mapping()],
  [mapping({ sealedSecret: 'sealed' })],
  [mapping({ connection: { ...CONNECTION, format: 'qcow2' } })],
];
const OF_A_SERVER = [...OF_ONE_VOLUME, [mapping({ sealedSecret: 'one' }), mapping({ ...SECOND, sealedSecret: 'two' })]];

const OTHERS: readonly OperationFacts['others'][] = [
  [],
  [{ kind: 'stop', state: 'queued', volumeId: null }],
  [{ kind: 'attach', state: 'dispatched', volumeId: VOLUME }],
  [{ kind: 'detach', state: 'dispatched', volumeId: VOLUME }],
  [{ kind: 'build', state: 'queued', volumeId: null }],
];

/** Why an operation is being undone, or what it failed with last. */
const REASONS = [null, record('internal')];

const connected = { connection: CONNECTION, secret: null };
const IDLE: FlowIo = {
  computeServices: () => Promise.resolve([service()]),
  volumes: {
    volume: () => Promise.resolve({ size: gib(2), status: 'in-use', extendingTo: null }),
    attachments: () => Promise.resolve([]),
    connectAttachment: () => Promise.resolve(connected),
    connection: () => Promise.resolve(connected),
    completeAttachment: () => Promise.resolve(),
    deleteAttachment: () => Promise.resolve(),
    beginDetaching: () => Promise.resolve(),
    rollDetaching: () => Promise.resolve(),
    completeExtend: () => Promise.resolve(),
    encryption: () => Promise.resolve(null),
    deleteVolume: () => Promise.resolve(),
    volumesThatAre: () => (async function* () {})(),
  },
};

/** Whatever Cinder is asked fails so. */
const failing = (error: Error): FlowIo => {
  const fails = () => Promise.reject(error);
  const methods = Object.keys(IDLE.volumes).map((name) => [name, fails]);
  return { ...IDLE, volumes: Object.fromEntries(methods) as FlowIo['volumes'] };
};

/** How what is asked of others may go. */
export const IOS: readonly FlowIo[] = [
  IDLE,
  { ...IDLE, computeServices: () => Promise.resolve([]) },
  { ...IDLE, computeServices: () => Promise.reject(new Error('the store has broken down')) },
  ...(['cinder-unreachable', 'cinder-refused', 'volume-not-found', 'internal'] as const).map((code) =>
    failing(new NovellaError(code, code)),
  ),
];
