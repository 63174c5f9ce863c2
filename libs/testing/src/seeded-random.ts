import type { Random } from '@novella/core';

/** The same seed gives the same fractions and uuids, so that a run that failed can be run again (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const hex = (words: number): string =>
    Array.from({ length: words }, () => next32().toString(16).padStart(8, '0')).join('');
  return {
    fraction: () => next32() / 2 ** 32,
    uuid: () => hex(4).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5'),
  };
}
