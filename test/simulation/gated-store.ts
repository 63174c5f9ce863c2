import { type Clock, type Millis, NovellaError } from '@novella/core';
import type { Store } from '@novella/persistence';
import type { SimulatedProcess } from './process.js';

/** How one call of the database goes. */
export interface StoreCall {
  /** Time on the way there and back. */
  readonly there: Millis;
  readonly back: Millis;
  /** before: nothing was written; after: all was, and the process does not learn it. */
  readonly fails: 'no' | 'before' | 'after';
}

const LOOKS: readonly (keyof Store)[] = ['claimDue', 'nextDueIn', 'reportService'];

type AnyCall = (...args: readonly unknown[]) => Promise<unknown>;

/** Names of advisory locks, each with the process whose session holds it; a session ends with its process. */
export type AdvisoryLocks = Map<string, SimulatedProcess>;

/** The store as one process reaches it. */
export function gatedStore(
  store: Store,
  process: SimulatedProcess,
  io: { readonly clock: Clock; readonly next: (method: keyof Store) => StoreCall; readonly locks: AdvisoryLocks },
): Store {
  const gated =
    (method: keyof Store, run: AnyCall): AnyCall =>
    async (...args) =>
      process.call(
        async () => {
          const { there, back, fails } = io.next(method);
          if (there > 0) await io.clock.sleep(there);
          if (fails === 'before') throw away();
          const answer = await run(...args);
          if (back > 0) await io.clock.sleep(back);
          if (fails === 'after') throw away();
          return answer;
        },
        LOOKS.includes(method) ? 'idle' : 'at work',
      );
  const methods = Object.entries(store).map(([name, run]) => [name, gated(name as keyof Store, run as AnyCall)]);
  return {
    ...(Object.fromEntries(methods) as Store),
    exclusively: (name, work) => exclusively(io.locks, process, name, work),
  };
}

/** As Postgres' advisory locks: held by the session, so by nobody once the process is dead. */
async function exclusively(
  locks: AdvisoryLocks,
  process: SimulatedProcess,
  name: string,
  work: () => Promise<void>,
): Promise<boolean> {
  const holder = locks.get(name);
  if (holder !== undefined && !holder.isDead) return false;
  locks.set(name, process);
  try {
    await work();
  } finally {
    if (locks.get(name) === process) locks.delete(name);
  }
  return true;
}

const away = (): NovellaError => new NovellaError('database-unreachable', 'the database does not answer');
