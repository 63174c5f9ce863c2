import { describe, expect, it } from '@jest/globals';
import { backoff } from './retry.js';

const chance = (value: number) => ({ fraction: () => value, uuid: () => '' });

describe('backoff', () => {
  it.each([
    [0, 500, 1_000],
    [1, 1_000, 2_000],
    [5, 16_000, 32_000],
    [9, 150_000, 300_000],
    [1_000, 150_000, 300_000],
  ])('after %d failures lies between %d and %d ms (rule 3.7b)', (failures, least, most) => {
    expect(backoff(failures, chance(0))).toBe(least);
    expect(backoff(failures, chance(0.999_999_999))).toBe(most);
  });
});
