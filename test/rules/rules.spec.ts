import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';

// Runs the project's own lint and import rules over bad/tree, which looks like the project: each file under a `bad`
// folder breaks one rule, every other file none.
const ROOT = join(import.meta.dirname, '..', '..');
const TREE = join(import.meta.dirname, 'bad', 'tree');
jest.setTimeout(180_000);

/** What was said of each file, by its path in the tree. */
type Findings = Map<string, string[]>;

describe('the lint rules (rule 3.9a)', () => {
  let findings: Findings;
  beforeAll(async () => {
    findings = await lint();
  });

  const N1_IN_OPERATIONS = [
    'abort-signal-timeout',
    'crypto-random-uuid',
    'date-call',
    'date-now',
    'global-set-timeout',
    'math-random',
    'new-date',
    'performance-now',
    'process-hrtime',
    'random-import',
    'random-uuid',
    'set-immediate',
    'set-interval',
    'set-timeout',
    'timers-export',
    'timers-import',
  ];
  it.each([
    ...N1_IN_OPERATIONS.map((sample) => [`apps/conductor/src/operations/bad/n1-${sample}.ts`, 'N1']),
    ['apps/compute/src/flows/bad/n1-date-now.ts', 'N1'],
    ['apps/conductor/src/operations/bad/n2-process-env.ts', 'N2'],
    ['apps/nova-api/src/bad/n2-env-destructured.ts', 'N2'],
    ['apps/nova-api/src/bad/n2-env-imported.ts', 'N2'],
    ['apps/nova-api/src/bad/n2-process-env.ts', 'N2'],
    ['apps/nova-api/src/bad/n3-const-enum.spec.ts', 'N3'],
    ['apps/nova-api/src/bad/n3-enum.ts', 'N3'],
    ['apps/nova-api/src/bad/n4-export-all.ts', 'N4'],
    ['libs/service-kit/src/bad/n4-export-all.ts', 'N4'],
    ['apps/nova-api/src/bad/consistent-type-imports.ts', '@typescript-eslint/consistent-type-imports'],
    ['apps/nova-api/src/bad/eqeqeq.ts', 'eqeqeq'],
    ['apps/nova-api/src/bad/no-console.ts', 'no-console'],
    ['apps/nova-api/src/bad/no-explicit-any.ts', '@typescript-eslint/no-explicit-any'],
    ['apps/nova-api/src/bad/no-floating-promises.ts', '@typescript-eslint/no-floating-promises'],
    ['apps/nova-api/src/bad/no-misused-promises.ts', '@typescript-eslint/no-misused-promises'],
    ['apps/nova-api/src/bad/no-non-null-assertion.ts', '@typescript-eslint/no-non-null-assertion'],
    ['apps/nova-api/src/bad/no-unsafe-return.ts', '@typescript-eslint/no-unsafe-return'],
    ['apps/nova-api/src/bad/switch-exhaustiveness-check.ts', '@typescript-eslint/switch-exhaustiveness-check'],
  ])('catch %s', (file, rule) => {
    expect(findings.get(file)).toEqual([rule]);
  });

  it('find nothing in the files that are as they should be', () => {
    expect([...findings.keys()].filter(isGood)).toEqual([]);
  });
});

describe('the import rules (rule 3.9c)', () => {
  let findings: Findings;
  beforeAll(async () => {
    findings = await cruise();
  });

  it.each([
    ...[
      'brick',
      'cinder',
      'contracts',
      'core',
      'glance',
      'image',
      'keystone',
      'libvirt',
      'messaging',
      'persistence',
      'policy',
      'sealing',
      'service-kit',
      'virt',
    ].map((lib) => [`libs/${lib}/src/bad/direction.ts`, `import-direction-libs-${lib}`]),
    ...['cinder-dev', 'cluster', 'compute', 'conductor', 'manage', 'nova-api'].map((app) => [
      `apps/${app}/src/bad/direction.ts`,
      `import-direction-apps-${app}`,
    ]),
    ['apps/standalone/src/bad/direction.ts', 'import-direction-apps-standalone', 'testing-only-from-tests'],
    ['libs/testing/src/bad/direction.ts', 'deep-import', 'import-direction-libs-testing'],
    ['libs/unlisted/src/bad/direction.ts', 'import-direction-unlisted'],
    ['libs/brick/src/bad/lib-imports-app.ts', 'import-direction-libs-brick'],
    ['libs/virt/src/bad/deep-import.spec.ts', 'deep-import'],
    ['apps/conductor/src/bad/app-imports-app.ts', 'app-imports-app'],
    ['apps/compute/src/bad/uses-test-harness.ts', 'import-direction-apps-compute', 'testing-only-from-tests'],
    ['libs/virt/src/bad/uses-conformance-suite.ts', 'testing-only-from-tests'],
    ['apps/compute/src/bad/amqplib.ts', 'amqplib-only-in-messaging'],
    ['apps/conductor/src/bad/typeorm.ts', 'typeorm-only-in-persistence'],
    ['apps/nova-api/src/bad/pg.ts', 'typeorm-only-in-persistence'],
    ['libs/core/src/bad/reads-a-file.ts', 'core-knows-no-io'],
    ['libs/contracts/src/bad/knows-nest.ts', 'core-knows-no-io'],
    ['libs/image/src/bad/cycle-one.ts', 'no-cycles'],
    ['libs/brick/src/bad/dev-dependency.ts', 'not-to-dev-dependency'],
    ['libs/brick/src/bad/dependency-of-a-dependency.ts', 'not-to-dev-dependency'],
  ])('catch %s', (file, ...rules) => {
    expect(findings.get(file)).toEqual(rules);
  });

  it('have each a sample that breaks it', () => {
    const config = createRequire(import.meta.url)(join(ROOT, '.dependency-cruiser.cjs')) as {
      forbidden: { name: string }[];
    };
    const broken = new Set([...findings.values()].flat());
    expect(config.forbidden.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([]);
  });

  it('find nothing in the files that are as they should be', () => {
    expect([...findings.keys()].filter(isGood)).toEqual([]);
  });
});

const isGood = (file: string): boolean => !file.includes('/bad/');

/** By our rule's number where the rule is ours, else by the rule's name. */
async function lint(): Promise<Findings> {
  const args = ['--config', join(ROOT, 'eslint.config.mjs'), '--format', 'json', '.'];
  const files = (await runInTree('eslint/bin/eslint.js', args)) as {
    filePath: string;
    messages: { ruleId: string | null; message: string }[];
  }[];
  const nameOf = ({ ruleId, message }: { ruleId: string | null; message: string }): string =>
    /^N\d+(?=:)/.exec(message)?.[0] ?? ruleId ?? message;
  return new Map(
    files
      .filter(({ messages }) => messages.length > 0)
      .map(({ filePath, messages }) => [relative(TREE, filePath), messages.map(nameOf)]),
  );
}

async function cruise(): Promise<Findings> {
  const config = ['--config', join(ROOT, '.dependency-cruiser.cjs'), '--no-progress'];
  const args = [...config, '--output-type', 'json', 'apps', 'libs'];
  const report = (await runInTree('dependency-cruiser/bin/dependency-cruiser.mjs', args)) as {
    summary: { violations: { from: string; rule: { name: string } }[] };
  };
  const findings: Findings = new Map();
  for (const { from, rule } of report.summary.violations) {
    findings.set(from, [...(findings.get(from) ?? []), rule.name].sort());
  }
  return findings;
}

/** The program's JSON, from whatever exit code: both end with another than 0 when they find something. */
function runInTree(program: string, args: string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const command = [join(ROOT, 'node_modules', program), ...args];
    execFile(process.execPath, command, { cwd: TREE, maxBuffer: 2 ** 26 }, (_error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout));
      } catch (cause) {
        reject(new Error(`${program} gave no JSON; it said: ${stderr}`, { cause }));
      }
    });
  });
}
