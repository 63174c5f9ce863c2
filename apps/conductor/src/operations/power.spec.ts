import { describe, expect, it } from '@jest/globals';
import type { Outcome } from '@novella/contracts';
import {
  bytes,
  type ErrorCode,
  ERRORS,
  gib,
  gibToBytes,
  type OperationKind,
  type PowerState,
  type VmState,
} from '@novella/core';
import { facts, instance, mapping, operation, service, VOLUME } from '@novella/testing';
import type { OperationFlow, Plan, Turn } from './plan.js';
import { pause, unpause } from './pause.js';
import { reboot } from './reboot.js';
import { start } from './start.js';
import { stop } from './stop.js';
import { resume, suspend } from './suspend.js';

const FLOWS = { start, stop, reboot, pause, unpause, suspend, resume };
type Kind = Extract<OperationKind, keyof typeof FLOWS>;
const KINDS = Object.keys(FLOWS) as Kind[];
const OVERTAKEN = ['pause', 'unpause', 'suspend', 'resume'] as const;
const TASK = {
  start: 'powering-on',
  stop: 'powering-off',
  reboot: 'rebooting',
  pause: 'pausing',
  unpause: 'unpausing',
  suspend: 'suspending',
  resume: 'resuming',
} as const;
const FROM = { start: 'stopped', unpause: 'paused', resume: 'suspended' } as const satisfies Partial<
  Record<Kind, VmState>
>;

const [ONE, TWO] = [gibToBytes(gib(1)), gibToBytes(gib(2))];
const working = (kind: Kind, over = {}) =>
  instance({ vmState: kind in FROM ? FROM[kind as keyof typeof FROM] : 'active', taskState: TASK[kind], ...over });
function decide(kind: Kind, over: Partial<Turn> = {}): Plan {
  const flow: OperationFlow<null> = FLOWS[kind];
  const turn: Turn = {
    operation: operation({ kind, volumeId: null }),
    rows: facts({ instance: working(kind) }),
    answer: null,
    ...over,
  };
  return flow.decide(turn, null);
}
const failed = (code: ErrorCode): Outcome => ({
  status: 'failed',
  error: { code, grade: ERRORS[code], message: code, facts: {} },
});
const powered = (powerState: PowerState, guestBytes: number | null): Outcome => ({
  status: 'powered',
  powerState,
  disks: [{ volume: VOLUME, hostBytes: TWO, guestBytes: guestBytes === null ? null : bytes(guestBytes) }],
});
const tried = (kind: Kind) => operation({ kind, volumeId: null, attempt: 3, failures: 2 });

describe.each(KINDS)('%s decides', (kind) => {
  it('to send its command with all volumes that the guest has', () => {
    expect(decide(kind)).toMatchObject({
      do: 'dispatch',
      command: { method: `${kind}_instance`, args: { volumes: [{ volume: VOLUME, sealedSecret: null }] } },
    });
  });

  it('to name neither a volume that no host has reported in the guest nor one that is being let go', () => {
    const never = mapping({ hostBytes: null, attachedAt: null });
    const released = mapping({ connection: null });
    const rows = facts({ instance: working(kind), mappings: [never, released] });
    expect(decide(kind, { rows })).toMatchObject({ do: 'dispatch', command: { args: { volumes: [] } } });
  });

  it.each([
    ['down', service({ up: false })],
    ['forced down', service({ up: false, forcedDown: true })],
    ['unknown', null],
  ])('to wait for a host that is %s', (_, down) => {
    expect(decide(kind, { rows: facts({ instance: working(kind), service: down }) })).toMatchObject({
      do: 'wait',
      for: 'host',
    });
  });

  it('to wait while a host changes the disks of the server, but for nothing else', () => {
    const others = (state: 'dispatched' | 'waiting', other: OperationKind) =>
      facts({ instance: working(kind), others: [{ kind: other, state, volumeId: VOLUME }] });
    expect(decide(kind, { rows: others('dispatched', 'detach') })).toMatchObject({ do: 'wait', for: 'server-task' });
    expect(decide(kind, { rows: others('waiting', 'detach') })).toMatchObject({ do: 'dispatch' });
    expect(decide(kind, { rows: others('dispatched', 'extend') })).toMatchObject({ do: 'dispatch' });
  });

  it('to send the command again after its deadline, however often', () => {
    expect(decide(kind, { operation: operation({ kind, attempt: 99, failures: 99 }) })).toMatchObject({
      do: 'dispatch',
    });
  });

  it('to end for a server that is deleted', () => {
    const deleting = facts({ instance: working(kind, { taskState: 'deleting' }) });
    expect(decide(kind, { rows: deleting })).toMatchObject({ do: 'fail', error: { code: 'server-deleted' } });
    const deleted = facts({ instance: working(kind, { vmState: 'deleted', deletedAt: new Date(0) }) });
    const plan = decide(kind, { rows: deleted, answer: powered('running', TWO) });
    expect(plan).toEqual({ do: 'fail', error: expect.objectContaining({ code: 'server-deleted' }) });
  });

  it('that a guest which is not there is an error of the server', () => {
    expect(decide(kind, { answer: failed('domain-not-found') })).toMatchObject({
      do: 'fail',
      changes: { instance: { vmState: 'error', taskState: null, fault: { code: 500, message: 'domain-not-found' } } },
    });
  });

  it('to retry an unsure failure twice, and one of a hypervisor that does not answer for ever', () => {
    const answer = failed('hypervisor-refused');
    expect(decide(kind, { answer })).toMatchObject({ do: 'wait', for: 'retry', countsAsFailure: true });
    expect(decide(kind, { answer, operation: tried(kind) })).toMatchObject({ do: 'fail' });
    const away = decide(kind, { answer: failed('hypervisor-unreachable'), operation: tried(kind) });
    expect(away).toMatchObject({ do: 'wait' });
  });

  it('to try again after a stale answer', () => {
    expect(decide(kind, { answer: { status: 'stale' } })).toMatchObject({ do: 'wait', for: 'retry' });
  });

  it('to ask Cinder again for every secret that the host cannot read', () => {
    const rows = facts({ instance: working(kind), mappings: [mapping({ sealedSecret: 'c2VhbGVk' })] });
    const step = `reconnect ${VOLUME}`;
    expect(decide(kind, { rows, answer: failed('secret-unreadable') })).toMatchObject({ do: 'wait', step });
    expect(decide(kind, { rows, operation: operation({ kind, step }) })).toEqual({ do: 'run', step });
  });
});

describe('a guest that runs after it', () => {
  it.each(['start', 'reboot'] as const)('is recorded with what it sees: %s (rule 3.2c)', (kind) => {
    expect(decide(kind, { answer: powered('running', TWO) })).toMatchObject({
      do: 'succeed',
      verifiedBy: 'hypervisor',
      visible: 'now',
      behind: [],
      changes: {
        instance: { vmState: 'active', taskState: null, powerState: 'running' },
        mappings: [{ size: 2, hostBytes: TWO, guestBytes: TWO }],
      },
    });
  });

  it.each(['start', 'reboot'] as const)(
    'has its volume extended when it sees too little of it: %s (rule 3.2c)',
    (kind) => {
      const rows = facts({ instance: working(kind), mappings: [mapping({ size: gib(2), wantedBytes: TWO })] });
      const plan = decide(kind, { rows, answer: powered('running', ONE) });
      expect(plan).toMatchObject({
        do: 'succeed',
        behind: [VOLUME],
        changes: { mappings: [{ size: 2, guestBytes: ONE }] },
      });
    },
  );

  it('was not stopped: three times is a failure, and the server is what it is', () => {
    const answer = powered('running', TWO);
    expect(decide('stop', { answer })).toMatchObject({ do: 'wait', error: { code: 'hypervisor-refused' } });
    expect(decide('stop', { answer, operation: tried('stop') })).toMatchObject({
      do: 'fail',
      changes: { instance: { vmState: 'active', taskState: null, powerState: 'running' } },
    });
  });
});

describe('a guest that is off after it', () => {
  it.each(['shutdown', 'crashed'] as const)('is stopped: %s', (powerState) => {
    expect(decide('stop', { answer: powered(powerState, null) })).toMatchObject({
      do: 'succeed',
      visible: 'next-start',
      changes: { instance: { vmState: 'stopped', taskState: null }, mappings: [{ guestBytes: null }] },
    });
  });

  it.each([
    ['start', 'stopped'],
    ['reboot', 'error'],
  ] as const)('was not made to run: %s leaves the server %s', (kind, vmState) => {
    const answer = powered('shutdown', null);
    expect(decide(kind, { answer })).toMatchObject({ do: 'wait' });
    expect(decide(kind, { answer, operation: tried(kind) })).toMatchObject({
      do: 'fail',
      changes: { instance: { vmState, taskState: null, powerState: 'shutdown' } },
    });
  });
});

describe('a guest that goes on, or stands still, with the memory that it had', () => {
  const known = (guestBytes: number | null, over = {}) =>
    facts({ mappings: [mapping({ guestBytes: guestBytes === null ? null : bytes(guestBytes), ...over })] });
  const after = (kind: 'pause' | 'unpause' | 'resume', rows: ReturnType<typeof facts>, guestBytes: number) => {
    const powerState = kind === 'pause' ? 'paused' : 'running';
    const inTask = { ...rows, instance: working(kind) };
    return decide(kind, { rows: inTask, answer: powered(powerState, guestBytes) });
  };

  it.each([
    ['pause', 'paused'],
    ['unpause', 'active'],
    ['resume', 'active'],
  ] as const)('sees what it is known to have seen: %s', (kind, vmState) => {
    expect(after(kind, known(TWO), TWO)).toMatchObject({
      do: 'succeed',
      verifiedBy: 'hypervisor',
      visible: 'now',
      behind: [],
      changes: { instance: { vmState, taskState: null }, mappings: [{ hostBytes: TWO, guestBytes: TWO }] },
    });
  });

  it.each([
    ['less', ONE],
    ['nothing', null],
  ] as const)('has to be told when it is known to have seen %s, whatever is shown (rule 3.2e)', (_, seen) => {
    for (const kind of ['pause', 'unpause', 'resume'] as const) {
      expect(after(kind, known(seen), TWO)).toMatchObject({
        do: 'succeed',
        verifiedBy: 'host-device',
        visible: 'next-start',
        behind: [VOLUME],
        changes: { mappings: [{ hostBytes: TWO, guestBytes: null }] },
      });
    }
  });

  it('is extended when the hypervisor shows too little of what is wanted', () => {
    const rows = known(ONE, { size: gib(2), wantedBytes: TWO });
    expect(after('resume', rows, ONE)).toMatchObject({
      behind: [VOLUME],
      changes: { mappings: [{ guestBytes: ONE }] },
    });
  });

  it('knows after it was saved what it knew before', () => {
    const rows = facts({ instance: working('suspend'), mappings: [mapping({ guestBytes: ONE })] });
    const plan = decide('suspend', { rows, answer: powered('saved', null) });
    expect(plan).toMatchObject({
      do: 'succeed',
      verifiedBy: 'host-device',
      visible: 'next-start',
      behind: [],
      changes: { instance: { vmState: 'suspended', taskState: null, powerState: 'saved' } },
    });
    expect(plan).toHaveProperty('changes.mappings', [{ id: mapping().id, hostBytes: TWO }]);
  });

  it.each([
    ['pause', 'running', 'active'],
    ['unpause', 'paused', 'paused'],
    ['suspend', 'paused', 'paused'],
    ['resume', 'saved', 'suspended'],
    ['resume', 'shutdown', 'stopped'],
  ] as const)('is no %s when it is %s: three times is a failure, and the server is %s', (kind, powerState, vmState) => {
    const answer = powered(powerState, null);
    expect(decide(kind, { answer })).toMatchObject({ do: 'wait', error: { code: 'hypervisor-refused' } });
    expect(decide(kind, { answer, operation: tried(kind) })).toMatchObject({
      do: 'fail',
      changes: { instance: { vmState, taskState: null, powerState } },
    });
  });
});

describe.each(OVERTAKEN)('a %s that a hard reboot has overtaken', (kind) => {
  it.each(['rebooting_hard', null] as const)('does nothing more when the task is %s', (taskState) => {
    const rows = facts({ instance: working(kind, { taskState }) });
    expect(decide(kind, { rows })).toMatchObject({ do: 'fail', error: { code: 'server-rebooted' } });
    const reconnecting = operation({ kind, step: `reconnect ${VOLUME}` });
    expect(decide(kind, { rows, operation: reconnecting })).toMatchObject({ do: 'fail' });
  });

  it('is recorded when a host has done it meanwhile', () => {
    const rows = facts({ instance: working(kind, { taskState: 'rebooting_hard' }) });
    const reached = { pause: 'paused', unpause: 'running', suspend: 'saved', resume: 'running' } as const;
    expect(decide(kind, { rows, answer: powered(reached[kind], null) })).toMatchObject({ do: 'succeed' });
  });
});

describe('a failure that is believed', () => {
  const after = (kind: Kind, over: object) =>
    decide(kind, { rows: facts({ instance: working(kind, over) }), answer: failed('domain-not-ours') });

  it.each([
    ['start', { powerState: 'shutdown' }, 'stopped'],
    ['start', { powerState: 'running' }, 'active'],
    ['stop', { powerState: 'running' }, 'active'],
    ['stop', { vmState: 'error', powerState: 'running' }, 'error'],
    ['reboot', { powerState: 'running' }, 'active'],
    ['reboot', { powerState: 'shutdown' }, 'error'],
  ] as const)('of a %s with %j leaves the server %s', (kind, over, vmState) => {
    expect(after(kind, over)).toMatchObject({ do: 'fail', changes: { instance: { vmState, taskState: null } } });
  });
});

describe('a reboot', () => {
  it.each(['soft', 'hard'] as const)('is %s when that was asked for last', (type) => {
    const asked = operation({ kind: 'reboot', request: { type } });
    expect(decide('reboot', { operation: asked })).toMatchObject({ command: { args: { type } } });
  });
});
