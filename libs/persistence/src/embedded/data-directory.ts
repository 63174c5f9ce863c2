import { randomUUID } from 'node:crypto';
import { chown, lstat, mkdir, readFile, readlink, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NovellaError } from '@novella/core';

/** Who Postgres runs as: ourselves, or when we are root an unprivileged user that the machine has already. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

export async function runAs(): Promise<RunAs> {
  if (process.getuid?.() !== 0) return {};
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const user = users.find((fields) => fields[0] === name);
    const [uid, gid] = [Number(user?.[2]), Number(user?.[3])];
    if (Number.isInteger(uid) && uid > 0 && Number.isInteger(gid)) return { uid, gid };
  }
  throw new NovellaError(
    'database-unreachable',
    'Postgres does not run as root and there is no user postgres or nobody',
  );
}

/**
 * Makes the directory if it is not there, as the user's own; its parents must let that user through. Answers the real
 * path and whether it holds a database already. A directory with other things in it is never overwritten: the rename in newDatabase fails.
 */
export async function prepareDataDirectory(dataDir: string, user: RunAs): Promise<{ path: string; isNew: boolean }> {
  await mkdir(dirname(dataDir), { recursive: true, mode: 0o755 });
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const path = await realpath(dataDir);
  if (user.uid !== undefined && user.gid !== undefined) {
    await assertReachable(path);
    if ((await lstat(path)).uid !== user.uid) await chown(path, user.uid, user.gid);
  }
  const isNew = (await read(join(path, 'PG_VERSION'))) === null;
  return { path, isNew };
}

/** `make` fills a folder aside, which then takes the empty directory's place: a half-made database is never found. */
export async function newDatabase(path: string, user: RunAs, make: (folder: string) => Promise<void>): Promise<void> {
  const aside = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    await mkdir(aside, { mode: 0o700 });
    if (user.uid !== undefined && user.gid !== undefined) await chown(aside, user.uid, user.gid);
    await make(aside);
    await rename(aside, path);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function assertReachable(path: string): Promise<void> {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) !== 0) continue;
    const message = `${folder} is closed to the user that Postgres runs as: choose another data directory`;
    throw new NovellaError('database-unreachable', message, { path: folder });
  }
}

/** Which process of ours started the Postgres in a data directory; the kernel's start time tells a reused pid apart. */
const OWNER = 'novella-owner';

export async function noteOwner(path: string): Promise<void> {
  await writeFile(join(path, OWNER), `${process.pid} ${(await startTime(process.pid)) ?? ''}\n`);
}

export const forgetOwner = (path: string): Promise<void> => rm(join(path, OWNER), { force: true });

/** How long a Postgres that lost its owner may take to shut down. */
const ORPHAN_STOP_MS = 30_000;

/**
 * Before a start: ends a Postgres in the directory whose owner is gone, and removes a postmaster.pid whose process is
 * gone. Errors: database-unreachable when the directory is in use by a Postgres that somebody still owns.
 */
export async function clearDataDirectory(path: string): Promise<void> {
  const lock = join(path, 'postmaster.pid');
  const pid = Number((await read(lock))?.split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return;
  if (await runsIn(pid, path)) {
    if (await ownerLives(path)) {
      throw new NovellaError('database-unreachable', `a Postgres already runs in ${path}`, { path, pid });
    }
    await stopOrphan(pid, path);
  }
  await rm(lock, { force: true });
}

async function stopOrphan(pid: number, path: string): Promise<void> {
  process.kill(pid, 'SIGINT');
  for (let waited = 0; waited < ORPHAN_STOP_MS; waited += 50) {
    if (!(await runsIn(pid, path))) return;
    await delay(50);
  }
  throw new NovellaError('database-unreachable', `the Postgres left over in ${path} does not stop`, { path, pid });
}

/** A postmaster's working directory is its data directory; a process that has another one only got the same pid. */
async function runsIn(pid: number, path: string): Promise<boolean> {
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === path;
  } catch {
    return false;
  }
}

async function ownerLives(path: string): Promise<boolean> {
  const [pid, started] = ((await read(join(path, OWNER))) ?? '').trim().split(' ');
  return started !== undefined && (await startTime(Number(pid))) === started;
}

/** Field 22 of /proc/<pid>/stat, in clock ticks since boot; null when there is no such process. */
async function startTime(pid: number): Promise<string | null> {
  const text = await read(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return null;
  }
}
