import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '@novella/testing';
import { allParts } from './options.js';
import { type Fault, schedule } from './schedule.js';

const PARTS = allParts(3);
const planned = (seed: number, over: Partial<Parameters<typeof schedule>[1]> = {}) =>
  schedule(seededRandom(seed), { kills: 64, parts: PARTS, lengthMs: null, ...over });
const killsOf = (faults: readonly Fault[], part: string) =>
  faults.filter((fault) => fault.kind === 'kill' && fault.part === part).length;

describe('a schedule of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(planned(7)).toEqual(planned(7));
    expect(planned(7)).not.toEqual(planned(8));
  });

  it.each([1, 2, 3, 4, 5])('kills at seed %i every part six times or more, and is over in seven minutes', (seed) => {
    const { faults, lengthMs } = planned(seed);
    expect(faults.filter(({ kind }) => kind === 'kill')).toHaveLength(64);
    expect(PARTS.map((part) => killsOf(faults, part)).every((count) => count >= 6)).toBe(true);
    expect(lengthMs).toBeLessThan(420_000);
  });

  it('freezes and restarts too, no freeze longer than 20 s', () => {
    const { faults } = planned(1);
    const freezes = faults.filter(({ kind }) => kind === 'freeze');
    expect([freezes.length, faults.filter(({ kind }) => kind === 'restart').length]).toEqual([13, 13]);
    expect(freezes.every(({ holdMs }) => holdMs >= 500 && holdMs <= 20_000)).toBe(true);
    expect(Math.max(...freezes.map(({ holdMs }) => holdMs))).toBeGreaterThan(5_000);
  });

  it('comes in the order of time, within the length that is asked for', () => {
    const { faults, lengthMs } = planned(1, { lengthMs: 30_000 });
    const times = faults.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(lengthMs).toBe(30_000);
    expect(times.at(-1)).toBeLessThan(30_000);
  });

  it('has for every part kills that come alone', () => {
    const { faults } = planned(1);
    const alone = new Set(faults.filter(({ alone }) => alone).map(({ part }) => part));
    expect([...alone].toSorted()).toEqual([...PARTS].toSorted());
  });

  it('breaks only the parts that are named, and nothing without kills', () => {
    const { faults } = planned(1, { parts: ['postgres'] });
    expect(new Set(faults.map(({ part }) => part))).toEqual(new Set(['postgres']));
    expect(planned(1, { kills: 0 })).toEqual({ faults: [], lengthMs: 0 });
  });
});
