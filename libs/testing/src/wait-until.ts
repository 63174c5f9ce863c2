import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** A generous bound, in milliseconds; a test must not depend on how fast the machine is. */
  readonly timeout?: number;
  /** Pause between two looks, in milliseconds. */
  readonly every?: number;
  /** What is waited for, for the error. */
  readonly what?: string;
}

type Falsy = false | null | undefined | 0 | '';

/**
 * Looks until `condition` answers something true, and answers that. What the condition throws counts as "not yet"; the
 * last of it is the cause of the error that says that time is up.
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  { timeout = 30_000, every = 10, what = 'the condition' }: WaitOptions = {},
): Promise<Exclude<T, Falsy>> {
  const deadline = performance.now() + timeout;
  let cause: unknown;
  do {
    try {
      const seen = await condition();
      if (seen) return seen as Exclude<T, Falsy>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await sleep(every);
  } while (performance.now() < deadline);
  throw new Error(`${what} did not come about within ${timeout} ms`, { cause });
}
