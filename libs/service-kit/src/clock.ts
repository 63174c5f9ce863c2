import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, millis, type Random } from '@novella/core';

/** The machine's own clock. Tests take one that they drive themselves. */
export const systemClock: Clock = {
  monotonic: () => millis(performance.now()),
  wallTime: () => new Date(),
  async sleep(delay, signal) {
    signal?.throwIfAborted();
    try {
      await sleep(delay, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      // The timer rejects with an AbortError of its own; the port promises the signal's reason.
      signal?.throwIfAborted();
      throw error;
    }
  },
};

export const systemRandom: Random = {
  fraction: () => Math.random(),
  uuid: () => randomUUID(),
};
