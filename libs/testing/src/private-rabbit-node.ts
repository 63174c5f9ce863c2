import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { RabbitInstallation } from './private-rabbit-installation.js';
import { PASSWORD, type Settings, USER } from './private-rabbit-settings.js';

const READY_LIMIT_MS = 120_000;
const EXIT_LIMIT_MS = 60_000;
const POLL_MS = 20;

export interface NodeOptions {
  readonly directory: string;
  readonly port: number;
  readonly settings: Settings;
  readonly installation: RabbitInstallation;
  /** Another process runs now, or none. */
  readonly onChange: () => void;
}

/** One Erlang node with RabbitMQ. Erlang is started directly: RabbitMQ's own start scripts take as long again. */
export class RabbitNode {
  readonly url: string;
  private readonly options: NodeOptions;
  private child: ChildProcess | null = null;

  // No parameter properties: Node runs this file as it is, by stripping its types.
  constructor(options: NodeOptions) {
    this.options = options;
    this.url = this.urlOf(USER, PASSWORD);
  }

  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  urlOf(user: string, password: string): string {
    return `amqp://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${this.options.port}/`;
  }

  /** Resolves when it takes connections; epmd must run. Without effect when it runs. */
  async start(): Promise<void> {
    if (this.child !== null) return;
    const { installation, settings, directory, port, onChange } = this.options;
    this.child = await startIn(directory, installation.erl, settings.erlangArguments, settings, (child) => {
      if (this.child === child) this.child = null;
      onChange();
    });
    onChange();
    const deadline = performance.now() + READY_LIMIT_MS;
    while (!(await speaksAmqp(port, deadline - performance.now()))) {
      if (!this.isUp()) throw await this.failure('it ended while starting');
      if (performance.now() > deadline) throw await this.failure('it did not answer in time');
      await sleep(POLL_MS);
    }
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { child } = this;
    if (child === null) return;
    const killLate = setTimeout(() => child.kill('SIGKILL'), EXIT_LIMIT_MS);
    await ended(child, signal);
    clearTimeout(killLate);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child?.kill(signal);
  }

  async rabbitmqctl(...args: string[]): Promise<string> {
    const { installation, settings } = this.options;
    const all = [...installation.controlArguments, '--quiet', ...args];
    const { stdout } = await promisify(execFile)(installation.erl, all, { env: settings.environment });
    return stdout.trim();
  }

  private isUp(): boolean {
    return this.child !== null;
  }

  private async failure(what: string): Promise<Error> {
    const text = await readFile(join(this.options.directory, 'out'), 'utf8').catch(() => '');
    return new Error(`private RabbitMQ: ${what}\n${text.split('\n').slice(-40).join('\n')}`);
  }
}

/** In a session of its own; what it says goes to `out` in the folder. */
export async function startIn(
  directory: string,
  command: string,
  args: readonly string[],
  { environment: env }: Settings,
  onEnd: (child: ChildProcess) => void,
): Promise<ChildProcess> {
  const log = await open(join(directory, 'out'), 'a');
  const child = spawn(command, args, { env, stdio: ['ignore', log.fd, log.fd], cwd: directory, detached: true });
  child.once('error', () => onEnd(child));
  child.once('exit', () => onEnd(child));
  await log.close();
  return child;
}

export async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

/** True when the broker has answered AMQP's protocol header: it then takes connections. */
function speaksAmqp(port: number, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(Math.max(1, limitMs), () => end(false));
    socket.once('connect', () => socket.write('AMQP\x00\x00\x09\x01'));
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
