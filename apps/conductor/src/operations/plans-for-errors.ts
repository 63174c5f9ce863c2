import { toErrorRecord } from '@novella/core';
import type { Operation } from '@novella/persistence';
import type { OperationFlow, Plan, Turn } from './plan.js';
import { failuresBefore, waitFor } from './retry.js';

/** Facts could not be read: whoever is away is waited for; what is wrong for good ends the operation. */
export function planForError(thrown: unknown): Plan {
  const error = toErrorRecord(thrown);
  if (error.code === 'database-unreachable') throw thrown;
  if (error.code.startsWith('cinder-') && error.code !== 'cinder-refused') {
    return { do: 'wait', for: 'cinder', error, countsAsFailure: true };
  }
  if (error.grade === 'unsure') return { do: 'wait', for: 'retry', error, countsAsFailure: true };
  return { do: 'fail', error };
}

/** A step of several must not end the operation where it stands: the flow says how to give up on it. */
export function stepFailed(step: string, turn: Turn, flow: OperationFlow<unknown>, thrown: unknown): Plan {
  const plan = planForError(thrown);
  if (plan.do === 'fail' && flow.giveUp !== undefined) return flow.giveUp(step, turn, plan.error);
  return keepingReason(plan.do === 'fail' ? waitFor(plan.error) : plan, turn.operation);
}

/** Once an operation of several steps has an error, that is why it is being undone; later ones do not replace it. */
export function keepingReason(plan: Plan, { step, error }: Operation): Plan {
  if (plan.do !== 'wait' || step === null || error === null) return plan;
  const { error: _, ...wait } = plan;
  return wait;
}

/** How a wait counts among the failures in a row; false: it is none. */
export function countedFailure(
  { countsAsFailure = false, error }: Extract<Plan, { do: 'wait' }>,
  operation: Operation,
) {
  if (!countsAsFailure) return false;
  return error === undefined || failuresBefore(operation, error) > 0 ? true : 'first';
}
