import { describe, expect, it } from '@jest/globals';
import { gib, minutes, type OperationKind } from '@novella/core';
import type { Operation } from '@novella/persistence';
import { facts, instance, mapping, operation, service } from '@novella/testing';
import { attach } from './attach.js';
import { build } from './build.js';
import { deleteServer } from './delete.js';
import { detach } from './detach.js';
import { extend } from './extend.js';
import { pause, unpause } from './pause.js';
import type { Plan } from './plan.js';
import { reboot } from './reboot.js';
import { DEADLINES } from './retry.js';
import { start } from './start.js';
import { stop } from './stop.js';
import { resume, suspend } from './suspend.js';

const NOTHING = { size: null, services: null };
const FLOWS = {
  attach,
  build,
  delete: deleteServer,
  detach,
  extend,
  reboot,
  start,
  stop,
  pause,
  unpause,
  suspend,
  resume,
};
const TASKS = { pause: 'pausing', unpause: 'unpausing', suspend: 'suspending', resume: 'resuming' } as const;
const STEPS: Record<keyof typeof FLOWS, string | null> = {
  attach: 'on-host',
  build: 'on-host',
  delete: 'off-host',
  detach: 'off-host',
  extend: null,
  reboot: 'on-host',
  start: 'on-host',
  stop: 'on-host',
  pause: 'on-host',
  unpause: 'on-host',
  suspend: 'on-host',
  resume: 'on-host',
};
const KINDS = Object.keys(FLOWS) as (keyof typeof FLOWS)[];

/** A command was sent for the operation, and its deadline has passed without an answer. */
const unanswered = (kind: OperationKind, over: Partial<Operation> = {}): Operation =>
  operation({
    kind,
    state: 'dispatched',
    attempt: 3,
    fence: 9,
    failures: 50,
    volumeId: kind === 'attach' || kind === 'detach' || kind === 'extend' ? mapping().volumeId : null,
    ...over,
  });

function decide(kind: keyof typeof FLOWS, { service: at = service() } = {}): Plan {
  const taskState = kind in TASKS ? TASKS[kind as keyof typeof TASKS] : null;
  const rows = facts({ instance: instance({ taskState }), service: at });
  const turn = { operation: unanswered(kind, { step: STEPS[kind] }), rows, answer: null };
  const flow = FLOWS[kind] as { decide: (given: typeof turn, read: unknown) => Plan };
  return flow.decide(turn, kind === 'extend' ? { size: gib(2) } : NOTHING);
}

describe('a command that has no answer by its deadline', () => {
  it.each(KINDS)(
    'is sent to the same host again, which measures first: %s, after fifty failures (rule 3.3a)',
    (kind) => {
      expect(decide(kind)).toMatchObject({ do: 'dispatch', host: instance().host });
    },
  );

  it.each(KINDS)('is waited with, and nothing is ended or let go, while the host is away: %s (rule 3.3a)', (kind) => {
    expect(decide(kind, { service: service({ up: false }) })).toMatchObject({ do: 'wait', for: 'host' });
  });

  it('never has the server placed on another host (rule 3.3c)', () => {
    const services = [service({ host: 'other' as never })];
    const rows = facts({ service: service({ up: false }) });
    const plan = build.decide(
      { operation: unanswered('build', { step: 'on-host' }), rows, answer: null },
      { services, images: null },
    );
    expect(plan).toMatchObject({ do: 'wait', for: 'host' });
  });
});

describe('the deadlines of commands', () => {
  it('stand in one table, each below the quarter of an hour after which no effect may still run (rule 3.7a)', () => {
    expect(Object.entries(DEADLINES).filter(([, deadline]) => deadline >= minutes(15))).toEqual([]);
  });
});
