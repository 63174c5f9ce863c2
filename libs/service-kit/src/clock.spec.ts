import { describe, expect, it } from '@jest/globals';
import { isUuid, millis, minutes } from '@novella/core';
import { systemClock, systemRandom } from './clock.js';

describe('system clock', () => {
  it('never goes back', () => {
    const first = systemClock.monotonic();
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first);
  });

  it('sleeps for a while, then resolves', async () => {
    await expect(systemClock.sleep(millis(1))).resolves.toBeUndefined();
  });

  it.each(['before', 'during'] as const)('rejects with the reason of a signal aborted %s the sleep', async (when) => {
    const abort = new AbortController();
    const reason = new Error('stopping');
    if (when === 'before') abort.abort(reason);
    const asleep = systemClock.sleep(minutes(5), abort.signal);
    abort.abort(reason);
    await expect(asleep).rejects.toBe(reason);
  });
});

describe('system random', () => {
  it('gives fractions below one and uuids in our form', () => {
    const fraction = systemRandom.fraction();
    expect(fraction >= 0 && fraction < 1).toBe(true);
    expect(isUuid(systemRandom.uuid())).toBe(true);
  });
});
