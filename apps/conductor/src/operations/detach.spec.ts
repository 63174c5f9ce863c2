import { describe, expect, it } from '@jest/globals';
import type { Outcome } from '@novella/contracts';
import { type ErrorCode, ERRORS, POWER_KINDS } from '@novella/core';
import { facts, instance, mapping, operation, service } from '@novella/testing';
import { detach } from './detach.js';
import { failure } from './failure.js';
import type { Plan, Turn } from './plan.js';

const at = (step: string | null, over = {}) => operation({ kind: 'detach', step, ...over });
const decide = (over: Partial<Turn> = {}): Plan =>
  detach.decide({ operation: at(null), rows: facts(), answer: null, ...over }, null);
const failed = (code: ErrorCode): Outcome => ({
  status: 'failed',
  error: { code, grade: ERRORS[code], message: code, facts: {} },
});
const down = service({ up: false });

describe('detach decides', () => {
  it('to tell Cinder first, whether the host is up or not', () => {
    expect(decide()).toEqual({ do: 'run', step: 'begin' });
    expect(decide({ rows: facts({ service: down }) })).toEqual({ do: 'run', step: 'begin' });
  });

  it('to take the device from the host before anything is let go (rule 3.3b)', () => {
    expect(decide({ operation: at('off-host') })).toMatchObject({
      do: 'dispatch',
      step: 'off-host',
      command: { method: 'detach_volume', args: { disk: { device: 'vdb' } } },
    });
  });

  it('to let the attachment go once the host has reported the device gone, and to name it to no host again (rule 3.3b)', () => {
    expect(decide({ operation: at('off-host', { attempt: 1 }), answer: { status: 'detached' } })).toMatchObject({
      do: 'run',
      step: 'release',
      changes: { mappings: [{ connection: null }] },
    });
  });

  it('to forget the mapping last', () => {
    expect(decide({ operation: at('released') })).toMatchObject({
      do: 'succeed',
      changes: { mappings: [{ removed: true }] },
    });
  });

  it('that it is done when the volume is not attached any more', () => {
    expect(decide({ rows: facts({ mappings: [] }) })).toEqual({ do: 'succeed' });
  });

  it('to wait for a host that is away, but not for one that is fenced (rule 3.3b)', () => {
    const rows = facts({ service: down });
    expect(decide({ operation: at('off-host'), rows })).toMatchObject({ do: 'wait', for: 'host' });
    const fenced = facts({ service: service({ up: false, forcedDown: true }) });
    expect(decide({ operation: at('off-host'), rows: fenced })).toMatchObject({ do: 'run', step: 'release' });
  });

  it('to measure again when a deadline has passed, whatever it was before (rule 3.3a)', () => {
    const late = at('off-host', { attempt: 7, failures: 9 });
    expect(decide({ operation: late })).toMatchObject({ do: 'dispatch', command: { method: 'detach_volume' } });
  });

  it.each(POWER_KINDS)('to let a %s of the server go first', (kind) => {
    const rows = facts({ others: [{ kind, state: 'waiting', volumeId: null }] });
    expect(decide({ operation: at('off-host'), rows })).toMatchObject({ do: 'wait', for: 'server-task' });
  });

  it('to let a suspended server be resumed first, but not on a host that is fenced (rule 3.6g)', () => {
    const suspended = instance({ vmState: 'suspended' });
    const wait = decide({ operation: at('off-host'), rows: facts({ instance: suspended }) });
    expect(wait).toMatchObject({ do: 'wait', for: 'guest-start', step: 'off-host' });
    const fenced = facts({ instance: suspended, service: service({ up: false, forcedDown: true }) });
    expect(decide({ operation: at('off-host'), rows: fenced })).toMatchObject({ do: 'run', step: 'release' });
  });

  it('to leave all to a delete of the server, but not what it has begun at Cinder', () => {
    const rows = facts({ instance: instance({ taskState: 'deleting' }) });
    expect(decide({ operation: at('off-host'), rows })).toMatchObject({
      do: 'fail',
      error: { code: 'server-deleted' },
    });
    expect(decide({ operation: at('release'), rows })).toEqual({ do: 'run', step: 'release' });
    expect(decide({ operation: at('roll'), rows })).toEqual({ do: 'run', step: 'roll' });
  });

  it('to believe a busy guest after three tries, not before, and then to give Cinder its volume back', () => {
    const answer = failed('guest-busy');
    const twice = decide({ operation: at('off-host', { attempt: 2, failures: 1 }), answer });
    expect(twice).toMatchObject({ do: 'wait', countsAsFailure: true });
    const thrice = decide({ operation: at('off-host', { attempt: 3, failures: 2 }), answer });
    expect(thrice).toMatchObject({ do: 'run', step: 'roll', error: { code: 'guest-busy' } });
  });

  it('never to give Cinder back a volume whose disk the guest has let go of', () => {
    const tried = at('off-host', { attempt: 99, failures: 99 });
    expect(decide({ operation: tried, answer: failed('guest-disk-missing') })).toMatchObject({
      do: 'wait',
      for: 'retry',
    });
  });

  it('never to believe a hypervisor that does not answer', () => {
    const tried = at('off-host', { attempt: 99, failures: 99 });
    expect(decide({ operation: tried, answer: failed('hypervisor-unreachable') })).toMatchObject({ do: 'wait' });
  });

  it('to end with the reason and keep the mapping when Cinder has the volume back', () => {
    const plan = decide({ operation: at('rolled', { error: failure('guest-busy', 'x') }) });
    expect(plan).toEqual({ do: 'fail', error: failure('guest-busy', 'x') });
  });

  it('to try again after a stale answer', () => {
    expect(decide({ operation: at('off-host'), answer: { status: 'stale' } })).toEqual({ do: 'wait', for: 'retry' });
  });

  it('to ask Cinder for a secret again that the host cannot read', () => {
    const sealed = mapping({ sealedSecret: 'c2VhbGVk' });
    const rows = facts({ mappings: [sealed] });
    const plan = decide({ operation: at('off-host'), rows, answer: failed('secret-unreadable') });
    expect(plan).toMatchObject({ do: 'wait', for: 'retry', step: `reconnect ${sealed.volumeId}` });
  });
});

describe('detach gives up', () => {
  const refused = failure('cinder-refused', 'no');
  const turn: Turn = {
    operation: at(null, { error: failure('guest-busy', 'x') }),
    rows: facts(),
    answer: null,
  };

  it.each([
    ['begin', { do: 'fail', error: { code: 'cinder-refused' } }],
    // The volume is no longer detaching; the reason is still why the guest kept it.
    ['roll', { do: 'fail', error: { code: 'guest-busy' } }],
    ['release', { do: 'wait', for: 'retry' }],
  ] as const)('on %s at Cinder so', (step, plan) => {
    expect(detach.giveUp?.(step, turn, refused)).toMatchObject(plan);
  });
});
