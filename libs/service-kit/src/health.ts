/**
 * What the process can do now, as its parts say it. A part registers once and then tells each change.
 *
 * ready      works
 * degraded   works with less (the broker is away: nova-api still accepts)
 * not-ready  must get no requests (Postgres is away, still starting)
 * dead       only a restart helps
 */
export type PartState = 'ready' | 'degraded' | 'not-ready' | 'dead';

export interface HealthPart {
  ready(): void;
  /** `reason` is for people: what is missing and since when it is looked for. */
  unwell(state: Exclude<PartState, 'ready'>, reason: string): void;
}

export interface HealthReport {
  /** The worst of the parts. */
  readonly state: PartState;
  readonly live: boolean;
  /** True for `ready` and `degraded`. */
  readonly ready: boolean;
  readonly parts: readonly { readonly name: string; readonly state: PartState; readonly reason: string | null }[];
}

const BADNESS = { ready: 0, degraded: 1, 'not-ready': 2, dead: 3 } as const satisfies Record<PartState, number>;

export class Health {
  readonly #parts = new Map<string, { state: PartState; reason: string | null }>();

  /** The part is `not-ready` (starting) until it says otherwise. Throws when the name is taken. */
  register(name: string): HealthPart {
    if (this.#parts.has(name)) throw new Error(`two parts register their health as ${name}`);
    this.#parts.set(name, { state: 'not-ready', reason: 'starting' });
    return {
      ready: () => void this.#parts.set(name, { state: 'ready', reason: null }),
      unwell: (state, reason) => void this.#parts.set(name, { state, reason }),
    };
  }

  report(): HealthReport {
    const parts = [...this.#parts].map(([name, part]) => ({ name, ...part }));
    const state = parts.reduce<PartState>(
      (worst, part) => (BADNESS[part.state] > BADNESS[worst] ? part.state : worst),
      'ready',
    );
    return { state, live: state !== 'dead', ready: state === 'ready' || state === 'degraded', parts };
  }
}
