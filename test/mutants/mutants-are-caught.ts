import { beforeAll, describe, expect, it } from '@jest/globals';
import { type Mutant, type Run, runMutants, specsOf, unchanged } from './run-mutants.js';

/** All together. A mutant takes a third of a second on a machine that does nothing else, and far longer on a busy one. */
const TIME = 600_000;

/** Each of the mutants must fail its tests, which must pass without it. `environment` is asked for when they run. */
export function mutantsAreCaught(
  what: string,
  mutants: readonly Mutant[],
  environment: () => Promise<Readonly<Record<string, string>>> = () => Promise.resolve({}),
): void {
  describe(what, () => {
    let runs: ReadonlyMap<string, Run>;
    beforeAll(async () => {
      runs = await runMutants(mutants, await environment());
    }, TIME);

    it.each(mutants.map(({ name }) => name))('is caught: %s', (name) => {
      const run = runs.get(name);
      expect({ name, error: run?.error }).toEqual({ name, error: null });
      expect({ name, failed: run?.failed.length, passed: run?.passed }).toMatchObject({ name, failed: 1 });
    });

    it.each(specsOf(mutants))('is none, and all tests that catch them pass: %s', (spec) => {
      const run = runs.get(unchanged(spec));
      expect({ spec, error: run?.error, failed: run?.failed, messages: run?.messages }).toEqual({
        spec,
        error: null,
        failed: [],
        messages: [],
      });
    });

    it.each(mutants.map(({ name, caughtBy }) => [name, caughtBy] as const))(
      'has tests that are there: %s',
      (_, { spec, tests }) => {
        const pattern = new RegExp(tests);
        expect(runs.get(unchanged(spec))?.passed.filter((test) => pattern.test(test))).not.toEqual([]);
      },
    );
  });
}
