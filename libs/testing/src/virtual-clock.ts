import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, type Millis, millis } from '@novella/core';
import { SleeperQueue } from './virtual-clock-sleepers.js';

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

export interface VirtualClockOptions {
  readonly start?: Date;
  /** Lets everything run that is runnable; turns of the event loop, enough for a few file answers, unless given. */
  readonly settle?: () => Promise<void>;
}

/** Turns of the event loop that a woken flow gets before time goes on: enough for a few file or socket answers. */
const TURNS = 5;

async function turnsOfTheLoop(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await nextTurn();
}

/**
 * Resolves when nothing but a timer or real input could go on: all promises have run. Far cheaper than turns of the
 * event loop, and enough where nothing real is awaited.
 */
export const promisesHaveRun = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

export function virtualClock(given: Date | VirtualClockOptions = {}): VirtualClock {
  const { start = new Date('2026-01-01T00:00:00Z'), settle = turnsOfTheLoop }: VirtualClockOptions =
    given instanceof Date ? { start: given } : given;
  const sleepers = new SleeperQueue();
  let now = 0;

  const wakeUntil = async (end: number): Promise<void> => {
    await settle();
    for (let next = sleepers.first(); next !== null && next.due <= end; next = sleepers.first()) {
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
          sleepers.remove(sleeper);
          signal?.removeEventListener('abort', aborted);
          settled();
        };
        const aborted = () => end(() => reject(signal?.reason as Error));
        const sleeper = sleepers.add(now + delay, () => end(resolve));
        signal?.addEventListener('abort', aborted);
      }),
    advance: (by) => wakeUntil(now + by),
    advanceToNext: async () => {
      await settle();
      const next = sleepers.first();
      if (next === null) return null;
      const by = millis(next.due - now);
      await wakeUntil(next.due);
      return by;
    },
    get sleeping() {
      return sleepers.size;
    },
  };
}
