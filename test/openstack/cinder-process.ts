import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitUntil } from '@novella/testing';

/** Debian's own: what Cinder runs with; the python3 on PATH may be another. */
const PYTHON = '/usr/bin/python3';
const PROGRAM = join(import.meta.dirname, 'cinder_in_one_process.py');
const START_LIMIT_MS = 120_000;
const EXIT_LIMIT_MS = 10_000;

export interface CinderProcessOptions {
  /** Has `cinder.conf`; its log goes there. */
  readonly folder: string;
  /** For what its storage back ends read: CEPH_ARGS and the like. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** OpenStack's own Cinder as one process. It ends with the process that started it, however that one ends. */
export class CinderProcess {
  private readonly child: ChildProcess;

  private constructor(
    child: ChildProcess,
    private readonly log: string,
  ) {
    this.child = child;
  }

  static async start({ folder, environment = {} }: CinderProcessOptions): Promise<CinderProcess> {
    const path = join(folder, 'cinder.log');
    const log = await open(path, 'a');
    const command = ['--pdeathsig', 'KILL', '--', PYTHON, PROGRAM, '--config-file', join(folder, 'cinder.conf')];
    try {
      const child = spawn('setpriv', command, {
        stdio: ['ignore', log.fd, log.fd],
        detached: true,
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          PYTHONPATH: import.meta.dirname,
          PYTHONDONTWRITEBYTECODE: '1',
          LANG: 'C.UTF-8',
          ...environment,
        },
      });
      return new CinderProcess(child, path);
    } finally {
      await log.close();
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Resolves when `look`, which asks it something, answers true; fails with the end of its log when it ends first. */
  async ready(look: () => Promise<boolean>): Promise<void> {
    const answered = async () => {
      if (this.hasEnded()) return 'ended';
      return look();
    };
    try {
      const seen = await waitUntil(answered, { what: 'Cinder to be ready', timeout: START_LIMIT_MS, every: 50 });
      if (seen === 'ended') throw new Error('Cinder has ended');
    } catch (error) {
      const end = (await readFile(this.log, 'utf8')).slice(-4000);
      throw new Error(`Cinder did not start; the end of its log:\n${end}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    if (this.hasEnded()) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), EXIT_LIMIT_MS);
    await exited;
    clearTimeout(timer);
  }

  private hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}
