import { type Clock, type Log, millis, seconds } from '@novella/core';
import { type HealthPart, reasonOf } from './health.js';

const SHORTEST_PAUSE = millis(200);
const LONGEST_PAUSE = seconds(5);

/**
 * Tries `open` until it resolves: what a program needs may come after it. The part says meanwhile what is missing, and
 * so does the log, once for each reason. Rejects with the signal's reason, and with an error that `isFinal` says no
 * waiting mends.
 */
export async function untilThere<T>(
  what: string,
  open: () => Promise<T>,
  io: {
    readonly clock: Clock;
    readonly log: Log;
    readonly signal: AbortSignal;
    readonly part?: HealthPart;
    readonly isFinal?: (error: unknown) => boolean;
  },
): Promise<T> {
  const { clock, log, signal, part } = io;
  let told: string | null = null;
  for (let pause = SHORTEST_PAUSE; ; pause = millis(Math.min(2 * pause, LONGEST_PAUSE))) {
    signal.throwIfAborted();
    try {
      const opened = await open();
      if (told !== null) log.info('no longer waiting', { for: what });
      part?.ready();
      return opened;
    } catch (error) {
      if (io.isFinal?.(error) === true) throw error;
      const reason = reasonOf(error);
      part?.unwell('not-ready', reason);
      if (reason !== told) log.warn('waiting', { for: what, reason });
      told = reason;
    }
    await clock.sleep(pause, signal);
  }
}
