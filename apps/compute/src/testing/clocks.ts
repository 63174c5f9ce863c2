import { type Clock, millis } from '@novella/core';

/** Time that passes by sleeping alone. */
export function sleeplessClock(): Clock {
  let now = 0;
  return {
    monotonic: () => millis(now),
    wallTime: () => new Date(now),
    sleep: (delay, signal) => {
      signal?.throwIfAborted();
      now += delay;
      return Promise.resolve();
    },
  };
}

/** Time that stands still: who sleeps wakes up only when it is told to. */
export const standingClock: Clock = {
  monotonic: () => millis(0),
  wallTime: () => new Date(0),
  sleep: (_delay, signal) =>
    new Promise((_resolve, reject) => {
      const aborted = (): void => reject(signal?.reason as Error);
      if (signal?.aborted === true) aborted();
      else signal?.addEventListener('abort', aborted, { once: true });
    }),
};
