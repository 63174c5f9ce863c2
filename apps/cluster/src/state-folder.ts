import { readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DRIVERS, type ClusterOptions } from './options.js';

/** Something that a person must decide or mend first; nothing was started or changed. */
export class Refusal extends Error {}

/** Where a cluster keeps everything. */
export interface StateFolder {
  readonly path: string;
  readonly broker: string;
  readonly passwords: string;
  readonly definitions: string;
  readonly postgres: string;
  readonly cinder: string;
  readonly images: string;
  /** What openstackclient and novella-manage are given. */
  readonly environmentFile: string;
  readonly clouds: string;
  log(member: string): string;
  host(name: string): { readonly state: string; readonly libvirt: string; readonly fake: string };
}

/** Says that the folder is a cluster's, whose guests it holds, and which process runs it. */
const MARK = 'novella-cluster.json';
const mark = z.object({
  driver: z.enum(DRIVERS),
  /** The process that runs the cluster, and the kernel's start time of it: pids come again. */
  owner: z.object({ pid: z.number(), startTime: z.string() }).nullable(),
});
type Mark = z.output<typeof mark>;

/**
 * Takes the folder for this process; with `fresh` what is in it goes first. Throws Refusal for a folder with other
 * things in it, one that a running cluster has, and one whose guests another driver holds.
 */
export async function takeStateFolder({ state, driver, fresh }: ClusterOptions): Promise<StateFolder> {
  await mkdir(state, { recursive: true, mode: 0o755 });
  const found = await readMark(state);
  if (found === null && (await readdir(state)).length > 0) {
    throw new Refusal(`${state} has other things in it: give an empty folder, or one of an earlier cluster`);
  }
  const owner = found?.owner ?? null;
  if (owner !== null && startTime(owner.pid) === owner.startTime) {
    throw new Refusal(`a cluster runs there already, as process ${owner.pid}: ${state}`);
  }
  if (found !== null && !fresh && found.driver !== driver) {
    throw new Refusal(
      `the guests in ${state} were made with --driver ${found.driver}: say so, or --fresh to forget them`,
    );
  }
  await writeMark(state, { driver, owner: { pid: process.pid, startTime: startTime(process.pid) ?? '' } });
  return foldersIn(state);
}

/** Once nothing of an earlier run uses it any more. */
export async function prepareStateFolder(folder: StateFolder, fresh: boolean): Promise<void> {
  if (fresh) {
    for (const name of await readdir(folder.path)) {
      if (name !== MARK) await rm(join(folder.path, name), { recursive: true, force: true });
    }
  }
  for (const path of ['broker', 'cinder', 'images', 'logs', 'hosts']) {
    await mkdir(join(folder.path, path), { recursive: true, mode: 0o755 });
  }
  // Passwords are in there.
  await chmod(join(folder.path, 'broker'), 0o700);
  await chmod(join(folder.path, 'logs'), 0o700);
}

export async function releaseStateFolder({ path }: StateFolder): Promise<void> {
  const found = await readMark(path);
  if (found !== null) await writeMark(path, { ...found, owner: null });
}

function foldersIn(path: string): StateFolder {
  const broker = join(path, 'broker');
  return {
    path,
    broker,
    passwords: join(broker, 'passwords.json'),
    definitions: join(broker, 'definitions.json'),
    postgres: join(path, 'postgres'),
    cinder: join(path, 'cinder'),
    images: join(path, 'images'),
    environmentFile: join(path, 'cluster.env'),
    clouds: join(path, 'clouds.yaml'),
    log: (member) => join(path, 'logs', `${member}.log`),
    host: (name) => ({
      state: join(path, 'hosts', name, 'state'),
      libvirt: join(path, 'hosts', name, 'libvirt'),
      fake: join(path, 'hosts', name, 'fake'),
    }),
  };
}

async function readMark(state: string): Promise<Mark | null> {
  const text = await readFile(join(state, MARK), 'utf8').catch(() => null);
  if (text === null) return null;
  return mark.parse(JSON.parse(text));
}

async function writeMark(state: string, content: Mark): Promise<void> {
  const aside = join(state, `${MARK}.${process.pid}`);
  await writeFile(aside, `${JSON.stringify(content)}\n`);
  await rename(aside, join(state, MARK));
}

/** Field 22 of /proc/<pid>/stat; null when there is no such process. */
function startTime(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
