import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { HealthReport } from '@novella/service-kit';
import { waitUntil } from '@novella/testing';

const ROOT = join(import.meta.dirname, '..', '..');
const FROM_SOURCES = [
  '--import',
  join(ROOT, 'test', 'bad-input', 'typescript.mjs'),
  '--import',
  join(ROOT, 'test', 'apps', 'loaded-packages.mjs'),
  '--max-semi-space-size=4',
  '--optimize-for-size',
];
const LONG = 60_000;

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [fact: string]: unknown;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One of our programs in a process of its own, from its sources, with no other settings than these. */
export class Program {
  readonly log: LogLine[] = [];
  readonly ended: Promise<Ending>;
  stderr = '';
  private readonly child: ChildProcess;
  private readonly heard = new Set<string>();
  private unread = '';

  constructor(
    readonly main: string,
    env: Readonly<Record<string, string>>,
    argv: readonly string[] = [],
  ) {
    this.child = fork(main, argv, {
      cwd: ROOT,
      execArgv: FROM_SOURCES,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.child.on('message', (message) => {
      if (typeof message === 'string') this.heard.add(message);
    });
    this.child.stdout?.on('data', (chunk: Buffer) => this.read(chunk.toString()));
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The first line that says this; fails when the process ends before it. */
  async says(msg: string): Promise<LogLine> {
    const found = await waitUntil(
      () => this.log.find((line) => line.msg === msg) ?? (this.isRunning ? null : 'ended'),
      {
        what: `${this.main} to say "${msg}" (${this.stderr})`,
        timeout: LONG,
      },
    );
    if (found === 'ended')
      throw new Error(`${this.main} has ended: ${this.stderr}${JSON.stringify(this.log.slice(-3))}`);
    return found;
  }

  /** Only for programs that talk with their test. */
  tell(message: string): void {
    this.child.send(message);
  }

  async hears(message: string): Promise<void> {
    await waitUntil(() => this.heard.has(message), { what: `${this.main} to tell ${message}`, timeout: LONG });
  }

  /** The packages it has loaded, ours among them. */
  async packages(): Promise<string[]> {
    this.tell('packages');
    const look = () => [...this.heard].find((message) => message.startsWith('packages '));
    return (await waitUntil(look, { what: `${this.main} to tell its packages`, timeout: LONG })).split(' ').slice(1);
  }

  async signal(signal: NodeJS.Signals): Promise<Ending> {
    if (this.isRunning) this.child.kill(signal);
    return this.ended;
  }

  private read(text: string): void {
    const lines = (this.unread + text).split('\n');
    this.unread = lines.pop() ?? '';
    for (const line of lines) this.log.push(parsed(line));
  }
}

function parsed(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: 'none', msg: line };
  }
}

export interface Seen {
  readonly status: number;
  readonly report: HealthReport;
}

export async function healthOf(url: string): Promise<Seen> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(LONG) });
  return { status: answer.status, report: (await answer.json()) as HealthReport };
}

/** The health once it is in this state. */
export function untilHealth(url: string, state: HealthReport['state']): Promise<Seen> {
  const look = async () => {
    const seen = await healthOf(url);
    return seen.report.state === state && seen;
  };
  return waitUntil(look, { what: `${url} to be ${state}`, timeout: LONG, every: 50 });
}

/** The health once the part says this of itself; null: that nothing is wrong. */
export function untilReason(url: string, part: string, reason: RegExp | null): Promise<Seen> {
  const look = async () => {
    const seen = await healthOf(url);
    const said = reasonOf(seen, part);
    const right = reason === null ? said === null : typeof said === 'string' && reason.test(said);
    return right && seen;
  };
  return waitUntil(look, { what: `${part} of ${url} to be ${String(reason)}`, timeout: LONG, every: 50 });
}

/** What the part of that name says is wrong with it; null when nothing is. */
const reasonOf = ({ report }: Seen, name: string): string | null | undefined =>
  report.parts.find((part) => part.name === name)?.reason;
