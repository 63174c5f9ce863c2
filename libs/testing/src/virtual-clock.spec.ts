import { type Clock, millis, seconds } from '@novella/core';
import { describe, expect, it } from '@jest/globals';
import { virtualClock } from './virtual-clock.js';

/** Writes the moments at which a loop that sleeps `every` has woken. */
async function wakings(clock: Clock, every: number, times: number, seen: string[], name = 'loop'): Promise<void> {
  for (let round = 0; round < times; round += 1) {
    await clock.sleep(millis(every));
    seen.push(`${name}@${clock.monotonic()}`);
  }
}

describe('virtualClock', () => {
  it('stands still until it is moved, and moves both of its times', async () => {
    const clock = virtualClock(new Date('2026-05-04T03:02:01Z'));
    expect([clock.monotonic(), clock.wallTime().toISOString()]).toEqual([0, '2026-05-04T03:02:01.000Z']);
    await clock.advance(seconds(61));
    expect([clock.monotonic(), clock.wallTime().toISOString()]).toEqual([61_000, '2026-05-04T03:03:02.000Z']);
  });

  it('wakes sleepers each at its own moment, in order, also those that sleep again', async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    const loops = [wakings(clock, 30, 3, seen, 'slow'), wakings(clock, 20, 4, seen, 'fast')];
    await clock.advance(millis(70));
    expect(seen).toEqual(['fast@20', 'slow@30', 'fast@40', 'slow@60', 'fast@60']);
    expect(clock.sleeping).toBe(2);
    await clock.advance(millis(20));
    await Promise.all(loops);
    expect(clock.sleeping).toBe(0);
  });

  it('does not wake a sleeper a millisecond too early', async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    const loop = wakings(clock, 10, 1, seen);
    await clock.advance(millis(9));
    expect(seen).toEqual([]);
    await clock.advance(millis(1));
    await loop;
    expect(seen).toEqual(['loop@10']);
  });

  it('moves to the next sleeper, or not at all when nobody sleeps', async () => {
    const clock = virtualClock();
    const sleep = clock.sleep(seconds(90));
    expect(await clock.advanceToNext()).toBe(90_000);
    await sleep;
    expect(await clock.advanceToNext()).toBeNull();
    expect(clock.monotonic()).toBe(90_000);
  });

  it('rejects a sleep with the reason of its signal, before and while it sleeps', async () => {
    const clock = virtualClock();
    const stop = new AbortController();
    const sleep = clock.sleep(seconds(1), stop.signal);
    stop.abort(new Error('stopping'));
    await expect(sleep).rejects.toThrow('stopping');
    await expect(clock.sleep(seconds(1), stop.signal)).rejects.toThrow('stopping');
    expect(clock.sleeping).toBe(0);
  });
});
