import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A small change to the product that breaks a promise, and the tests that must notice it. They run in a process of their
 * own, in which the source is changed on its way to the compiler; the checkout stays as it is.
 */
export interface Mutant {
  /** What is broken, in a few words. */
  readonly name: string;
  /** Of the product, from the root of the checkout. */
  readonly file: string;
  /** A text that the file has exactly once, and what stands there in the mutant. */
  readonly from: string;
  readonly to: string;
  readonly caughtBy: {
    /** From the root of the checkout. */
    readonly spec: string;
    /** Part of the full names of the tests, as a regular expression. */
    readonly tests: string;
  };
}

/** What became of a spec's tests with a mutant, or without any. */
export interface Run {
  readonly passed: readonly string[];
  /** One at the most: nothing is run after it. */
  readonly failed: readonly string[];
  readonly messages: readonly string[];
  /** Why the spec could not be run at all: then nothing is proved. */
  readonly error: string | null;
  readonly ms: number;
}

export const ROOT = join(import.meta.dirname, '..', '..');
const OUTPUT_LIMIT = 2 ** 26;

/** Runs each mutant's tests with it, and once all of them without any; by `mutant.name` and `unchanged(spec)`. */
export async function runMutants(
  mutants: readonly Mutant[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ReadonlyMap<string, Run>> {
  const folder = await mkdtemp(join(tmpdir(), 'novella-mutants-'));
  try {
    const plan = join(folder, 'plan.json');
    const outputFile = join(folder, 'results.json');
    await writeFile(plan, JSON.stringify({ runs: plannedRuns(mutants), outputFile }));
    const output = await jest({ ...process.env, ...environment, NOVELLA_MUTANTS: plan });
    const results = await readFile(outputFile, 'utf8').catch((cause: unknown) => {
      throw new Error(`jest wrote no results; it said: ${output}`, { cause });
    });
    return new Map((JSON.parse(results) as (Run & { project: string })[]).map((run) => [run.project, run]));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const unchanged = (spec: string): string => `unchanged: ${spec}`;

export const specsOf = (mutants: readonly Mutant[]): string[] => [
  ...new Set(mutants.map(({ caughtBy }) => caughtBy.spec)),
];

/** As mutants.jest.config.mjs reads them. */
function plannedRuns(mutants: readonly Mutant[]): object[] {
  const baselines = specsOf(mutants).map((spec) => {
    const patterns = mutants.filter(({ caughtBy }) => caughtBy.spec === spec).map(({ caughtBy }) => caughtBy.tests);
    return { name: unchanged(spec), spec, tests: [...new Set(patterns)].join('|'), mutant: null };
  });
  const changed = mutants.map(({ name, file, from, to, caughtBy }) => {
    return { name, ...caughtBy, mutant: { file: join(ROOT, file), from, to } };
  });
  return [...baselines, ...changed];
}

/** What it printed. Its exit code says nothing: that tests fail is what we want. */
function jest(env: NodeJS.ProcessEnv): Promise<string> {
  const program = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  const config = join(import.meta.dirname, 'mutants.jest.config.mjs');
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const args = [...node, program, '--config', config, '--runInBand', '--forceExit', '--ci'];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: ROOT, env, maxBuffer: OUTPUT_LIMIT }, (_error, stdout, stderr) =>
      resolve(`${stdout}\n${stderr}`),
    );
  });
}
