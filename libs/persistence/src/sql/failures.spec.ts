import { describe, expect, it } from '@jest/globals';
import { NovellaError } from '@novella/core';
import { isRetryable, toStoreError, violates } from './failures.js';

const withCode = (code: string, more: object = {}) => Object.assign(new Error('driver'), { code, ...more });

describe('errors of the database', () => {
  it.each([
    withCode('ECONNREFUSED'),
    withCode('57P01'),
    withCode('08006'),
    withCode('53300'),
    withCode('53100'),
    withCode('53200'),
    withCode('58030'),
    new AggregateError([withCode('ECONNREFUSED')]),
    Object.assign(new Error('wrapped'), { driverError: withCode('57P03') }),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
  ])('%p is database-unreachable', (thrown) => {
    expect(toStoreError(thrown)).toMatchObject({ code: 'database-unreachable', cause: thrown });
  });

  it('names the SQLSTATE and the constraint of a statement that failed', () => {
    const thrown = withCode('23505', { constraint: 'some_index' });
    const error = toStoreError(thrown);
    expect(error).toMatchObject({ code: 'internal', facts: { sqlState: '23505', constraint: 'some_index' } });
    expect(violates(error, 'some_index')).toBe(true);
    expect(violates(error, 'other_index')).toBe(false);
  });

  it('passes on what did not come from the database', () => {
    const mine = new TypeError('mine');
    const ours = new NovellaError('volume-detached', 'gone');
    expect(toStoreError(mine)).toBe(mine);
    expect(toStoreError(ours)).toBe(ours);
  });

  it.each([
    ['40001', true],
    ['40P01', true],
    ['23505', false],
    ['57P01', false],
  ])('%s is run again: %p', (code, again) => {
    expect(isRetryable(withCode(code))).toBe(again);
  });
});
