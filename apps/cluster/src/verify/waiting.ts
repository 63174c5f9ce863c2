import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 25;

/** Resolves when `check` answers true; false when it has not within `limitMs`. Rejects with the signal's reason. */
export async function comesTrue(
  check: () => Promise<boolean> | boolean,
  limitMs: number,
  signal: AbortSignal,
  pollMs = POLL_MS,
): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!(await check())) {
    if (performance.now() > end) return false;
    await pause(pollMs, signal);
  }
  return true;
}

/** Rejects with the signal's reason. */
export async function pause(forMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await sleep(Math.max(0, forMs), undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
}
