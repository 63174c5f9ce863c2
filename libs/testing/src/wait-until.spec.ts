import { describe, expect, it } from '@jest/globals';
import { waitUntil } from './wait-until.js';

describe('waitUntil', () => {
  it('answers what the condition answers once that is true', async () => {
    const answers = [undefined, null, 0, 'here'];
    expect(await waitUntil(() => answers.shift(), { every: 1 })).toBe('here');
    expect(answers).toEqual([]);
  });

  it('takes a condition that throws for one that is not met yet', async () => {
    let looks = 0;
    const met = waitUntil(() => {
      looks += 1;
      if (looks < 3) throw new Error('not there');
      return true;
    });
    expect(await met).toBe(true);
  });

  it('fails with the last error as the cause when time is up', async () => {
    const cause = new Error('not there');
    const failed = waitUntil(() => Promise.reject(cause), { timeout: 5, every: 1, what: 'the guest' });
    await expect(failed).rejects.toMatchObject({ message: expect.stringContaining('the guest'), cause });
  });
});
