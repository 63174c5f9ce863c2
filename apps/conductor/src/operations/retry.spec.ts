import { describe, expect, it } from '@jest/globals';
import { type ErrorCode, ERRORS } from '@novella/core';
import { facts, operation } from '@novella/testing';
import { backoff, isBelieved } from './retry.js';

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

describe('an error of a build', () => {
  const triesOf = (code: ErrorCode): number | null => {
    const error = { code, grade: ERRORS[code], message: '', facts: {} };
    for (let failures = 0; failures < 100; failures += 1) {
      const turn = { operation: operation({ kind: 'build', error, failures }), rows: facts(), answer: null };
      if (isBelieved(turn, error)) return failures + 1;
    }
    return null;
  };

  it.each<[ErrorCode, number | null]>([
    ['image-not-found', 1],
    ['image-not-active', 1],
    ['image-refused', 1],
    ['image-service-unauthorized', 1],
    ['image-data-wrong', 3],
    ['host-disk-full', 3],
    ['image-download-failed', 8],
    ['image-service-unreachable', 8],
    ['image-service-answer-invalid', 8],
    ['hypervisor-unreachable', null],
  ])('%s is believed after %p tries', (code, tries) => {
    expect(triesOf(code)).toBe(tries);
  });
});
