#!/usr/bin/env node
// RabbitMQ 4 beside the system's own: Debian 13's packages, fetched and checked by apt with a configuration of their own
// and unpacked, not installed. They run with Debian 13's own loader and libraries, so an older system is no matter.
// Prints where it is, as JSON: { erl, epmd, home }.
//   usage: node deploy/machine/rabbitmq4.mjs
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { aptUpdate, isRoot } from './debian.mjs';

const RELEASE = 'trixie';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const ERLANG = ['base', 'asn1', 'crypto', 'eldap', 'inets', 'mnesia', 'os-mon', 'parsetools', 'public-key'];
const MORE_ERLANG = ['runtime-tools', 'ssl', 'syntax-tools', 'tools', 'xmerl'];
const LIBRARIES = ['libc6', 'libgcc-s1', 'libstdc++6', 'libtinfo6', 'zlib1g', 'libssl3t64', 'libzstd1'];
const OF_EPMD = ['libsystemd0', 'libcap2'];
const PACKAGES = [
  'rabbitmq-server',
  ...[...ERLANG, ...MORE_ERLANG].map((part) => `erlang-${part}`),
  ...LIBRARIES,
  ...OF_EPMD,
];
const LOADER = {
  x64: { architecture: 'amd64', file: 'usr/lib64/ld-linux-x86-64.so.2', libraries: 'usr/lib/x86_64-linux-gnu' },
  arm64: { architecture: 'arm64', file: 'usr/lib/ld-linux-aarch64.so.1', libraries: 'usr/lib/aarch64-linux-gnu' },
};
const ABANDONED_MS = 60 * 60 * 1000;

/** Where it is; fetched when there is none yet of this script and this architecture. */
export async function rabbitmq4() {
  const hash = createHash('sha256').update(process.arch);
  hash.update(await readFile(fileURLToPath(import.meta.url)));
  const cache = cacheFolder();
  const target = join(cache, `rabbitmq4-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(target)) return locations(target);

  await mkdir(cache, { recursive: true });
  await removeAbandoned(cache);
  const work = await mkdtemp(join(cache, '.unpacking-'));
  try {
    await download(work);
    await unpack(work, target);
    // A process that did the same meanwhile has won, and its folder is as good as ours.
    await rename(join(work, 'root'), target).catch((error) => {
      if (!existsSync(target)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return locations(target);
}

async function locations(root) {
  const lib = join(root, 'usr/lib/rabbitmq/lib');
  const server = (await readdir(lib)).find((name) => name.startsWith('rabbitmq_server-4'));
  if (!server) throw new Error(`no RabbitMQ 4 in ${lib}`);
  return { erl: join(root, 'bin/erl'), epmd: join(root, 'bin/epmd'), home: join(lib, server) };
}

/** Outside the checkout, which may be closed to other users. */
function cacheFolder() {
  if (process.env.XDG_CACHE_HOME) return join(process.env.XDG_CACHE_HOME, 'novella');
  return isRoot() ? '/var/cache/novella' : join(homedir(), '.cache', 'novella');
}

async function removeAbandoned(cache) {
  for (const name of await readdir(cache)) {
    if (!name.startsWith('.unpacking-')) continue;
    const { mtimeMs } = await stat(join(cache, name)).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(join(cache, name), { recursive: true, force: true });
  }
}

/** The .deb files into `work`; apt checks the release's signature, and each file's hash against it. */
async function download(work) {
  const state = join(work, 'apt');
  await mkdir(join(state, 'lists/partial'), { recursive: true });
  await mkdir(join(state, 'cache/archives/partial'), { recursive: true });
  await writeFile(join(state, 'sources.list'), (await mirrors()).join(''));
  await writeFile(join(state, 'status'), '');
  const settings = {
    'Dir::Etc::SourceList': join(state, 'sources.list'),
    'Dir::Etc::SourceParts': '-',
    'Dir::Etc::Preferences': '-',
    'Dir::Etc::PreferencesParts': '-',
    'Dir::State': state,
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': join(state, 'cache'),
    'APT::Architecture': loader().architecture,
    'APT::Architectures': loader().architecture,
    'APT::Sandbox::User': isRoot() ? 'root' : '',
    'APT::Default-Release': '',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  run('apt-get', [...options, '-qq', 'update'], { cwd: work });
  run('apt-get', [...options, '-qq', 'download', ...PACKAGES], { cwd: work });
}

/** The mirrors that this machine's apt uses, with Debian 13 in the place of its own release. */
async function mirrors() {
  let found = debianSources(indexTargets());
  // Without package lists apt does not know whose mirror it is.
  if (found.length === 0 && isRoot()) {
    await aptUpdate();
    found = debianSources(indexTargets());
  }
  if (found.length === 0) throw new Error("RabbitMQ 4 comes from Debian 13, and apt's sources name no Debian mirror");
  return found;
}

const indexTargets = () => run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(LABEL)', 'Created-By: Packages']);

/** `targets`: lines of a repository's URI and its label. */
export function debianSources(targets) {
  const sources = targets.split('\n').flatMap((line) => {
    const [uri, label] = line.split(' ');
    const suite = { Debian: RELEASE, 'Debian-Security': `${RELEASE}-security` }[label];
    return suite ? [`deb [signed-by=${KEYRING}] ${uri} ${suite} main\n`] : [];
  });
  return [...new Set(sources)];
}

function loader() {
  const found = LOADER[process.arch];
  if (!found) throw new Error(`no RabbitMQ 4 for ${process.arch}; there is one for ${Object.keys(LOADER).join(', ')}`);
  return found;
}

/** `target` is where it will be when it is complete: programs are started by that path. */
async function unpack(work, target) {
  const root = join(work, 'root');
  await mkdir(join(root, 'bin'), { recursive: true });
  await chmod(root, 0o755);
  const packages = (await readdir(work)).filter((name) => name.endsWith('.deb'));
  for (const name of packages) run('dpkg-deb', ['-x', join(work, name), root]);
  await writeFile(join(root, 'packages'), packages.map((name) => `${decodeURIComponent(name)}\n`).join(''));

  const erlang = 'usr/lib/erlang';
  const erts = (await readdir(join(root, erlang))).find((name) => name.startsWith('erts-'));
  if (!erts) throw new Error('no Erlang in the packages');
  const bin = join(erlang, erts, 'bin');
  for (const folder of [bin, ...(await helperFolders(root, join(erlang, 'lib')))]) {
    for (const name of await readdir(join(root, folder))) await startByLoader(root, join(folder, name), target);
  }
  const environment = [`ROOTDIR=${join(target, erlang)}`, `BINDIR=${join(target, bin)}`, 'EMU=beam', 'PROGNAME=erl'];
  const erl = `#!/bin/sh\nexport ${environment.join(' ')}\nexec "$BINDIR/erlexec" "$@"\n`;
  await writeFile(join(root, 'bin/erl'), erl, { mode: 0o755 });
  await writeFile(join(root, 'bin/epmd'), `#!/bin/sh\nexec ${join(target, bin, 'epmd')} "$@"\n`, { mode: 0o755 });
}

/** Erlang's applications bring programs of their own (os_mon: memsup). */
async function helperFolders(root, lib) {
  const folders = (await readdir(join(root, lib))).map((name) => join(lib, name, 'priv', 'bin'));
  return folders.filter((folder) => existsSync(join(root, folder)));
}

/** A program becomes a script that starts it with the loader and the libraries of its own release. */
async function startByLoader(root, program, target) {
  const path = join(root, program);
  if (!(await isElf(path))) return;
  await rename(path, `${path}.elf`);
  const { file, libraries } = loader();
  const start = `exec ${join(target, file)} --library-path ${join(target, libraries)} ${join(target, program)}.elf "$@"`;
  await writeFile(path, `#!/bin/sh\n${start}\n`, { mode: 0o755 });
}

async function isElf(path) {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString('latin1') === '\x7fELF';
  } finally {
    await file.close();
  }
}

function run(command, args, options = {}) {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
  } catch (error) {
    const said = String(error.stderr ?? '').trim();
    throw new Error(`RabbitMQ 4 cannot be had: ${command}: ${said || error.message}`, { cause: error });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.stdout.write(`${JSON.stringify(await rabbitmq4())}\n`);
}
