import { readFile } from 'node:fs/promises';
import { NovellaError } from '@novella/core';
import { expect, it } from '@jest/globals';

it('lets a test see an error of Node itself as an Error, as it is outside of tests', async () => {
  const thrown: unknown = await readFile('/nowhere/at-all').catch((error: unknown) => error);
  expect(thrown instanceof Error).toBe(true);
  expect(thrown instanceof NovellaError).toBe(false);
  expect(new NovellaError('internal', 'ours') instanceof NovellaError).toBe(true);
  expect(new TypeError('ours') instanceof Error).toBe(true);
  expect({ message: 'no error' } instanceof Error).toBe(false);
});
