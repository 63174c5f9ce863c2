import { describe, expect, it } from '@jest/globals';
import { countsWithExit, exitCode, sum } from './rings.mjs';
import { closingLine, countsOf } from './summary-reporter.mjs';

const counts = (passed, failed, skipped = 0) => ({ passed, failed, skipped });

describe('the counts of a run', () => {
  it('take a file that could not run as one failed test, and todo as skipped', () => {
    const results = {
      numPassedTests: 5,
      numFailedTests: 1,
      numRuntimeErrorTestSuites: 2,
      numPendingTests: 3,
      numTodoTests: 1,
    };
    expect(countsOf(results)).toEqual(counts(5, 3, 4));
  });

  it('have one failure when Jest failed without a failed test, or died before it could count', () => {
    expect(countsWithExit(counts(4, 0), 1)).toEqual(counts(4, 1));
    expect(countsWithExit(null, 128)).toEqual(counts(0, 1));
    expect(countsWithExit(counts(4, 2), 1)).toEqual(counts(4, 2));
  });

  it('are added up over the rings', () => {
    expect(sum([counts(1, 2, 3), counts(10, 20, 30)])).toEqual(counts(11, 22, 33));
  });
});

describe('the closing line', () => {
  it('names skipped tests only when there are some', () => {
    expect(closingLine(counts(12, 0))).toBe('12 passed, 0 failed');
    expect(closingLine(counts(12, 1, 2))).toBe('12 passed, 1 failed, 2 skipped');
  });
});

describe('the exit code', () => {
  it.each([
    [counts(3, 0), 0],
    [counts(3, 0, 1), 0],
    [counts(3, 1), 1],
    [counts(0, 0), 1],
    [counts(0, 0, 4), 1],
  ])('of %p is %p', (total, code) => expect(exitCode(total)).toBe(code));
});
