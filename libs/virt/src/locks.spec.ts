import { describe, expect, it } from '@jest/globals';
import { Locks } from './locks.js';

describe('Locks', () => {
  it('lets one in at a time for a key, in order, also after a failure, and others beside it', async () => {
    const locks = new Locks();
    const log: string[] = [];
    const step =
      (name: string, fails = false) =>
      async (): Promise<void> => {
        log.push(`${name} in`);
        await new Promise((resolve) => setImmediate(resolve));
        log.push(`${name} out`);
        if (fails) throw new Error(name);
      };
    const ends = await Promise.allSettled([
      locks.hold('a', step('1', true)),
      locks.hold('a', step('2')),
      locks.hold('b', step('3')),
    ]);
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(log.filter((line) => !line.startsWith('3'))).toEqual(['1 in', '1 out', '2 in', '2 out']);
    expect(log.indexOf('3 in')).toBeLessThan(log.indexOf('1 out'));
  });
});
