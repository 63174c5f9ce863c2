// `npm test`: all rings of tests, and one closing line for all of them.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environment, nodeBinary } from './toolchain.mjs';
import { watched, withSignsOfLife } from './processes.mjs';
import { closingLine } from './summary-reporter.mjs';

// All side by side, on more workers than cores: what takes long is waiting, for brokers, processes and disks. Guests are
// emulated and take a core each, so there is one at a time. A test that fails half way may leave a connection to a guest
// open, and must not keep the ring from ending: --forceExit.
const RUNS = [
  { name: 'unit and integration tests', args: ['--selectProjects', 'unit', 'integration', '--maxWorkers=3'] },
  { name: 'end-to-end tests', args: ['--selectProjects', 'e2e', '--runInBand', '--forceExit'] },
];
const JEST = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];

/** Answers the exit code: 0 only when tests ran and none failed. */
export async function runRings(root, say) {
  const all = await Promise.all(
    RUNS.map(async ({ name, args }) => {
      const since = Date.now();
      say(name);
      const counts = await withSignsOfLife(`running the ${name}`, () => runJest(root, args));
      say(`${name}: ${closingLine(counts)}, ${Math.round((Date.now() - since) / 1000)} s`);
      return counts;
    }),
  );
  const total = sum(all);
  if (total.passed + total.failed === 0) say('no test ran');
  process.stdout.write(`${closingLine(total)}\n`);
  return exitCode(total);
}

export const exitCode = ({ passed, failed }) => (failed === 0 && passed > 0 ? 0 : 1);

export const sum = (all) =>
  all.reduce((total, counts) => ({
    passed: total.passed + counts.passed,
    failed: total.failed + counts.failed,
    skipped: total.skipped + counts.skipped,
  }));

async function runJest(root, args) {
  const folder = mkdtempSync(join(tmpdir(), 'novella-test-'));
  const counts = join(folder, 'counts.json');
  try {
    const env = { ...environment(root), NOVELLA_TEST_COUNTS: counts };
    const code = await watched(nodeBinary(root), [...JEST, '--passWithNoTests', ...args], { cwd: root, env });
    return countsWithExit(existsSync(counts) ? JSON.parse(readFileSync(counts, 'utf8')) : null, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Jest failing without a failed test (it crashed, or its set-up did) counts as one. */
export function countsWithExit(counts, code) {
  const seen = counts ?? { passed: 0, failed: 0, skipped: 0 };
  return code !== 0 && seen.failed === 0 ? { ...seen, failed: 1 } : seen;
}
