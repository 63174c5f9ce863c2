import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';
import { type RabbitInstallation, rabbitInstallation, type RabbitVersion } from './private-rabbit-installation.js';
import { PASSWORD, type Settings, USER, writeSettings } from './private-rabbit-settings.js';

/**
 * A real RabbitMQ of a test's own: its data, ports, epmd, cookie and home are its own, it listens on the loopback only,
 * no daemon of the system is touched and root is not needed. It ends with the process that asked for it, however that
 * one ends: a guard reads a pipe from us and ends broker and epmd at the pipe's end.
 * Erlang is started directly: RabbitMQ's own start scripts take as long again as the broker.
 */
export interface PrivateRabbit {
  /** `amqp://` with an administrator of vhost `/`. */
  readonly url: string;
  readonly port: number;
  /** `url` with this user and password. */
  urlOf(user: string, password: string): string;
  /** Ends it well when it runs, and starts it again on the same port with its data. */
  restart(): Promise<void>;
  /** Ends it well; `start` brings it back. */
  halt(): Promise<void>;
  /** SIGKILL; `start` brings it back with what was on the disk. */
  kill(): Promise<void>;
  /** Without effect when it runs. */
  start(): Promise<void>;
  /** Ends it for good; removes its folder unless that was given. */
  stop(): Promise<void>;
  /** RabbitMQ's own tool against this broker; answers what it printed, rejects with what it said. */
  rabbitmqctl(...args: string[]): Promise<string>;
}

export interface PrivateRabbitOptions {
  /** '3.10' is Debian's package, '4' is unpacked beside the system; '3.10' unless given. */
  readonly version?: RabbitVersion;
  /** Where its files live; kept by `stop`, so that queues and messages are there again at the next start. */
  readonly directory?: string;
  /** Path of a JSON file as `rabbitmqctl export_definitions` writes it; read anew at each start. */
  readonly definitions?: string;
  /**
   * How often a message may come back to a queue, by a policy of the lowest priority for every queue; null: without
   * limit. Unless given as the broker has it by itself: without limit in 3.10, 20 in 4.
   */
  readonly deliveryLimit?: number | null;
  /** A free one unless given. */
  readonly port?: number;
}

const READY_LIMIT_MS = 120_000;
const EXIT_LIMIT_MS = 60_000;
const POLL_MS = 20;

/**
 * $1: the signal for the broker when we are gone; $2: the folder to remove at the end, or ''.
 * Each line that comes in names what runs now, by pid: the broker, then epmd.
 */
const GUARD = `broker= epmd=
while read -r broker epmd; do last="$broker $epmd"; done
set -- "$1" "$2" \${last:-}
if [ -n "\${3:-}" ]; then kill -"$1" "$3"; while [ -e "/proc/$3/exe" ]; do sleep 0.1; done; fi
[ -n "\${4:-}" ] && kill "$4"
[ -n "$2" ] && rm -rf "$2"
true`;

export async function startPrivateRabbit(options: PrivateRabbitOptions = {}): Promise<PrivateRabbit> {
  const installation = await rabbitInstallation(options.version ?? '3.10');
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'novella-rabbitmq-')));
  await mkdir(join(directory, 'home'), { recursive: true, mode: 0o700 });
  const ports = { amqp: options.port ?? (await freePort()), epmd: await freePort(), distribution: await freePort() };
  const settings = await writeSettings({ ...options, directory, ports, installation });
  const kept = options.directory !== undefined;
  const guard = openGuard(directory, kept);
  const broker = new Guarded(guard, installation, { directory, kept, port: ports.amqp, settings });
  try {
    await broker.start();
  } catch (error) {
    await broker.stop();
    throw error;
  }
  return broker;
}

/** Its own session: Ctrl-C reaches us, and we decide. */
function openGuard(directory: string, kept: boolean): ChildProcess {
  const args = kept ? ['TERM', ''] : ['KILL', directory];
  return spawn('sh', ['-c', GUARD, 'rabbitmq-guard', ...args], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
}

interface Instance {
  readonly directory: string;
  readonly kept: boolean;
  readonly port: number;
  readonly settings: Settings;
}

class Guarded implements PrivateRabbit {
  readonly url: string;
  readonly port: number;
  private readonly guard: ChildProcess;
  private readonly installation: RabbitInstallation;
  private readonly instance: Instance;
  private epmd: ChildProcess | null = null;
  private broker: ChildProcess | null = null;

  // No parameter properties: Node runs this file as it is, by stripping its types.
  constructor(guard: ChildProcess, installation: RabbitInstallation, instance: Instance) {
    this.guard = guard;
    this.installation = installation;
    this.instance = instance;
    this.port = instance.port;
    this.url = this.urlOf(USER, PASSWORD);
    guard.stdin?.on('error', () => undefined); // it is gone: nothing to tell
  }

  urlOf(user: string, password: string): string {
    return `amqp://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${this.port}/`;
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  halt(): Promise<void> {
    return this.endBroker('SIGTERM');
  }

  kill(): Promise<void> {
    return this.endBroker('SIGKILL');
  }

  async start(): Promise<void> {
    if (this.broker !== null) return;
    const { settings } = this.instance;
    this.epmd ??= await this.run(this.installation.epmd, settings.epmdArguments, (child) => {
      if (this.epmd === child) this.epmd = null;
    });
    this.broker = await this.run(this.installation.erl, settings.erlangArguments, (child) => {
      if (this.broker === child) this.broker = null;
    });
    const deadline = performance.now() + READY_LIMIT_MS;
    while (!(await speaksAmqp(this.port, deadline - performance.now()))) {
      if (!this.isUp()) throw await this.failure('it ended while starting');
      if (performance.now() > deadline) throw await this.failure('it did not answer in time');
      await sleep(POLL_MS);
    }
  }

  async stop(): Promise<void> {
    await this.endBroker(this.instance.kept ? 'SIGTERM' : 'SIGKILL');
    if (this.epmd !== null) await ended(this.epmd, 'SIGTERM');
    if (this.guard.exitCode !== null || this.guard.signalCode !== null) return;
    const gone = new Promise((resolve) => this.guard.once('exit', resolve));
    this.guard.stdin?.end('\n');
    await gone;
  }

  async rabbitmqctl(...args: string[]): Promise<string> {
    const { erl, controlArguments } = this.installation;
    const { environment } = this.instance.settings;
    const { stdout } = await promisify(execFile)(erl, [...controlArguments, '--quiet', ...args], { env: environment });
    return stdout.trim();
  }

  private isUp(): boolean {
    return this.broker !== null;
  }

  private async endBroker(signal: NodeJS.Signals): Promise<void> {
    if (this.broker === null) return;
    const { broker } = this;
    const killLate = setTimeout(() => broker.kill('SIGKILL'), EXIT_LIMIT_MS);
    await ended(broker, signal);
    clearTimeout(killLate);
  }

  private async run(
    command: string,
    args: readonly string[],
    onEnd: (child: ChildProcess) => void,
  ): Promise<ChildProcess> {
    const log = await open(join(this.instance.directory, 'out'), 'a');
    const { environment: env } = this.instance.settings;
    const stdio = ['ignore', log.fd, log.fd] as const;
    const child = spawn(command, args, { env, stdio: [...stdio], cwd: this.instance.directory, detached: true });
    child.once('error', () => onEnd(child));
    child.once('exit', () => {
      onEnd(child);
      this.tellGuard();
    });
    await log.close();
    setImmediate(() => this.tellGuard());
    return child;
  }

  private tellGuard(): void {
    if (this.guard.stdin?.writable !== true) return;
    this.guard.stdin.write(`${this.broker?.pid ?? '-'} ${this.epmd?.pid ?? '-'}\n`);
  }

  private async failure(what: string): Promise<Error> {
    const text = await readFile(join(this.instance.directory, 'out'), 'utf8').catch(() => '');
    return new Error(`private RabbitMQ: ${what}\n${text.split('\n').slice(-40).join('\n')}`);
  }
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
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
