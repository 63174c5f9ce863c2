import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitUntil } from '@novella/testing';

const CHECKOUT = join(import.meta.dirname, '..', '..');
const LOADER = join(CHECKOUT, 'test', 'bad-input', 'typescript.mjs');
const MAIN = join(CHECKOUT, 'apps', 'cluster', 'src', 'main.ts');
/** Half a dozen programs are compiled as they start, on a machine that may be busy with other tests. */
const UP_LIMIT_MS = 150_000;

/** The launcher of the dev cluster as a user runs it, from its sources. */
export class ClusterProcess {
  readonly said: string[] = [];
  private readonly child: ChildProcess;
  private readonly exited: Promise<number | null>;

  constructor(...words: string[]) {
    this.child = spawn(process.execPath, ['--import', LOADER, MAIN, ...words], {
      cwd: CHECKOUT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.said.push(line));
    }
    this.exited = once(this.child, 'close').then(([code]) => code as number | null);
  }

  /** Resolves when it has printed the first steps. */
  async up(): Promise<void> {
    await this.saysLine(/^The cluster is up/, UP_LIMIT_MS);
  }

  async saysLine(pattern: RegExp, timeout = 60_000): Promise<RegExpExecArray> {
    const found = () => this.said.map((line) => pattern.exec(line)).find((match) => match !== null) ?? null;
    await waitUntil(() => found() !== null || this.child.exitCode !== null, {
      what: `a line like ${String(pattern)}`,
      timeout,
    });
    const match = found();
    if (match === null) throw new Error(`it has ended:\n${this.said.join('\n')}`);
    return match;
  }

  /** The pid that it has last told of a member. */
  pidOf(member: string): number {
    const told = this.said.flatMap((line) => new RegExp(`\\b${member} is process (\\d+)`).exec(line)?.[1] ?? []);
    return Number(told.at(-1));
  }

  /** Sends the signal, waits for the end and answers the exit code. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }

  get exit(): Promise<number | null> {
    return this.exited;
  }
}

/** What still runs of a cluster, by its state folder in the environment or among the arguments. */
export async function processesOf(state: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (file: string) => readFile(join('/proc', pid, file), 'utf8').catch(() => '');
    const [environment, command] = [await read('environ'), await read('cmdline')];
    if (environment.includes(state) || (command.includes(state) && Number(pid) !== process.pid)) {
      found.push(`${pid} ${command.replaceAll('\0', ' ').slice(0, 120)}`);
    }
  }
  return found;
}

/** What `cluster.env` exports. */
export async function settingsOf(state: string): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(join(state, 'cluster.env'), 'utf8');
  const settings: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(/^export (\w+)='(.*)'$/gm)) settings[name] = value;
  return settings;
}
