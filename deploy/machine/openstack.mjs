// `npm run test:openstack`: a whole OpenStack of Debian's packages with Novella as its Nova, and the stories that run
// against it. A part that cannot be had fails the run by its name, unless it is left out by name: --skip ceph,tempest
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages, isRoot } from './debian.mjs';
import { OPENSTACK_PARTS, PACKAGES } from './packages.mjs';
import { watched, withSignsOfLife } from './processes.mjs';
import { countsWithExit } from './rings.mjs';
import { closingLine } from './summary-reporter.mjs';
import { environment, nodeBinary } from './toolchain.mjs';

const PROGRAM = join('test', 'openstack', 'deployment', 'main.ts');
const LOADER = './test/bad-input/typescript.mjs';
/** The others hold each other up. */
const SKIPPABLE = ['ceph', 'tempest'];

/** Answers the exit code; the last line printed is `N passed, N failed`. */
export async function testOpenstack(root, words, say) {
  const skip = skippedParts(words);
  const unknown = skip.filter((part) => !SKIPPABLE.includes(part));
  if (unknown.length > 0) {
    process.stderr.write(`novella: --skip takes ${SKIPPABLE.join(', ')}, not ${unknown.join(', ')}\n`);
    return 2;
  }
  const missing = await missingParts(
    Object.keys(OPENSTACK_PARTS).filter((part) => !skip.includes(part)),
    say,
  );
  for (const { part, why } of missing) say(`${part} cannot be had: ${why}`);
  if (skip.length > 0) say(`left out: ${skip.join(', ')}`);
  const counts = missing.length > 0 ? { passed: 0, failed: missing.length, skipped: 0 } : await run(root, words);
  process.stdout.write(`${closingLine(counts)}\n`);
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

/** `--skip a,b` or `--skip=a,b`, any number of times. */
export function skippedParts(words) {
  const lists = words.flatMap((word, n) => {
    if (word.startsWith('--skip=')) return [word.slice('--skip='.length)];
    return word === '--skip' ? [words[n + 1] ?? ''] : [];
  });
  return lists.flatMap((list) => list.split(',')).filter(Boolean);
}

/** All at once, which is quicker; when that fails part by part, to name the one that is to blame. */
async function missingParts(parts, say) {
  if (!isRoot()) return [{ part: 'libvirt', why: 'a libvirtd of its own needs root: sudo npm run test:openstack' }];
  const install = (some) => ensurePackages([...new Set(some.flatMap(packagesOf))], say);
  try {
    await withSignsOfLife('installing Debian packages', () => install(parts));
    return [];
  } catch {
    const missing = [];
    for (const part of parts) await install([part]).catch(({ message }) => missing.push({ part, why: message }));
    return missing;
  }
}

const packagesOf = (part) => OPENSTACK_PARTS[part].flatMap((set) => PACKAGES[set]);

async function run(root, words) {
  const folder = mkdtempSync(join(tmpdir(), 'novella-test-'));
  const counts = join(folder, 'counts.json');
  try {
    const env = { ...environment(root), NOVELLA_TEST_COUNTS: counts };
    const program = ['setpriv', '--pdeathsig', 'TERM', '--', nodeBinary(root), '--import', LOADER, PROGRAM, ...words];
    const code = await watched(program[0], program.slice(1), { cwd: root, env });
    return countsWithExit(existsSync(counts) ? JSON.parse(readFileSync(counts, 'utf8')) : null, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
