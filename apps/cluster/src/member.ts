import { type ChildProcess, spawn } from 'node:child_process';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { type Followed, follow } from './follow.js';

/** One process of the cluster: what it is called, what runs and with which settings. */
export interface MemberSpec {
  readonly name: string;
  /** Node's arguments. */
  readonly program: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Answers 200 when the process is ready. */
  readonly health: string;
}

export interface MemberIo {
  readonly logFile: string;
  /** Each line that it prints. */
  readonly onLine: (line: string) => void;
  /** It ended by itself; it is started again after `againInMs`. */
  readonly onEnd: (how: string, againInMs: number) => void;
  /** It was started again. */
  readonly onAgain: (pid: number) => void;
}

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Who ran for so long has started well, so the next pause is the first one again. */
const WELL_MS = 30_000;
/** An app finishes what it does for 30 s, and closes for 10 s. */
const STOP_LIMIT_MS = 45_000;

/**
 * Keeps one process running: when it ends by itself it is started again, after a pause that grows. It ends in order when
 * we end, however we do: the kernel sends it SIGTERM (`setpriv --pdeathsig`).
 */
export class Member {
  private child: ChildProcess | null = null;
  private log: FileHandle | null = null;
  private followed: Followed | null = null;
  private stopped: Promise<void> | null = null;
  private pause = FIRST_PAUSE_MS;
  private again: NodeJS.Timeout | null = null;
  private ended: Promise<void> = Promise.resolve();

  constructor(
    readonly spec: MemberSpec,
    private readonly io: MemberIo,
  ) {}

  /** null while it does not run. */
  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  async start(): Promise<void> {
    const { logFile, onLine } = this.io;
    // The log of the run before this one is kept.
    await rename(logFile, `${logFile}.1`).catch(() => undefined);
    this.log = await open(logFile, 'a', 0o600);
    this.followed = await follow(logFile, onLine);
    this.run(this.log.fd);
  }

  /** SIGTERM, SIGKILL when that does not do. Resolves when it is gone, and does not start it again. A second call waits. */
  stop(): Promise<void> {
    this.stopped ??= this.end();
    return this.stopped;
  }

  private async end(): Promise<void> {
    if (this.again !== null) clearTimeout(this.again);
    const { child } = this;
    child?.kill('SIGTERM');
    const late = setTimeout(() => child?.kill('SIGKILL'), STOP_LIMIT_MS);
    await this.ended;
    clearTimeout(late);
    await this.followed?.stop();
    await this.log?.close();
  }

  private run(log: number): void {
    const startedAt = performance.now();
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', process.execPath, ...this.spec.program], {
      env: { PATH: SYSTEM_PATH, ...this.spec.environment },
      stdio: ['ignore', log, log],
      // Ctrl-C at the terminal reaches us alone, and we end the members in order.
      detached: true,
    });
    this.child = child;
    this.ended = new Promise((resolve) => {
      const gone = (how: string): void => {
        if (this.child !== child) return;
        this.child = null;
        if (this.stopped === null) this.runAgain(log, how, performance.now() - startedAt);
        resolve();
      };
      child.once('error', (error) => gone(`could not be started: ${error.message}`));
      child.once('exit', (code, signal) => gone(signal === null ? `ended with ${code}` : `was ended by ${signal}`));
    });
  }

  private runAgain(log: number, how: string, ranForMs: number): void {
    if (ranForMs >= WELL_MS) this.pause = FIRST_PAUSE_MS;
    const { pause } = this;
    this.pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    this.io.onEnd(how, pause);
    this.again = setTimeout(() => {
      this.run(log);
      if (this.pid !== null) this.io.onAgain(this.pid);
    }, pause);
  }
}
