import { afterEach, describe, expect, it } from '@jest/globals';
import { gib, type RequestId } from '@novella/core';
import { GrowingCluster } from './growing-cluster.js';

let cluster: GrowingCluster | null = null;
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

/** One extend to 2 GiB; at its `strikeAt`-th await a second one, to 3 GiB. Answers where the first one awaited. */
async function race(strikeAt: number): Promise<{ awaits: string[]; first: string; second: string[] }> {
  const racing = await GrowingCluster.start();
  cluster = racing;
  const awaits: string[] = [];
  const seconds: Promise<RequestId>[] = [];
  let struck = false;
  racing.atEachAwait = async (where) => {
    if (struck) return;
    awaits.push(where);
    if (awaits.length !== strikeAt) return;
    struck = true;
    seconds.push(racing.extend(gib(3)));
    await Promise.all(seconds);
  };
  const first = await racing.resultOf(await racing.extend(gib(2)));
  // What the engine does when nothing is left to do is no await of the first extend.
  struck = true;
  const after = await racing.sizes();
  expect({ strikeAt, ...after, enough: after.guest >= 2 }).toMatchObject({ enough: true });
  const second = await Promise.all(seconds.map(async (request) => racing.resultOf(await request)));
  const size = second.length === 0 ? 2 : 3;
  expect({ strikeAt, at: awaits.at(-1), ...(await racing.sizes()) }).toMatchObject({
    guest: size,
    host: size,
    recorded: size,
  });
  await racing.stop();
  cluster = null;
  return { awaits, first, second };
}

describe('a second extend', () => {
  it('ends with its own size, as does the first, at whatever await of the first it arrives', async () => {
    const { awaits } = await race(Number.POSITIVE_INFINITY);
    expect(awaits).toContain('cinder.volume, after');
    expect(awaits).toContain('hypervisor.resizeDisk, before QEMU sets the length');
    let races = 0;
    for (let strikeAt = 1; strikeAt <= awaits.length; strikeAt++) {
      const { first, second } = await race(strikeAt);
      expect({ strikeAt, first, second }).toEqual({ strikeAt, first: 'Success', second: second.map(() => 'Success') });
      races += second.length;
    }
    // The last awaits are the engine's idle ones, which another run may not come to.
    expect(races).toBeGreaterThan(25);
  }, 120_000);
});
