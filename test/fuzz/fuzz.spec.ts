import { beforeAll, describe, expect, it } from '@jest/globals';
import { type Finding, type Fuzz, prepareFuzz, type Ran, runFuzz } from './run.js';
import { nameOf, told } from './told.js';

const SEED = Number(process.env['NOVELLA_FUZZ_SEED'] ?? 1);
const REQUESTS = Number(process.env['NOVELLA_FUZZ_REQUESTS'] ?? 12_000);
/** For as many requests as one asks for. */
const LONG = 24 * 3_600_000;
/** So many at least, that each operation has had its turn. */
const MANY = 10_000;

describe('nova-api under requests made by chance', () => {
  let fuzz: Fuzz;
  let ran: Ran;
  beforeAll(async () => {
    fuzz = await prepareFuzz();
    const since = performance.now();
    ran = await runFuzz(fuzz, SEED, REQUESTS);
    const perSecond = (1000 * ran.requests) / (performance.now() - since);
    const codes = Object.entries(ran.codes).map(([code, count]) => `${count} x ${code}`);
    process.stdout.write(
      `seed ${SEED}: ${ran.requests} requests, ${perSecond.toFixed()} a second, ${codes.join(', ')}; ${ran.findings.length} findings\n`,
    );
  }, LONG);

  it('answers each as it must, tells nothing of itself, and writes nothing for an error', () => {
    expect(ran.findings.map(shown)).toEqual([]);
  });

  (REQUESTS < MANY ? it.skip : it)('has asked for each operation, and got past its checks', () => {
    const known = fuzz.found.operations.filter(({ examples }) => examples.length > 0).map(nameOf);
    const never = known.filter((name) => (ran.operations.get(name)?.carriedOut ?? 0) === 0);
    expect(never).toEqual([]);
    expect(Object.keys(ran.codes)).toEqual(expect.arrayContaining(['200', '202', '400', '403', '404', '409']));
  });

  it('does the same again with the same seed', async () => {
    const [one, other] = [await runFuzz(fuzz, 77, 100), await runFuzz(fuzz, 77, 100)];
    expect(other.codes).toEqual(one.codes);
    expect(Object.keys(one.codes).length).toBeGreaterThan(3);
  });
});

const shown = ({ mistakes, request, answer, logged, seed, requests }: Finding): string =>
  [
    told(mistakes, request, answer, [logged]),
    `NOVELLA_FUZZ_SEED=${seed} NOVELLA_FUZZ_REQUESTS=${requests} npm run -s jest -- test/fuzz/fuzz.spec --selectProjects unit`,
  ].join('\n');
