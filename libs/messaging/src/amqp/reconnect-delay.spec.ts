import { describe, expect, it } from '@jest/globals';
import { type Clock, millis, type Random } from '@novella/core';
import { ReconnectDelay } from './reconnect-delay.js';

/** The waits of somebody whose every chance is `fraction`; after the first `connectsAfter` it is connected for a while. */
async function waits(count: number, fraction: number, connectsAfter = count): Promise<number[]> {
  const slept: number[] = [];
  const clock: Clock = {
    monotonic: () => millis(0),
    wallTime: () => new Date(0),
    sleep: (delay) => Promise.resolve(void slept.push(delay)),
  };
  const random: Random = { fraction: () => fraction, uuid: () => '' };
  const delay = new ReconnectDelay(clock, random);
  for (let tries = 0; tries < count; tries += 1) {
    if (tries === connectsAfter) delay.reset();
    await delay.wait(new AbortController().signal);
  }
  return slept;
}

const LAST = 30;

describe('the wait between two tries to reach the broker', () => {
  it('is never longer than two seconds, so that a broker that was away for long is found soon', async () => {
    expect(Math.max(...(await waits(LAST, 1)))).toBeLessThanOrEqual(2_000);
  });

  it('is such that hosts which lost the broker together come back over a second', async () => {
    const [soonest, latest] = [(await waits(LAST, 0)).at(-1), (await waits(LAST, 1)).at(-1)];
    expect(Number(latest) - Number(soonest)).toBeGreaterThanOrEqual(1_000);
  });

  it('begins short, grows, and begins anew after a connection', async () => {
    const [first, second, third, anew] = await waits(4, 1, 3);
    expect([Number(second) / Number(first), Number(third) / Number(second)]).toEqual([2, 2]);
    expect(anew).toBe(first);
    expect(first).toBeLessThanOrEqual(500);
  });
});
