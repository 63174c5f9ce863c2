#!/usr/bin/env node
// Where `npm test` and `npm run demo` begin: on a fresh checkout, with nothing installed but a Node 18 or later and npm.
//   node deploy/machine/run.mjs prepare      only sets the machine up
//   node deploy/machine/run.mjs test         all rings of tests; the last line is `N passed, N failed`
//   node deploy/machine/run.mjs demo         builds, then grows a volume under a running guest
//   node deploy/machine/run.mjs bench        builds, then measures
//   node deploy/machine/run.mjs standalone   builds, then serves with the settings in the environment
//   node deploy/machine/run.mjs cinder-dev   the same for the development stand-in of Cinder
// Exit codes: 0 well, 1 a test or a step failed, 2 wrong usage, 3 something must be installed by hand first.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensurePackages, PackagesMissing } from './debian.mjs';
import { NEEDED_FOR, packagesFor } from './packages.mjs';
import { silent, watched, withSignsOfLife } from './processes.mjs';
import { runRings } from './rings.mjs';
import { ensureNodeModules, environment, nodeBinary, onPinnedNode } from './toolchain.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
/** Programs that are built before they run: the app, and the file in it. */
const PROGRAMS = {
  demo: ['standalone', 'demo/main.js'],
  bench: ['standalone', 'demo/bench.js'],
  standalone: ['standalone', 'main.js'],
  'cinder-dev': ['cinder-dev', 'main.js'],
};
/** They start a private libvirtd in a mount namespace. */
const NEEDS_ROOT = ['test', 'demo', 'bench'];
/** A young generation of 3 x 4 MB: V8 would else take 48 MB before it looks for garbage, for nothing here. */
const NODE_FLAGS = ['--max-semi-space-size=4'];
const say = (line) => process.stdout.write(`novella: ${line}\n`);

process.exitCode = await main(process.argv.slice(2)).catch((error) => {
  if (error instanceof PackagesMissing) {
    process.stderr.write(`novella: ${error.message}; install them with:\n  ${error.command}\n`);
    return 3;
  }
  process.stderr.write(`novella: ${error.stack}\n`);
  return 1;
});

async function main([command, ...args]) {
  if (!Object.hasOwn(NEEDED_FOR, command ?? '')) {
    process.stderr.write(`usage: node deploy/machine/run.mjs ${Object.keys(NEEDED_FOR).join(' | ')}\n`);
    return 2;
  }
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    process.stderr.write(`novella: needs Linux on x64 or arm64, this is ${process.platform} on ${process.arch}\n`);
    return 3;
  }
  await withSignsOfLife('installing npm packages', () => ensureNodeModules(root, say));
  if (!onPinnedNode(root)) {
    return watched(nodeBinary(root), [fileURLToPath(import.meta.url), command, ...args], { env: environment(root) });
  }
  await withSignsOfLife('installing Debian packages', () => ensurePackages(packagesFor(command), say));
  if (NEEDS_ROOT.includes(command) && process.getuid() !== 0) {
    process.stderr.write(
      `novella: ${command} starts a libvirtd of its own, which needs root:\n  sudo npm run ${command}\n`,
    );
    return 3;
  }
  if (command === 'test') return runRings(root, say);
  if (Object.hasOwn(PROGRAMS, command)) return buildAndRun(...PROGRAMS[command], args);
  say(`the machine is ready: Node ${process.versions.node}, ${packagesFor(command).length} Debian packages`);
  return 0;
}

async function buildAndRun(app, file, args) {
  say('building');
  const { code, output } = await withSignsOfLife('building', () =>
    silent('nest', ['build', app], { cwd: root, env: environment(root) }),
  );
  if (code !== 0) throw new Error(`the build failed:\n${output}`);
  const program = join('dist', 'apps', app, 'apps', app, 'src', file);
  return watched(nodeBinary(root), [...NODE_FLAGS, program, ...args], { cwd: root, env: environment(root) });
}
