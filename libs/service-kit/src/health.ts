import { type Clock, type Millis, NovellaError, seconds } from '@novella/core';
import { systemClock } from './clock.js';

/**
 * What the process can do now, as its parts say it. A part registers once; then it tells each change, or is asked at each
 * look.
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
  /** From now on it does not tell but is asked, at each look: `ready` while `check` finds nothing, else `unwell`. */
  ask(unwell: Exclude<PartState, 'ready'>, check: HealthCheck): void;
}

/** Answers what is wrong, or null; an error that it throws is what is wrong. */
export type HealthCheck = () => Promise<string | null> | string | null;

export interface HealthReport {
  /** The worst of the parts. */
  readonly state: PartState;
  readonly live: boolean;
  /** True for `ready` and `degraded`. */
  readonly ready: boolean;
  readonly parts: readonly { readonly name: string; readonly state: PartState; readonly reason: string | null }[];
}

interface Standing {
  state: PartState;
  reason: string | null;
}

const BADNESS = { ready: 0, degraded: 1, 'not-ready': 2, dead: 3 } as const satisfies Record<PartState, number>;
/** Who asks for the health has a limit of its own, often 3 s. */
const PATIENCE = seconds(2);

export class Health {
  readonly #parts = new Map<string, Standing>();
  readonly #checks = new Map<string, () => Promise<Standing>>();
  readonly #options: { readonly clock: Clock; readonly patience: Millis };

  /** A check that has not answered after `patience` (2 s unless given) counts as failed until it does. */
  constructor(options: { clock?: Clock; patience?: Millis } = {}) {
    this.#options = { clock: options.clock ?? systemClock, patience: options.patience ?? PATIENCE };
  }

  /** The part is `not-ready` (starting) until it says otherwise. Throws when the name is taken. */
  register(name: string): HealthPart {
    if (this.#parts.has(name)) throw new Error(`two parts register their health as ${name}`);
    this.#parts.set(name, { state: 'not-ready', reason: 'starting' });
    return {
      ready: () => void this.#parts.set(name, { state: 'ready', reason: null }),
      unwell: (state, reason) => void this.#parts.set(name, { state, reason }),
      ask: (unwell, check) => void this.#checks.set(name, this.#asking(unwell, check)),
    };
  }

  /** Asks those that must be asked, then answers the report. */
  async look(): Promise<HealthReport> {
    await Promise.all([...this.#checks].map(async ([name, ask]) => this.#parts.set(name, await ask())));
    return this.report();
  }

  /** As it was last told or looked at. */
  report(): HealthReport {
    const parts = [...this.#parts].map(([name, part]) => ({ name, ...part }));
    const state = parts.reduce<PartState>(
      (worst, part) => (BADNESS[part.state] > BADNESS[worst] ? part.state : worst),
      'ready',
    );
    return { state, live: state !== 'dead', ready: state === 'ready' || state === 'degraded', parts };
  }

  /** Who looks while an answer is out waits for the same. */
  #asking(unwell: Exclude<PartState, 'ready'>, check: HealthCheck): () => Promise<Standing> {
    let asked: Promise<Standing> | null = null;
    return () => {
      asked ??= standing(check, unwell).finally(() => (asked = null));
      return this.#patiently(asked, unwell);
    };
  }

  async #patiently(asked: Promise<Standing>, unwell: Exclude<PartState, 'ready'>): Promise<Standing> {
    const { clock, patience } = this.#options;
    const answered = new AbortController();
    const late = clock.sleep(patience, answered.signal).then(
      () => ({ state: unwell, reason: `no answer within ${patience} ms` }),
      () => asked,
    );
    const first = await Promise.race([asked, late]);
    answered.abort();
    return first;
  }
}

async function standing(check: HealthCheck, unwell: Exclude<PartState, 'ready'>): Promise<Standing> {
  try {
    const wrong = await check();
    return wrong === null ? { state: 'ready', reason: null } : { state: unwell, reason: wrong };
  } catch (error) {
    return { state: unwell, reason: reasonOf(error) };
  }
}

/** What an error says in one line, for people: `database-unreachable: the database cannot be reached`. */
export function reasonOf(error: unknown): string {
  if (error instanceof NovellaError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
