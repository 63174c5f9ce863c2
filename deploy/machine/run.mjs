#!/usr/bin/env node
// Where `npm test` and `npm run demo` begin: on a fresh checkout, with nothing installed but a Node 18 or later and npm.
//   node deploy/machine/run.mjs prepare      only sets the machine up
//   node deploy/machine/run.mjs test         all rings of tests; the last line is `N passed, N failed`
//   node deploy/machine/run.mjs test:openstack  stories with a real OpenStack around; --skip ceph,tempest leaves parts out
//   node deploy/machine/run.mjs demo         builds, then grows a volume under a running guest
//   node deploy/machine/run.mjs bench        builds, then measures
//   node deploy/machine/run.mjs cluster      builds, then starts a broker, a database and every service as a process
//   node deploy/machine/run.mjs verify       builds, then kills every part under load and counts what was lost
//   node deploy/machine/run.mjs standalone   builds, then serves with the settings in the environment
//   node deploy/machine/run.mjs cinder-dev   the same for the development stand-in of Cinder
//   node deploy/machine/run.mjs manage       the same for novella-manage
// Exit codes: 0 well, 1 a test or a step failed, 2 wrong usage, 3 something must be installed by hand first.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './build.mjs';
import { ensurePackages, PackagesMissing } from './debian.mjs';
import { testOpenstack } from './openstack.mjs';
import { NEEDED_FOR, PACKAGES, packagesFor } from './packages.mjs';
import { watched, withSignsOfLife } from './processes.mjs';
import { rabbitmq4 } from './rabbitmq4.mjs';
import { runRings } from './rings.mjs';
import { ensureNodeModules, environment, nodeBinary, onPinnedNode } from './toolchain.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
/** Programs that are built before they run: the file in their app, and the apps that they start. */
const PROGRAMS = {
  demo: { app: 'standalone', file: 'demo/main.js' },
  bench: { app: 'standalone', file: 'bench/main.js', starts: ['nova-api', 'conductor', 'compute', 'cinder-dev'] },
  cluster: { app: 'cluster', file: 'main.js', starts: ['manage', 'nova-api', 'conductor', 'compute', 'cinder-dev'] },
  verify: {
    app: 'cluster',
    file: 'verify/main.js',
    starts: ['manage', 'nova-api', 'conductor', 'compute', 'cinder-dev'],
  },
  standalone: { app: 'standalone', file: 'main.js' },
  'cinder-dev': { app: 'cinder-dev', file: 'main.js' },
  manage: { app: 'manage', file: 'main.js' },
};
/** What a broker of the next Debian does is tested beside this one's. */
const NEEDS_RABBITMQ_4 = ['test', 'prepare'];
/** They start private libvirtds in mount namespaces, which the cluster need not. */
const NEEDS_ROOT = ['test', 'demo', 'bench', 'cluster'];
/** Little memory: V8 would else let garbage gather, for a speed that is not to be seen in any figure here. */
const NODE_FLAGS = ['--max-semi-space-size=4', '--optimize-for-size'];
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
  if (command === 'test:openstack') return testOpenstack(root, args, say);
  const memoryGuests = command === 'cluster' && asksFor(args, 'driver', 'fake');
  const packages = memoryGuests ? PACKAGES.rabbitmq : packagesFor(command);
  await withSignsOfLife('installing Debian packages', () => ensurePackages(packages, say));
  if (NEEDS_ROOT.includes(command) && !memoryGuests && !args.includes('--help') && process.getuid() !== 0) {
    process.stderr.write(
      `novella: ${command} starts a libvirtd of its own, which needs root:\n  ${asRoot(command, args)}\n`,
    );
    if (command === 'cluster') process.stderr.write('or, with guests in memory:\n  npm run cluster -- --driver fake\n');
    return 3;
  }
  if (NEEDS_RABBITMQ_4.includes(command)) await withSignsOfLife('fetching RabbitMQ 4', rabbitmq4);
  if (command === 'test') return runRings(root, say);
  if (Object.hasOwn(PROGRAMS, command)) return buildAndRun(command, args);
  say(`the machine is ready: Node ${process.versions.node}, ${packages.length} Debian packages`);
  return 0;
}

/** `--name value` or `--name=value`. */
function asksFor(args, name, value) {
  return args.includes(`--${name}=${value}`) || args[args.indexOf(`--${name}`) + 1] === value;
}

function asRoot(command, args) {
  return ['sudo npm run', command, ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
}

async function buildAndRun(command, args) {
  const { app, file, starts = [] } = PROGRAMS[command];
  const apps = args.includes('--help') ? [app] : [app, ...starts];
  await withSignsOfLife('building', () => ensureBuilt(root, apps, say));
  const program = join('dist', 'apps', app, 'apps', app, 'src', file);
  const node = [nodeBinary(root), ...NODE_FLAGS, program, ...args];
  // What has started others must hear that we are gone, however that comes, to end them.
  const [first, ...rest] = starts.length > 0 ? ['setpriv', '--pdeathsig', 'TERM', '--', ...node] : node;
  return watched(first, rest, { cwd: root, env: environment(root) });
}
