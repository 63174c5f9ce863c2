import { NovellaError, type ServerId, type VolumeId } from '@novella/core';
import { unlessAborted } from './unless-aborted.js';

export interface Claim {
  readonly key: string;
  readonly mode: 'shared' | 'exclusive';
}

/** The first claim is of the server that the effect is for. */
export type Claims = readonly [Claim, ...Claim[]];

/** A command for one volume of a server: others of the same server may run beside it, for the same volume none. */
export const volumeClaims = (server: ServerId, volume: VolumeId): Claims => [
  { key: `server ${server}`, mode: 'shared' },
  { key: `volume ${volume}`, mode: 'exclusive' },
];

/** A command for a whole server: nothing else of this server, or of its volumes in another server, beside it. */
export const serverClaims = (server: ServerId, volumes: readonly VolumeId[]): Claims => [
  { key: `server ${server}`, mode: 'exclusive' },
  ...volumes.map((volume) => ({ key: `volume ${volume}`, mode: 'exclusive' as const })),
];

/** Builds may wait long for their images; what others do on the host shall not wait behind them. */
export type Lane = 'builds' | 'others';

export interface EffectLimits {
  /** In each lane. */
  readonly running: number;
  /** Of one server, so that one whose hypervisor does not answer leaves room for the others. */
  readonly runningOfOneServer: number;
  readonly waiting: number;
}

const LIMITS: EffectLimits = { running: 16, runningOfOneServer: 4, waiting: 256 };
const NEVER = new AbortController().signal;

interface Effect {
  readonly claims: Claims;
  readonly lane: Lane;
  /** Nobody waits for its end any more: it keeps its claims, for it may still act, but not its place among those that run. */
  givenUp: boolean;
}

interface Waiting {
  readonly effect: Effect;
  readonly start: () => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * Which effects may run at once. Each takes all its claims in one step or waits, so nobody waits while holding some; it
 * waits too for those who came earlier and want the same, so nobody is overtaken for ever.
 */
export class EffectLocks {
  readonly #held = new Set<Effect>();
  readonly #limits: EffectLimits;
  #waiting: Waiting[] = [];
  #closed: Error | null = null;
  #onIdle: (() => void)[] = [];

  constructor(limits: Partial<EffectLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  /**
   * Rejects with the signal's reason as soon as it is aborted: what waits is then not begun, and what runs keeps its
   * claims until it ends. Error `internal`: too many wait already, or the locks are closed; `work` was not begun.
   */
  async run<T>(claims: Claims, work: () => Promise<T>, signal: AbortSignal = NEVER, lane: Lane = 'others'): Promise<T> {
    const effect: Effect = { claims, lane, givenUp: false };
    await this.#take(effect, signal);
    const begin = async (): Promise<T> => {
      signal.throwIfAborted();
      return work();
    };
    const ended = begin().finally(() => {
      this.#held.delete(effect);
      this.#startWaiting();
    });
    return unlessAborted(ended, signal, () => {
      effect.givenUp = true;
      this.#startWaiting();
    });
  }

  /** Refuses those who wait and all who come; resolves when those who run have ended or were given up. */
  async close(): Promise<void> {
    this.#closed ??= new NovellaError('internal', 'the compute is stopping');
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { refuse } of waiting) refuse(this.#closed);
    if (this.#running().length > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  async #take(effect: Effect, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#closed !== null) throw this.#closed;
    if (this.#waiting.length >= this.#limits.waiting) {
      throw new NovellaError('internal', 'too many commands wait', { waiting: this.#waiting.length });
    }
    const started = new Promise<void>((start, refuse) => {
      this.#waiting.push({ effect, start, refuse });
      this.#startWaiting();
    });
    await unlessAborted(started, signal, () => {
      this.#waiting = this.#waiting.filter((other) => other.effect !== effect);
      this.#held.delete(effect);
      this.#startWaiting();
    });
  }

  #startWaiting(): void {
    const inTheWay = [...this.#held];
    const stillWaiting: Waiting[] = [];
    for (const next of this.#waiting) {
      const mustWait = inTheWay.some(({ claims }) => conflict(next.effect.claims, claims)) || this.#full(next.effect);
      if (mustWait) stillWaiting.push(next);
      else {
        this.#held.add(next.effect);
        next.start();
      }
      inTheWay.push(next.effect);
    }
    this.#waiting = stillWaiting;
    if (this.#running().length === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #full({ claims: [{ key }], lane }: Effect): boolean {
    const running = this.#running().filter((other) => other.lane === lane);
    const ofServer = running.filter(({ claims: [first] }) => first.key === key);
    return running.length >= this.#limits.running || ofServer.length >= this.#limits.runningOfOneServer;
  }

  #running(): Effect[] {
    return [...this.#held].filter(({ givenUp }) => !givenUp);
  }
}

function conflict(some: Claims, others: Claims): boolean {
  return some.some((one) =>
    others.some((other) => one.key === other.key && (one.mode === 'exclusive' || other.mode === 'exclusive')),
  );
}
