import { describe, expect, it } from '@jest/globals';
import { bytes, type ErrorCode, ERRORS, gib, gibToBytes, POWER_KINDS, type PowerKind } from '@novella/core';
import type { Outcome } from '@novella/contracts';
import { CONNECTION, facts, instance, mapping, operation, service, VOLUME } from '@novella/testing';
import { extend } from './extend.js';
import { failure } from './failure.js';
import type { FlowIo, Plan, Turn } from './plan.js';

const TWO = gibToBytes(gib(2));
const turn = (over: Partial<Turn> = {}): Turn => ({ operation: operation(), rows: facts(), answer: null, ...over });
const decide = (over: Partial<Turn> = {}, size: number | null = 2): Plan =>
  extend.decide(turn(over), { size: size === null ? null : gib(size) });
const failed = (code: ErrorCode): Outcome => ({
  status: 'failed',
  error: { code, grade: ERRORS[code], message: code, facts: {} },
});

describe('extend asks Cinder', () => {
  const asking = async (step: string | null): Promise<number> => {
    let asked = 0;
    const volumes = {
      volume: () => {
        asked += 1;
        return Promise.resolve({ size: gib(2), status: 'in-use', extendingTo: null });
      },
    };
    await extend.readFacts(turn({ operation: operation({ step }) }), { volumes } as unknown as FlowIo);
    return asked;
  };

  it.each([[null], ['on-host']])('for the size before the host is told of it: %s', async (step) => {
    expect(await asking(step)).toBe(1);
  });

  it.each(['tell-grown', 'told-grown', 'tell-failed', 'told-failed', `reconnect ${VOLUME}`])(
    'for nothing where no answer could change the end: %s',
    async (step) => {
      expect(await asking(step)).toBe(0);
    },
  );
});

describe('extend decides (rule 2.4b)', () => {
  it('to tell the host what Cinder says now, when the host is up (rule 2.4a)', () => {
    const plan = decide();
    expect(plan).toMatchObject({ do: 'dispatch', host: 'compute-1', command: { args: { wantedBytes: TWO } } });
    expect(plan).toMatchObject({ changes: { mappings: [{ wantedBytes: TWO }] } });
  });

  it('to want less by the overhead recorded at attach (rule 3.2d)', () => {
    const rows = facts({ mappings: [mapping({ overheadBytes: bytes(2_097_152) })] });
    expect(decide({ rows })).toMatchObject({ command: { args: { wantedBytes: TWO - 2_097_152 } } });
  });

  const REFUSALS: [string, Partial<Turn>, ErrorCode][] = [
    ['the server is deleted', { rows: facts({ instance: instance({ deletedAt: new Date(0) }) }) }, 'server-deleted'],
    [
      'the server is being deleted',
      { rows: facts({ instance: instance({ taskState: 'deleting' }) }) },
      'server-deleted',
    ],
    ['the volume is not attached', { rows: facts({ mappings: [] }) }, 'volume-not-attached'],
    [
      'the attachment never completed',
      { rows: facts({ mappings: [mapping({ connection: null })] }) },
      'volume-not-attached',
    ],
    ['the server is on no host', { rows: facts({ instance: instance({ host: null }) }) }, 'server-has-no-host'],
  ];
  it.each(REFUSALS)('to end with a reason when %s', (_, over, code) => {
    expect(decide(over)).toMatchObject({ do: 'fail', error: { code } });
  });

  it('to wait for the server while the attach is under way', () => {
    const rows = facts({
      mappings: [mapping({ attachedAt: null })],
      others: [{ kind: 'attach', state: 'dispatched', volumeId: null }],
    });
    expect(decide({ rows })).toMatchObject({ do: 'wait', for: 'server-task' });
  });

  it.each([
    ['down', service({ up: false })],
    ['unknown', null],
  ])('to wait for a host that is %s (rule 3.1b)', (_, down) => {
    expect(decide({ rows: facts({ service: down }) })).toMatchObject({ do: 'wait', for: 'host' });
  });

  it('success only with the sizes that were read back (rule 3.2a)', () => {
    const answer: Outcome = { status: 'grown', hostBytes: TWO, guestBytes: TWO };
    expect(decide({ answer }, null)).toMatchObject({
      do: 'succeed',
      verifiedBy: 'hypervisor',
      visible: 'now',
      changes: { mappings: [{ size: 2, hostBytes: TWO, guestBytes: TWO }] },
    });
  });

  it('success that is visible at the next start when the guest is off (rules 3.2a, 2.6e)', () => {
    const answer: Outcome = { status: 'grown', hostBytes: TWO, guestBytes: null };
    expect(decide({ answer }, null)).toMatchObject({ do: 'succeed', verifiedBy: 'host-device', visible: 'next-start' });
  });

  it.each([
    ['guest', { hostBytes: TWO, guestBytes: gibToBytes(gib(1)) }],
    ['host, with the guest off,', { hostBytes: gibToBytes(gib(1)), guestBytes: null }],
  ])('no success when the %s has less than was wanted (rule 3.2b)', (_, sizes) => {
    const rows = facts({ mappings: [mapping({ wantedBytes: TWO })] });
    const plan = decide({ answer: { status: 'grown', ...sizes }, rows }, null);
    expect(plan).toMatchObject({ do: 'wait', error: { code: 'guest-size-not-reached' }, countsAsFailure: true });
  });

  it('to count tries on the host from one again after Cinder was away', () => {
    const away = operation({ failures: 9, error: failure('cinder-unreachable', 'x') });
    const answer = failed('host-device-too-small');
    expect(decide({ answer, operation: away }, null)).toMatchObject({ do: 'wait', for: 'retry' });
  });

  it.each(['volume-detached', 'disk-cannot-grow', 'path-outside-roots'] as const)('to believe %s at once', (code) => {
    const plan = decide({ answer: failed(code) }, null);
    expect(plan).toMatchObject({
      do: 'fail',
      error: { code },
    });
  });

  it('to believe a device that stays too small after three tries, not before', () => {
    const answer = failed('host-device-too-small');
    expect(decide({ answer, operation: operation({ failures: 1 }) }, null)).toMatchObject({ do: 'wait', for: 'retry' });
    expect(decide({ answer, operation: operation({ failures: 2 }) }, null)).toMatchObject({ do: 'fail' });
  });

  it('never to believe a hypervisor that does not answer', () => {
    const answer = failed('hypervisor-unreachable');
    const tried = operation({ failures: 1_000 });
    expect(decide({ answer, operation: tried }, null)).toMatchObject({ do: 'wait', countsAsFailure: true });
  });

  it.each([
    ['paths-down', 'paths'],
    ['guest-busy', 'migration'],
  ] as const)('to wait for what %s names', (code, what) => {
    expect(decide({ answer: failed(code) }, null)).toMatchObject({ do: 'wait', for: what });
  });

  it('to try again after a stale answer', () => {
    expect(decide({ answer: { status: 'stale' } }, null)).toMatchObject({ do: 'wait', for: 'retry' });
  });
});

describe('extend of a server that is suspended', () => {
  it('goes to the host, with what the guest is known to have seen', () => {
    const rows = facts({ instance: instance({ vmState: 'suspended' }), mappings: [mapping({ guestBytes: TWO })] });
    expect(decide({ rows })).toMatchObject({ do: 'dispatch', command: { args: { seenBytes: TWO } } });
    const unknown = facts({ mappings: [mapping({ guestBytes: null })] });
    expect(decide({ rows: unknown })).toMatchObject({ do: 'dispatch', command: { args: { seenBytes: null } } });
  });
});

describe('extend, beside other operations of the server,', () => {
  const beside = (kind: 'detach' | PowerKind, volumeId: typeof VOLUME | null, over = {}) =>
    decide({ rows: facts({ others: [{ kind, state: 'waiting', volumeId }], ...over }) });

  it.each(POWER_KINDS)('waits for a %s', (kind) => {
    expect(beside(kind, null)).toMatchObject({ do: 'wait', for: 'server-task' });
  });

  it('waits for a detach of its volume, also when the host has let it go, but not for one of another', () => {
    expect(beside('detach', VOLUME)).toMatchObject({ do: 'wait', for: 'server-task' });
    const gone = { mappings: [mapping({ connection: null })] };
    expect(beside('detach', VOLUME, gone)).toMatchObject({ do: 'wait', for: 'server-task' });
    expect(beside('detach', '99999999-9999-4999-8999-999999999999' as typeof VOLUME)).toMatchObject({ do: 'dispatch' });
  });
});

describe('the size that extend wants', () => {
  const extending = { size: gib(1), status: 'extending', extendingTo: gib(3) };
  const factsOf = (format: 'raw' | 'qcow2') => {
    const rows = facts({ mappings: [mapping({ connection: { ...CONNECTION, format } })] });
    const volumes = { volume: () => Promise.resolve(extending) } as unknown as FlowIo['volumes'];
    return extend.readFacts(turn({ rows }), { volumes, computeServices: () => Promise.resolve([]) });
  };

  it('is what Cinder waits for where the host grows the file itself, and what Cinder has grown elsewhere', async () => {
    expect(await factsOf('qcow2')).toEqual({ size: 3 });
    expect(await factsOf('raw')).toEqual({ size: 1 });
  });
});
