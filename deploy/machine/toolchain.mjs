// The project's own Node and packages, as package-lock.json pins them.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { silent } from './processes.mjs';

/** The Node binary that the lock file pins for this machine. */
export const nodeBinary = (root) => join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');

/** True when this process is that binary already. */
export const onPinnedNode = (root) =>
  existsSync(nodeBinary(root)) && realpathSync(nodeBinary(root)) === process.execPath;

export const environment = (root) => ({
  ...process.env,
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].filter(Boolean).join(delimiter),
});

/** `npm ci`, unless node_modules is what package-lock.json says. What npm prints is shown only when it fails. */
export async function ensureNodeModules(root, say) {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  if (isInstalled(root, lock)) return;
  say('installing the npm packages of package-lock.json');
  // Under `npm test` npm says where it is; its version is not ours to choose here.
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm?.endsWith('.js') ? [process.execPath, npm] : ['npm'];
  const install = [...first, 'ci', '--no-audit', '--no-fund'];
  const { code, output } = await silent(command, install, { cwd: root });
  if (code !== 0) throw new Error(`npm ci ended with ${code}:\n${output}`);
  if (!existsSync(nodeBinary(root))) throw new Error(`npm ci did not install Node for ${process.arch}:\n${output}`);
  writeFileSync(stampPath(root), stampOf(lock));
}

/**
 * Our stamp holds the hash of the lock file that was installed. Where somebody ran npm by hand the record that npm keeps
 * itself decides: nothing that another process may be using is then installed afresh.
 */
export function isInstalled(root, lock) {
  if (!existsSync(nodeBinary(root))) return false;
  if (existsSync(stampPath(root)) && readFileSync(stampPath(root), 'utf8') === stampOf(lock)) return true;
  return satisfies(recordOfNpm(root), JSON.parse(lock).packages);
}

/** What npm says that it has installed, by path. */
function recordOfNpm(root) {
  const record = join(root, 'node_modules', '.package-lock.json');
  return existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')).packages : {};
}

/** Everything in `installed` is as locked, and nothing locked is absent but what is optional (other platforms). */
export function satisfies(installed, locked) {
  const asLocked = Object.entries(installed).every(([path, { version }]) => locked[path]?.version === version);
  const complete = Object.entries(locked).every(([path, { optional }]) => path === '' || optional || installed[path]);
  return asLocked && complete;
}

const stampPath = (root) => join(root, 'node_modules', '.novella-lock');
const stampOf = (lock) => `${createHash('sha256').update(lock).digest('hex')}\n`;
