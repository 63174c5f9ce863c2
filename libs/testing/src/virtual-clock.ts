import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, type Millis, millis } from '@novella/core';

/** A clock that stands still until the test moves it. */
export interface VirtualClock extends Clock {
  /**
   * Moves time on by `by`, waking each sleeper at its own moment, in order; those that go to sleep again on the way are
   * woken too if they are due. Between two moments what is runnable gets to run.
   */
  advance(by: Millis): Promise<void>;
  /** Moves to the moment when the next sleeper is due and answers how far that was; null when nobody sleeps. */
  advanceToNext(): Promise<Millis | null>;
  /** How many sleep now. */
  readonly sleeping: number;
}

interface Sleeper {
  readonly due: number;
  readonly wake: () => void;
}

/** Turns of the event loop that a woken flow gets before time goes on: enough for a few file or socket answers. */
const TURNS = 5;

export function virtualClock(start: Date = new Date('2026-01-01T00:00:00Z')): VirtualClock {
  const sleepers = new Set<Sleeper>();
  let now = 0;

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < TURNS; turn += 1) await nextTurn();
  };
  /** The sleeper that is due first; of those due at once the one that went to sleep first. */
  const first = (): Sleeper | undefined => [...sleepers].sort((a, b) => a.due - b.due)[0];
  const wakeUntil = async (end: number): Promise<void> => {
    await settle();
    for (let next = first(); next !== undefined && next.due <= end; next = first()) {
      now = next.due;
      next.wake();
      await settle();
    }
    now = end;
  };

  return {
    monotonic: () => millis(now),
    wallTime: () => new Date(start.getTime() + now),
    sleep: (delay, signal) =>
      new Promise<void>((resolve, reject) => {
        if (!Number.isFinite(delay) || delay < 0) throw new RangeError(`not a time to sleep: ${delay}`);
        signal?.throwIfAborted();
        const end = (settled: () => void) => {
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', aborted);
          settled();
        };
        const aborted = () => end(() => reject(signal?.reason as Error));
        const sleeper: Sleeper = { due: now + delay, wake: () => end(resolve) };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', aborted);
      }),
    advance: (by) => wakeUntil(now + by),
    advanceToNext: async () => {
      await settle();
      const next = first();
      if (next === undefined) return null;
      const by = millis(next.due - now);
      await wakeUntil(next.due);
      return by;
    },
    get sleeping() {
      return sleepers.size;
    },
  };
}
