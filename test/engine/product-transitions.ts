import { assertNever, OPERATION_KINDS, type OperationKind } from '@novella/core';
import type { FlowIo, OperationFlow, Plan, Turn } from '../../apps/conductor/src/operations/plan.js';
import { keepingReason, planForError, stepFailed } from '../../apps/conductor/src/operations/plans-for-errors.js';
import { FLOWS } from '../../apps/conductor/src/operations/turns.js';
import { ANSWERS, IOS, NONE, turnsOf } from './possible-turns.js';
import { causeOf, ITS_TURN, named, transition, type Write } from './transitions.js';

/**
 * All transitions that the product can make, found by asking it: from each step that can be reached `decide`, `run`,
 * `giveUp` and `readFacts` of each flow are called with every combination of the facts that they look at. Facts are
 * combined freely, so there are some that no deployment comes to.
 */
export async function productTransitions(): Promise<Set<string>> {
  const found = new Set<string>();
  for (const kind of OPERATION_KINDS) await explore(kind, FLOWS[kind], found);
  return found;
}

/** One kind, from its beginning on: what is found to be reached is asked in turn. */
async function explore(kind: OperationKind, flow: OperationFlow<unknown>, found: Set<string>): Promise<void> {
  const reached = new Set<string | null>([null]);
  /** Steps at which a host may answer. */
  const onHost = new Set<string | null>();
  const note = (from: string | null, cause: string, write: Write): void => {
    found.add(transition(kind, from, cause, write));
    if (write.do === 'dispatch') onHost.add(write.step);
    const to = 'step' in write ? write.step : undefined;
    if (to !== undefined) reached.add(to);
  };
  // Both sets grow while they are gone through, and what was added is gone through too.
  const looked = new Set<string>();
  for (let news = true; news;) {
    news = false;
    for (const [step, answers] of [
      ...[...reached].map((at) => [at, NONE] as const),
      ...[...onHost].map((at) => [at, ANSWERS] as const),
    ]) {
      const look = `${named(step)} ${answers.length}`;
      if (looked.has(look)) continue;
      looked.add(look);
      news = true;
      for (const turn of turnsOf(kind, step, answers)) await takeTurn(flow, turn, note);
    }
  }
}

type Note = (from: string | null, cause: string, write: Write) => void;

/** As operations/turns.ts: facts, decision, and what may become of it. */
async function takeTurn(flow: OperationFlow<unknown>, turn: Turn, note: Note): Promise<void> {
  const { step } = turn.operation;
  const cause = causeOf(turn.operation.kind, turn.answer?.status);
  const noteAll = (plan: Plan, at: Turn): void => {
    for (const [from, write] of writesOf(plan, at.operation.step)) note(from, from === step ? cause : ITS_TURN, write);
  };
  for (const io of IOS) {
    let facts: unknown;
    const asked: true[] = [];
    const watched: FlowIo = {
      computeServices: () => {
        asked.push(true);
        return io.computeServices();
      },
      get volumes() {
        asked.push(true);
        return io.volumes;
      },
    };
    try {
      facts = await flow.readFacts(turn, watched);
    } catch (error) {
      noteAll(keepingReason(planForError(error), turn.operation), turn);
      continue;
    }
    const plan = flow.decide(turn, facts);
    noteAll(plan, turn);
    // Whoever asks nobody cannot be answered otherwise.
    if (plan.do !== 'run' && asked.length === 0) return;
    if (plan.do !== 'run' || flow.run === undefined) continue;
    const running: Turn = { ...turn, operation: { ...turn.operation, step: plan.step }, answer: null };
    try {
      const { next } = await flow.run(plan.step, running, io);
      note(plan.step, ITS_TURN, { do: 'advance', step: next });
    } catch (error) {
      for (const [from, write] of writesOf(stepFailed(plan.step, running, flow, error), plan.step)) {
        note(from, ITS_TURN, write);
      }
    }
  }
}

/** The writes that a plan begins with, each with the step at which it finds the operation. */
function writesOf(plan: Plan, step: string | null): [string | null, Write][] {
  switch (plan.do) {
    case 'dispatch': {
      const before: [string | null, Write][] =
        plan.error === undefined ? [] : [[step, { do: 'advance', step: plan.step ?? '' }]];
      const at = plan.error === undefined ? step : plan.step;
      return [
        ...before,
        [at, { do: 'dispatch', step: plan.step }],
        // Another command for the same server and volume is on its way; the host has no queue; nobody knows.
        [at, { do: 'wait', for: 'server-task' }],
        [plan.step, { do: 'undoDispatch' }],
        [plan.step, { do: 'wait', for: 'host' }],
      ];
    }
    case 'run':
      return [[step, { do: 'advance', step: plan.step }]];
    case 'wait':
      return [[step, { do: 'wait', for: plan.for, ...(plan.step === undefined ? {} : { step: plan.step }) }]];
    case 'place':
      return [
        [step, { do: 'place' }],
        [step, { do: 'wait', for: 'retry' }],
      ];
    case 'succeed':
      return [[step, { do: 'end', result: 'succeeded' }]];
    case 'fail':
      return [[step, { do: 'end', result: 'failed' }]];
    default:
      return assertNever(plan);
  }
}
