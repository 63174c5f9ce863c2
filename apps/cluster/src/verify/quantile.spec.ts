import { describe, expect, it } from '@jest/globals';
import { quantile } from './quantile.js';

describe('a quantile', () => {
  it('is the smallest value that so many do not exceed, in whatever order they come', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([quantile(hundred, 0.5), quantile(hundred, 0.99), quantile(hundred, 1)]).toEqual([50, 99, 100]);
    expect([quantile([7], 0.99), quantile([], 0.5)]).toEqual([7, 0]);
  });
});
