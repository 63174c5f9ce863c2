import { describe, expect, it } from '@jest/globals';
import type { Mutation } from './deployment-io.js';
import type { Fault } from './discrete-faults.js';
import { simulate } from './simulation.js';

const FIRST = Number(process.env['NOVELLA_SIMULATION_FIRST'] ?? 1);
const SEEDS = Number(process.env['NOVELLA_SIMULATION_SEEDS'] ?? 1_000);
const ONE = process.env['NOVELLA_SIMULATION_SEED'];
/** For as many seeds as one asks for. */
const LONG = 24 * 3_600_000;
const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const howToReplay = (seed: number): string =>
  `NOVELLA_SIMULATION_SEED=${seed} npm run -s jest -- test/simulation/simulation.spec --selectProjects unit`;

(ONE === undefined ? describe : describe.skip)('the whole system under faults', () => {
  it(
    'keeps its promises with every seed',
    async () => {
      const broken: string[] = [];
      let accepted = 0;
      for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
        const ran = await simulate(seed);
        accepted += ran.accepted;
        if (ran.violations.length > 0) {
          broken.push(`${ran.violations.slice(0, 4).join('; ')}\n${howToReplay(seed)}`);
          // At once: of 100,000 seeds the first that is broken is worth knowing.
          process.stdout.write(`${broken.at(-1)}\n`);
        }
        await turnOfTheLoop();
      }
      expect(broken).toEqual([]);
      expect(accepted).toBeGreaterThan(3 * SEEDS);
    },
    LONG,
  );

  it('does the same again with the same seed', async () => {
    for (const seed of [11, 12, 13]) {
      const [one, other] = [await simulate(seed, { keepTrace: true }), await simulate(seed, { keepTrace: true })];
      expect(other.trace).toEqual(one.trace);
      expect(one.trace.length).toBeGreaterThan(50);
      expect((await simulate(seed)).digest).toBe(one.digest);
    }
  });

  // Each breaks one rule of the product; how many seeds it takes to see it depends on how rarely the rule is needed.
  it.each<[Mutation, Fault, number]>([
    ['store-ignores-versions', 'stand still', 600],
    ['journal-admits-all', 'stand still', 1_000],
    ['deadline-is-failure', 'crash', 60],
    ['host-reports-what-was-wanted', 'crash', 60],
    ['no-second-look', 'crash', 60],
  ])(
    'sees %s',
    async (mutation, mostly, seeds) => {
      for (let seed = 1; seed <= seeds; seed += 1) {
        if ((await simulate(seed, { mutation, mostly })).violations.length > 0) return;
      }
      throw new Error(`${mutation} was not seen in ${seeds} seeds`);
    },
    LONG,
  );
});

(ONE === undefined ? describe.skip : describe)(`seed ${ONE}`, () => {
  it('keeps its promises', async () => {
    const { trace, violations } = await simulate(Number(ONE), { keepTrace: true });
    process.stdout.write(`${trace.join('\n')}\n`);
    expect(violations).toEqual([]);
  });
});
