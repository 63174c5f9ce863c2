import { isUuid } from '@novella/core';
import { describe, expect, it } from '@jest/globals';
import { seededRandom } from './seeded-random.js';

const draw = (seed: number): (number | string)[] => {
  const random = seededRandom(seed);
  return [random.fraction(), random.uuid(), random.fraction(), random.uuid()];
};

describe('seededRandom', () => {
  it('repeats itself for the same seed and for no other', () => {
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('spreads fractions over [0, 1)', () => {
    const random = seededRandom(1);
    const tenths = new Set(Array.from({ length: 1000 }, () => Math.floor(random.fraction() * 10)));
    expect([...tenths].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('makes different, well-formed uuids', () => {
    const random = seededRandom(1);
    const uuids = Array.from({ length: 1000 }, () => random.uuid());
    expect(uuids.filter(isUuid)).toHaveLength(1000);
    expect(new Set(uuids).size).toBe(1000);
  });
});
