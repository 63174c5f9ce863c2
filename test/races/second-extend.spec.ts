import { afterEach, describe, expect, it } from '@jest/globals';
import { gib, type RequestId } from '@novella/core';
import { GrowingCluster } from './growing-cluster.js';

let cluster: GrowingCluster | null = null;
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

/** One extend to 2 GiB; at its `strikeAt`-th await a second one, to 3 GiB. Answers how many awaits the first one had. */
async function race(strikeAt: number): Promise<{ awaits: string[]; first: string; second: string | null }> {
  const racing = await GrowingCluster.start();
  cluster = racing;
  const awaits: string[] = [];
  let second: RequestId | null = null;
  let struck = false;
  racing.atEachAwait = async (where) => {
    if (struck) return;
    awaits.push(where);
    if (awaits.length !== strikeAt) return;
    struck = true;
    second = await racing.extend(gib(3));
  };
  const first = await racing.resultOf(await racing.extend(gib(2)));
  const atTheEndOfTheFirst = await racing.sizes();
  expect({ strikeAt, ...atTheEndOfTheFirst, enough: atTheEndOfTheFirst.guest >= 2 }).toMatchObject({ enough: true });
  const result = { awaits, first, second: second === null ? null : await racing.resultOf(second) };
  expect({ strikeAt, at: awaits.at(-1), ...(await racing.sizes()) }).toMatchObject(
    second === null ? { guest: 2, host: 2, recorded: 2 } : { guest: 3, host: 3, recorded: 3 },
  );
  await racing.stop();
  cluster = null;
  return result;
}

describe('a second extend', () => {
  it('ends with its own size, as does the first, at whatever await of the first it arrives', async () => {
    const { awaits } = await race(Number.POSITIVE_INFINITY);
    expect(awaits).toContain('cinder.volume, after');
    expect(awaits).toContain('hypervisor.resizeDisk, before QEMU sets the length');
    for (let strikeAt = 1; strikeAt <= awaits.length; strikeAt++) {
      const { first, second } = await race(strikeAt);
      expect({ strikeAt, first, second }).toEqual({ strikeAt, first: 'Success', second: second && 'Success' });
    }
  }, 120_000);
});
