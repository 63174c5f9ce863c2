// Installs Debian packages without starting or restarting a daemon, and only those that are missing.
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { silent } from './processes.mjs';

const POLICY = '/usr/sbin/policy-rc.d';
const POLICY_MARK = 'written by novella, process';
const LOCK_WAIT_S = 120;
const ENVIRONMENT = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };

/** Something that a person has to install first; `command` is what to type. */
export class PackagesMissing extends Error {
  constructor(packages, command) {
    super(`missing packages: ${packages.join(', ')}`);
    this.command = command;
  }
}

export const isRoot = () => process.getuid?.() === 0;

export const installCommand = (packages) => [
  'apt-get',
  'install',
  '-y',
  '--no-install-recommends',
  '--no-remove',
  ...packages,
];

/** Those of `packages` that are not installed. Where there is no dpkg, that is all of them. */
export function missingPackages(packages, query = dpkgQuery) {
  const statuses = query(packages);
  return packages.filter((name) => statuses.get(name) !== 'installed');
}

/** Status by package name; packages that dpkg has never heard of are absent. */
function dpkgQuery(packages) {
  let answer = '';
  try {
    const args = ['-W', '-f', '${Package} ${db:Status-Status}\\n', ...packages];
    answer = execFileSync('dpkg-query', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    // It exits 1 when one of the names is unknown, after it has told of the others.
    answer = String(error.stdout ?? '');
  }
  return new Map(
    answer
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' ')),
  );
}

/**
 * Installs those of `packages` that are missing and answers their names. Throws PackagesMissing when this user or this
 * system cannot install them.
 */
export async function ensurePackages(packages, say) {
  const missing = missingPackages(packages);
  if (missing.length === 0) return missing;
  if (!isRoot() || !isDebianLike()) {
    const apt = `apt-get update && ${isRoot() ? '' : 'sudo '}${installCommand(missing).join(' ')}`;
    throw new PackagesMissing(missing, isRoot() ? apt : `sudo ${apt}`);
  }
  say(`installing Debian packages, without starting a service: ${missing.join(' ')}`);
  await aptUpdate();
  await withoutDaemons(() => apt(installCommand(missing).slice(1)));
  return missing;
}

export const aptUpdate = () => apt(['update']);

async function apt(args) {
  const options = ['-q', '-o', `DPkg::Lock::Timeout=${LOCK_WAIT_S}`, '-o', 'Dpkg::Options::=--force-confold'];
  const { code, output } = await silent('apt-get', [...options, ...args], { env: ENVIRONMENT });
  if (code !== 0) throw new Error(`apt-get ${args.join(' ')} ended with ${code}:\n${output}`);
}

function isDebianLike() {
  try {
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

/**
 * While `work` runs, packages ask /usr/sbin/policy-rc.d whether they may start their services and hear no (101).
 * A policy that somebody else wrote stays as it is; one of ours whose process is gone is replaced.
 */
export async function withoutDaemons(work, path = POLICY) {
  if (!writePolicy(path)) return work();
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function writePolicy(path) {
  const text = `#!/bin/sh\n# ${POLICY_MARK} ${process.pid}; it goes when that process ends\nexit 101\n`;
  for (const flag of ['wx', 'w']) {
    try {
      writeFileSync(path, text, { flag });
      chmodSync(path, 0o755);
      return true;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!isLeftBehind(readFileSync(path, 'utf8'))) return false;
    }
  }
  return false;
}

function isLeftBehind(policy) {
  const pid = new RegExp(`${POLICY_MARK} (\\d+);`).exec(policy)?.[1];
  if (!pid) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
