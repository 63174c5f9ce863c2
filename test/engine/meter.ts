import { OPERATION_KINDS, type OperationKind } from '@novella/core';
import type { OperationResult, Outcome } from '@novella/contracts';
import type { Operation } from '@novella/persistence';
import { FLOWS } from '../../apps/conductor/src/operations/turns.js';
import { type Cause, causeOf, ITS_TURN, named, transition, writeOf } from './transitions.js';

/** What may be done to a call of the engine's, besides letting it be. */
export const TREATMENTS = ['error before', 'error after', 'crash before', 'crash after', 'twice'] as const;
export type Treatment = (typeof TREATMENTS)[number];

/** A call of an engine as the meter sees it. */
export interface MeteredCall {
  readonly port: 'store' | 'volumes' | 'host';
  readonly method: string;
  readonly args: readonly unknown[];
}

/** Where one engine is: the step whose effect its next call to Cinder or a host is. */
export interface Whereabouts {
  effect: string | null;
}

/** After these an engine's next call to Cinder or a host is no longer of the step before. */
const ENDS_EFFECT = ['operationFacts', 'markSent', 'undoDispatch', 'wait', 'end'];

/** Counts, while stories run, what operations went through and what was done to them there. */
export class Meter {
  /** By transition, or by effect of a step: what was done to it; empty: it was only gone through. */
  readonly seen = new Map<string, Set<Treatment>>();
  private readonly causes = new Map<string, Cause>();
  private readonly answers = new Map<string, Outcome['status']>();

  /** A host's answer is on its way to an engine. */
  answered({ token, outcome }: OperationResult): void {
    this.answers.set(`${token.operation} ${token.attempt} ${token.fence}`, outcome.status);
  }

  /** What a call is: a transition, the effect of a step, or null when it is neither. */
  nameOf({ port, method, args }: MeteredCall, at: Whereabouts): string | null {
    if (port !== 'store') return at.effect;
    const write = writeOf(method, args[1]);
    if (write === null) return null;
    const { id, version, kind, step } = args[0] as Operation;
    return transition(kind, step, this.causes.get(`${id} ${version}`) ?? ITS_TURN, write);
  }

  treated(name: string, treatment: Treatment): void {
    this.of(name).add(treatment);
  }

  /** The call was done, with this result. */
  done({ port, method, args }: MeteredCall, name: string | null, result: unknown, at: Whereabouts): void {
    if (name !== null && result !== null && typeof result !== 'string') this.of(name);
    if (name !== null && method === 'place' && result === 'placed') this.of(name);
    if (port !== 'store') return;
    this.follow(method, args, result, at);
  }

  private follow(method: string, args: readonly unknown[], result: unknown, at: Whereabouts): void {
    if (method === 'claimDue') {
      for (const { kind, step, state } of result as Operation[]) {
        if (state === 'dispatched') this.of(deadlineOf(kind, step));
      }
    }
    if (ENDS_EFFECT.includes(method)) at.effect = null;
    if (result === null || typeof result !== 'object') return;
    const now = result as Operation;
    switch (method) {
      case 'claimForResult': {
        const { operation, attempt, fence } = args[0] as { operation: string; attempt: number; fence: number };
        this.causes.set(
          `${now.id} ${now.version}`,
          causeOf(now.kind, this.answers.get(`${operation} ${attempt} ${fence}`)),
        );
        return;
      }
      case 'undoDispatch':
        // What does not fit the contract is decided on as a failure that the host has answered.
        this.causes.set(`${now.id} ${now.version}`, 'failed');
        return;
      case 'dispatch':
        at.effect = effectOf(now.kind, now.step);
        return;
      case 'advance':
        at.effect = FLOWS[now.kind].steps.own.includes(named(now.step)) ? effectOf(now.kind, now.step) : null;
    }
  }

  private of(name: string): Set<Treatment> {
    const known = this.seen.get(name);
    if (known !== undefined) return known;
    const made = new Set<Treatment>();
    this.seen.set(name, made);
    return made;
  }
}

export const effectOf = (kind: OperationKind, step: string | null): string => `${kind} ${named(step)}: its effect`;
const deadlineOf = (kind: OperationKind, step: string | null): string => `${kind} ${named(step)}: its deadline`;

/** What each kind's own steps do at Cinder, what its commands do on a host, and the deadlines of those. */
export function productEffects(transitions: ReadonlySet<string>): Set<string> {
  const own = OPERATION_KINDS.flatMap((kind) => FLOWS[kind].steps.own.map((step) => effectOf(kind, step)));
  const commands = OPERATION_KINDS.flatMap((kind) =>
    [null, ...FLOWS[kind].steps.onHost]
      .filter((step) =>
        [...transitions].some((one) => one.startsWith(`${kind} `) && one.endsWith(`: dispatch ${named(step)}`)),
      )
      .map((step) => effectOf(kind, step)),
  );
  const deadlines = commands.map((command) => command.replace('its effect', 'its deadline'));
  return new Set([...own, ...commands, ...deadlines]);
}
