import { describe, expect, it } from '@jest/globals';
import type { ServerId, VolumeId } from '@novella/core';
import type { Verdict } from './judge.js';
import { report } from './report.js';

const KEPT: Verdict = {
  ...{ accepted: 3, done: 2, failed: new Map([['internal', 1]]), parked: new Map() },
  ...{ lost: [], doubleApplied: [], falseSuccess: [], slowestMs: 1_234, sizeChanges: 2 },
};
const LOST = { server: 'server' as ServerId, volume: 'volume' as VolumeId, what: 'req-1 has no end' };
const printed = (over: Partial<Verdict> = {}, missed: readonly string[] = []) =>
  report({
    ...{
      verdict: { ...KEPT, ...over },
      ledger: { refusedPosts: new Map() },
      more: [],
      recoveries: [],
      seed: 42,
      missed,
    },
  }).split('\n');

describe('the report', () => {
  it('has a line for each figure and the seed, and says at the end that all was kept', () => {
    const lines = printed();
    expect(lines).toContain('failed               1: internal 1');
    expect(lines).toContain('slowest              1.2 s');
    expect(lines).toContain('seed                 42');
    expect(lines.at(-2)).toBe('every promise was kept');
  });

  it('names what was lost, at most twenty, and says at the end that a promise is broken', () => {
    const lines = printed({ lost: Array.from({ length: 21 }, () => LOST) });
    expect(lines.filter((line) => line.includes('req-1 has no end'))).toHaveLength(20);
    expect(lines).toContain('lost: and 1 more');
    expect(lines.at(-2)).toBe('A PROMISE IS BROKEN');
  });

  it('says so too when a scenario has missed what it promises', () => {
    expect(printed({}, ['too slow']).slice(-3)).toEqual(['missed: too slow', 'A PROMISE IS BROKEN', '']);
  });

  it('marks a recovery that took longer than is promised', () => {
    const row = { kills: 1, alone: 1, medianMs: 4_000, slowestMs: 4_000, slowestOfAllMs: 4_000 };
    const facts = { verdict: KEPT, ledger: { refusedPosts: new Map<string, number>() }, more: [], seed: 1, missed: [] };
    const text = report({
      ...facts,
      recoveries: [
        { ...row, part: 'postgres' },
        { ...row, part: 'nova-api' },
      ],
    });
    expect(text.split('\n').filter((line) => line.includes('more than 3.0 s'))).toHaveLength(1);
    expect(text).toContain('back: nova-api');
  });
});
