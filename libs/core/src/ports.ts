import type { Millis } from './units.js';

/**
 * The engine's view of time and chance. Flows take these instead of Date, timers and Math.random so that a test can
 * drive them; what must be comparable across processes (leases, deadlines) is written by the store from Postgres' now().
 */
export interface Clock {
  /** Monotonic, for measuring and pacing inside one process; says nothing about the time of day. */
  monotonic(): Millis;
  /** The time of day, for what people read. */
  wallTime(): Date;
  /** Resolves after `delay`; rejects with the signal's reason when it is aborted first. */
  sleep(delay: Millis, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** A number in [0, 1). */
  fraction(): number;
  /** A random lower-case dashed uuid. */
  uuid(): string;
}

/** What a flow says while it works. `facts` are for machines: ids, sizes, codes; never a secret. */
export interface Log {
  debug(message: string, facts?: LogFacts): void;
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  /** Prints the whole chain of causes, once. */
  error(message: string, facts?: LogFacts & { error?: unknown }): void;
}
export type LogFacts = Readonly<Record<string, unknown>>;
