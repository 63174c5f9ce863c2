import { type Clock, millis, type Millis } from '@novella/core';

export type WaitClock = Pick<Clock, 'monotonic' | 'sleep'>;

/** A sleep that something else can end. What rings before the sleep begins is not lost. */
export interface Alarm {
  ring(): void;
  /** Resolves after `delay`, or when it rings; rejects with the signal's reason when that is aborted. */
  sleep(delay: Millis, signal: AbortSignal): Promise<void>;
}

export function newAlarm(clock: WaitClock): Alarm {
  const rung = new AbortController();
  return {
    ring: () => rung.abort(),
    async sleep(delay, signal) {
      signal.throwIfAborted();
      try {
        await clock.sleep(delay, AbortSignal.any([signal, rung.signal]));
      } catch (error) {
        signal.throwIfAborted();
        if (!rung.signal.aborted) throw error;
      }
    },
  };
}

/** The machine's own time, for who gives no clock. */
export const realTime: WaitClock = {
  monotonic: () => millis(performance.now()),
  sleep: (delay, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => end(resolve), delay);
      const aborted = (): void => end(() => reject(signal?.reason as Error));
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        settle();
      };
      if (signal?.aborted) aborted();
      else signal?.addEventListener('abort', aborted);
    }),
};
