import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { type Log, NovellaError } from '@novella/core';
import { hintSender } from './hint-sender.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Hints that are on their way until the test lets them arrive or fail. */
function heldHints() {
  const held: { arrive: () => void; fail: () => void }[] = [];
  const hint = () =>
    new Promise<void>((resolve, reject) => {
      held.push({ arrive: resolve, fail: () => reject(new NovellaError('broker-unreachable', 'away')) });
    });
  return { held, wake: hintSender({ hint }, silent) };
}

describe('hints', () => {
  it('that come while one is on its way become one more after it (rule 2.2c)', async () => {
    const { held, wake } = heldHints();
    wake();
    wake();
    wake();
    expect(held).toHaveLength(1);
    held[0]?.arrive();
    await nextTurn();
    expect(held).toHaveLength(2);
    held[1]?.arrive();
    await nextTurn();
    expect(held).toHaveLength(2);
  });

  it('go on after one that could not be sent', async () => {
    const { held, wake } = heldHints();
    wake();
    held[0]?.fail();
    await nextTurn();
    wake();
    expect(held).toHaveLength(2);
  });
});
