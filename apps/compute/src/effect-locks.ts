import { NovellaError, type ServerId, type VolumeId } from '@novella/core';

export interface Claim {
  readonly key: string;
  readonly mode: 'shared' | 'exclusive';
}

/** A command for one volume of a server: others of the same server may run beside it, for the same volume none. */
export const volumeClaims = (server: ServerId, volume: VolumeId): Claim[] => [
  { key: `server ${server}`, mode: 'shared' },
  { key: `volume ${volume}`, mode: 'exclusive' },
];

/** A command for a whole server: nothing else of this server, or of its volumes in another server, beside it. */
export const serverClaims = (server: ServerId, volumes: readonly VolumeId[]): Claim[] => [
  { key: `server ${server}`, mode: 'exclusive' },
  ...volumes.map((volume) => ({ key: `volume ${volume}`, mode: 'exclusive' as const })),
];

interface Waiting {
  readonly claims: readonly Claim[];
  readonly start: () => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * Which effects may run at once. Each takes all its claims in one step or waits, so nobody waits while holding some; it
 * waits too for those who came earlier and want the same, so nobody is overtaken for ever.
 */
export class EffectLocks {
  readonly #held = new Set<readonly Claim[]>();
  #waiting: Waiting[] = [];
  #closed: Error | null = null;
  #onIdle: (() => void)[] = [];

  /** At most `mostWaiting` wait at any time. */
  constructor(private readonly mostWaiting = 256) {}

  /** Error `internal`: too many wait already, or the locks are closed; `work` was not begun. */
  async run<T>(claims: readonly Claim[], work: () => Promise<T>): Promise<T> {
    await this.#take(claims);
    try {
      return await work();
    } finally {
      this.#held.delete(claims);
      this.#startWaiting();
    }
  }

  /** Refuses those who wait and all who come; resolves when those who run have ended. */
  async close(): Promise<void> {
    this.#closed ??= new NovellaError('internal', 'the compute is stopping');
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { refuse } of waiting) refuse(this.#closed);
    if (this.#held.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #take(claims: readonly Claim[]): Promise<void> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (this.#waiting.length >= this.mostWaiting) {
      return Promise.reject(new NovellaError('internal', 'too many commands wait', { waiting: this.#waiting.length }));
    }
    return new Promise((start, refuse) => {
      this.#waiting.push({ claims, start, refuse });
      this.#startWaiting();
    });
  }

  #startWaiting(): void {
    const inTheWay = [...this.#held];
    const stillWaiting: Waiting[] = [];
    for (const next of this.#waiting) {
      if (inTheWay.some((other) => conflict(next.claims, other))) stillWaiting.push(next);
      else {
        this.#held.add(next.claims);
        next.start();
      }
      inTheWay.push(next.claims);
    }
    this.#waiting = stillWaiting;
    if (this.#held.size === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

function conflict(some: readonly Claim[], others: readonly Claim[]): boolean {
  return some.some((one) =>
    others.some((other) => one.key === other.key && (one.mode === 'exclusive' || other.mode === 'exclusive')),
  );
}
