import { describe, expect, it } from '@jest/globals';
import type { Outcome } from '@novella/contracts';
import { type ErrorCode, ERRORS, gib, gibToBytes } from '@novella/core';
import { facts, instance, mapping, operation, service, VOLUME } from '@novella/testing';
import { attach } from './attach.js';
import { failure } from './failure.js';
import type { Plan, Turn } from './plan.js';

const ONE = gibToBytes(gib(1));
const reserved = mapping({ connection: null, hostBytes: null, guestBytes: null, attachedAt: null });
const decide = (over: Partial<Turn> = {}): Plan =>
  attach.decide(
    { operation: operation({ kind: 'attach' }), rows: facts({ mappings: [reserved] }), answer: null, ...over },
    null,
  );
/** Once a host was told of it. */
const at = (step: string, over = {}) => operation({ kind: 'attach', step, attempt: 1, ...over });
const failed = (code: ErrorCode): Outcome => ({
  status: 'failed',
  error: { code, grade: ERRORS[code], message: code, facts: {} },
});

describe('attach decides', () => {
  it('to ask Cinder how the host reaches the volume, first', () => {
    expect(decide()).toMatchObject({ do: 'run', step: 'connect' });
  });

  it('to send the device to the host once Cinder has answered', () => {
    const plan = decide({ rows: facts(), operation: at('on-host') });
    expect(plan).toMatchObject({
      do: 'dispatch',
      command: { method: 'attach_volume', args: { disk: { device: 'vdb' } } },
    });
  });

  it('to complete the attachment at Cinder with what was read back', () => {
    const answer: Outcome = { status: 'attached', disk: { volume: VOLUME, hostBytes: ONE, guestBytes: ONE } };
    const plan = decide({ answer, rows: facts(), operation: at('on-host') });
    expect(plan).toMatchObject({
      do: 'run',
      step: 'complete',
      changes: { mappings: [{ hostBytes: ONE, guestBytes: ONE }] },
    });
  });

  it('to end well only after Cinder has completed the attachment', () => {
    expect(decide({ rows: facts(), operation: at('completed') })).toMatchObject({
      do: 'succeed',
      verifiedBy: 'hypervisor',
      changes: { mappings: [{ attached: true }] },
    });
  });

  it('to wait for a host that is down', () => {
    expect(decide({ rows: facts({ mappings: [reserved], service: service({ up: false }) }) })).toMatchObject({
      do: 'wait',
      for: 'host',
    });
  });

  it('to let go of what Cinder may hold when nobody confirmed the reservation', () => {
    const rows = facts({ mappings: [mapping({ attachmentId: null, connection: null })] });
    expect(decide({ rows })).toMatchObject({ do: 'run', step: 'release', error: { code: 'cinder-unreachable' } });
  });

  it('to leave everything to the delete when the server is being deleted', () => {
    const rows = facts({ mappings: [reserved], instance: instance({ taskState: 'deleting' }) });
    expect(decide({ rows })).toMatchObject({ do: 'fail', error: { code: 'server-deleted' } });
  });

  it('after a final failure, to make sure on the host that the device is not there (rules 3.4c, 3.7d)', () => {
    const plan = decide({ answer: failed('path-outside-roots'), rows: facts(), operation: at('on-host') });
    expect(plan).toMatchObject({
      do: 'dispatch',
      step: 'off-host',
      command: { method: 'detach_volume' },
      error: { code: 'path-outside-roots' },
    });
  });

  it('to let go without asking a host that was never told of the device', () => {
    const turn = { operation: at('on-host', { attempt: 0 }), rows: facts(), answer: failed('rpc-message-invalid') };
    expect(decide(turn)).toMatchObject({ do: 'run', step: 'release', error: { code: 'rpc-message-invalid' } });
  });

  it('to count tries on the host from one again after Cinder was away', () => {
    const away = at('on-host', { failures: 9, error: failure('cinder-unreachable', 'x') });
    const turn = { operation: away, rows: facts(), answer: failed('hypervisor-refused') };
    expect(decide(turn)).toMatchObject({ do: 'wait', for: 'retry' });
  });

  it('to keep why it undoes when the host calls the undo stale', () => {
    const plan = decide({ answer: { status: 'stale' }, rows: facts(), operation: at('off-host') });
    expect(plan).toEqual({ do: 'wait', for: 'retry' });
  });

  it('to retry an unsure failure twice before it undoes', () => {
    const answer = failed('hypervisor-refused');
    const once = at('on-host', { failures: 1 });
    const twice = at('on-host', { failures: 2 });
    expect(decide({ answer, rows: facts(), operation: once })).toMatchObject({ do: 'wait', for: 'retry' });
    expect(decide({ answer, rows: facts(), operation: twice })).toMatchObject({ do: 'dispatch', step: 'off-host' });
  });

  it('never to free the attachment while the host is away, but when it is fenced (rule 3.3b)', () => {
    const undo = at('off-host', { error: failure('path-outside-roots', 'x') });
    const down = facts({ service: service({ up: false }) });
    const fenced = facts({ service: service({ up: false, forcedDown: true }) });
    expect(decide({ rows: down, operation: undo })).toMatchObject({ do: 'wait', for: 'host', step: 'off-host' });
    expect(decide({ rows: fenced, operation: undo })).toMatchObject({ do: 'run', step: 'release' });
  });

  it('to repeat an undo that failed without losing why it began', () => {
    const plan = decide({ answer: failed('guest-busy'), rows: facts(), operation: at('off-host') });
    expect(plan).toMatchObject({ do: 'wait', countsAsFailure: true });
    expect(plan).not.toHaveProperty('error');
  });

  it('to end with the first error and without the mapping once all is undone (rule 3.4c)', () => {
    const undone = at('released', { error: failure('path-outside-roots', 'x') });
    expect(decide({ rows: facts(), operation: undone })).toMatchObject({
      do: 'fail',
      error: { code: 'path-outside-roots' },
      changes: { mappings: [{ removed: true }] },
    });
  });

  it('to undo when Cinder refuses the connector, and to repeat a release that Cinder refuses', () => {
    const turn = { operation: at('connect', { attempt: 0 }), rows: facts({ mappings: [reserved] }), answer: null };
    const refused = failure('cinder-refused', 'no');
    expect(attach.giveUp?.('connect', turn, refused)).toMatchObject({ do: 'run', step: 'release', error: refused });
    expect(attach.giveUp?.('release', turn, refused)).toMatchObject({ do: 'wait', for: 'retry' });
  });

  it('to let a start, stop or reboot of the server go first', () => {
    const rows = facts({ others: [{ kind: 'reboot', state: 'waiting', volumeId: null }] });
    expect(decide({ rows, operation: at('on-host') })).toMatchObject({ do: 'wait', for: 'server-task' });
  });

  it('to let a suspended server be resumed first, when its device is put in and when it is taken away (rule 3.6g)', () => {
    const rows = facts({ instance: instance({ vmState: 'suspended' }) });
    expect(decide({ rows, operation: at('on-host') })).toMatchObject({ do: 'wait', for: 'guest-start' });
    const undone = decide({ rows, operation: at('off-host') });
    expect(undone).toMatchObject({ do: 'wait', for: 'guest-start', step: 'off-host' });
  });

  it('to ask Cinder again for a secret that the host cannot read, three times at the most', () => {
    const rows = facts({ mappings: [mapping({ sealedSecret: 'c2VhbGVk' })] });
    const answer = failed('secret-unreadable');
    const step = `reconnect ${VOLUME}`;
    expect(decide({ rows, answer, operation: at('on-host') })).toMatchObject({ do: 'wait', for: 'retry', step });
    expect(decide({ rows, operation: at(step) })).toEqual({ do: 'run', step });
    const often = at('on-host', { failures: 2 });
    expect(decide({ rows, answer, operation: often })).toMatchObject({ do: 'dispatch', step: 'off-host' });
  });
});
