// Builds apps with `nest build`, unless what is in dist was built from the sources as they are now.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silent } from './processes.mjs';
import { environment } from './toolchain.mjs';

/** What an app is made from; standalone is made from other apps too. */
const SOURCES = ['apps', 'libs', 'nest-cli.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
/** TypeScript takes a core each. */
const AT_ONCE = 2;

export async function ensureBuilt(root, apps, say) {
  const stamp = sourcesStamp(root);
  const waiting = apps.filter((app) => !isBuilt(root, app, stamp));
  if (waiting.length === 0) return;
  say(`building ${waiting.join(', ')}`);
  const worker = async () => {
    for (let app = waiting.shift(); app !== undefined; app = waiting.shift()) await build(root, app, stamp);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function build(root, app, stamp) {
  const { code, output } = await silent('nest', ['build', app], { cwd: root, env: environment(root) });
  if (code !== 0) throw new Error(`the build of ${app} failed:\n${output}`);
  mkdirSync(join(root, 'dist', 'apps', app), { recursive: true });
  writeFileSync(stampPath(root, app), stamp);
}

const isBuilt = (root, app, stamp) =>
  existsSync(stampPath(root, app)) && readFileSync(stampPath(root, app), 'utf8') === stamp;
const stampPath = (root, app) => join(root, 'dist', 'apps', app, '.built-from');

/** Of names, sizes and times: a checkout that was changed is built again, also when the change was undone. */
export function sourcesStamp(root) {
  const hash = createHash('sha256');
  for (const path of SOURCES.flatMap((source) => filesUnder(root, source)).sort()) {
    const { size, mtimeMs } = statSync(join(root, path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function filesUnder(root, path) {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path)).flatMap((name) => filesUnder(root, join(path, name)));
}
