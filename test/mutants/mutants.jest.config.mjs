// Jest's configuration for mutants: a project for each run of the plan that NOVELLA_MUTANTS names (run-mutants.ts writes
// it), else as the checkout's own.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import jestConfig from '../../jest.config.mjs';

const here = import.meta.dirname;
const root = join(here, '..', '..');
const { runs, outputFile } = JSON.parse(readFileSync(process.env.NOVELLA_MUTANTS, 'utf8'));
const { testRegex: _all, ...shared } = jestConfig.projects[0];

export default {
  rootDir: root,
  testTimeout: 20_000,
  reporters: [[join(here, 'projects-reporter.mjs'), { outputFile }]],
  projects: runs.map(({ name, spec, tests, mutant }) => ({
    ...shared,
    displayName: name,
    rootDir: root,
    // One cache for all: the transformer's keys tell the mutants apart.
    id: 'mutants',
    // Only where the spec is looked for: what it imports is found without a map of the tree.
    roots: [dirname(join(root, spec))],
    testMatch: [join(root, spec)],
    transform: { '^.+\\.ts$': [join(here, 'mutating-transform.mjs'), { mutant }] },
    testEnvironment: join(here, 'bailing-environment.mjs'),
    testEnvironmentOptions: { only: tests },
  })),
};
