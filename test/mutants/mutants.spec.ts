import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ALL_MUTANTS, PROMISED_MUTANTS } from './catalogue/all.js';
import { mutantsAreCaught } from './mutants-are-caught.js';
import { ROOT } from './run-mutants.js';

describe('the catalogue of mutants', () => {
  it('names each mutant once', () => {
    const names = ALL_MUTANTS.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  // A mutant moves with the code: change its text here when the code has changed there.
  it.each(ALL_MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    'finds its text exactly once, and changes it: %s',
    async (_, { file, from, to }) => {
      const source = await readFile(join(ROOT, file), 'utf8');
      expect({ file, from, times: source.split(from).length - 1 }).toEqual({ file, from, times: 1 });
      expect(to).not.toBe(from);
    },
  );
});

mutantsAreCaught('a mutant', PROMISED_MUTANTS);
