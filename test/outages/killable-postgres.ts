import { readdir, readFile, readlink } from 'node:fs/promises';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@novella/persistence';
import { waitUntil } from '@novella/testing';

/** A Postgres with fsync on that can be killed and started again on the same port. */
export class KillablePostgres {
  private constructor(
    private running: EmbeddedPostgres,
    private readonly dataDir: string,
  ) {}

  static async start(dataDir: string): Promise<KillablePostgres> {
    return new KillablePostgres(await startEmbeddedPostgres({ dataDir, fsync: true }), dataDir);
  }

  get url(): string {
    return this.running.url;
  }

  /** SIGKILL to all of its processes, as when the machine fails; resolves when none is left. */
  async kill(): Promise<void> {
    const pids = [this.running.pid, ...(await childrenOf(this.running.pid))];
    for (const pid of pids) killed(pid);
    const left = async () => (await Promise.all(pids.map(runs))).some(Boolean);
    await waitUntil(async () => !(await left()), { what: 'Postgres to be gone' });
    await this.running.stop();
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const port = Number(new URL(this.url).port);
    this.running = await startEmbeddedPostgres({ dataDir: this.dataDir, port, fsync: true });
  }

  stop(): Promise<void> {
    return this.running.stop();
  }
}

async function childrenOf(parent: number): Promise<number[]> {
  const children: number[] = [];
  for (const name of await readdir('/proc')) {
    const status = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    // After the command's name, which may hold anything: the state, then the parent.
    if (Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]) === parent) children.push(Number(name));
  }
  return children;
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** A process that ended is there, without a program, until its parent has looked. */
const runs = (pid: number): Promise<boolean> =>
  readlink(`/proc/${pid}/exe`).then(
    () => true,
    () => false,
  );
