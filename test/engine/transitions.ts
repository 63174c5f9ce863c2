import type { OperationKind } from '@novella/core';
import type { Outcome } from '@novella/contracts';
import type { EngineStore } from '@novella/persistence';

/** What made the engine look at an operation: its turn had come, or a host had answered so. */
export type Cause = string;
export const ITS_TURN: Cause = 'turn';

/** What a host may answer to an operation's commands; everything else does not fit, whatever it is. */
const FITS: Record<OperationKind, readonly Outcome['status'][]> = {
  build: ['built', 'deleted'],
  attach: ['attached', 'detached'],
  detach: ['detached'],
  extend: ['grown'],
  start: ['powered'],
  stop: ['powered'],
  reboot: ['powered'],
  pause: ['powered'],
  unpause: ['powered'],
  suspend: ['powered'],
  resume: ['powered'],
  delete: ['deleted'],
  'power-update': [],
};

export function causeOf(kind: OperationKind, answer: Outcome['status'] | undefined): Cause {
  if (answer === undefined) return ITS_TURN;
  return answer === 'stale' || answer === 'failed' || FITS[kind].includes(answer) ? answer : 'unfitting';
}

/** A write of the engine to an operation's row. */
export type Write =
  | { readonly do: 'dispatch'; readonly step: string | null }
  | { readonly do: 'undoDispatch' }
  | { readonly do: 'advance'; readonly step: string }
  | { readonly do: 'wait'; readonly for: string; readonly step?: string | null }
  | { readonly do: 'end'; readonly result: string }
  | { readonly do: 'place' };

/**
 * One transition: `attach on-host (attached): advance complete` is what happens to an attach that was at its step
 * `on-host` when the host had answered that it is attached.
 */
export function transition(kind: OperationKind, from: string | null, cause: Cause, write: Write): string {
  return `${kind} ${named(from)} (${cause}): ${written(write)}`;
}

/** A step's name, without the volume that it may be about. */
export const named = (step: string | null): string => step?.split(' ')[0] ?? '-';

function written(write: Write): string {
  switch (write.do) {
    case 'dispatch':
      return `dispatch ${named(write.step)}`;
    case 'advance':
      return `advance ${named(write.step)}`;
    case 'wait':
      return `wait ${write.for}${write.step === undefined ? '' : ` at ${named(write.step)}`}`;
    case 'end':
      return `end ${write.result}`;
    default:
      return write.do;
  }
}

type Input<Method extends 'dispatch' | 'advance' | 'wait' | 'end'> = Parameters<EngineStore[Method]>[1];

/** The write that a call of the store is; null when it is none of a transition. */
export function writeOf(method: string, input: unknown): Write | null {
  switch (method) {
    case 'dispatch':
      return { do: 'dispatch', step: (input as Input<'dispatch'>).step };
    case 'advance':
      return { do: 'advance', step: (input as Input<'advance'>).step };
    case 'wait': {
      const { for: reason, step } = input as Input<'wait'>;
      return { do: 'wait', for: reason, ...(step === undefined ? {} : { step }) };
    }
    case 'end':
      return { do: 'end', result: (input as Input<'end'>).result };
    case 'undoDispatch':
      return { do: 'undoDispatch' };
    case 'place':
      return { do: 'place' };
    default:
      return null;
  }
}
