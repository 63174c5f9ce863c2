import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { Guard } from './private-rabbit-guard.js';
import { type RabbitInstallation, rabbitInstallation, type RabbitVersion } from './private-rabbit-installation.js';
import { ended, RabbitNode, startIn } from './private-rabbit-node.js';
import { type Settings, writeSettings } from './private-rabbit-settings.js';

/**
 * A real RabbitMQ of a test's own: its data, ports, epmd, cookie and home are its own, it listens on the loopback only,
 * no daemon of the system is touched and root is not needed. It ends with the process that asked for it, however that
 * one ends: a guard reads a pipe from us and ends broker and epmd at the pipe's end.
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

export async function startPrivateRabbit(options: PrivateRabbitOptions = {}): Promise<PrivateRabbit> {
  const installation = await rabbitInstallation(options.version ?? '3.10');
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'novella-rabbitmq-')));
  await mkdir(join(directory, 'home'), { recursive: true, mode: 0o700 });
  const ports = { amqp: options.port ?? (await freePort()), epmd: await freePort(), distribution: await freePort() };
  const settings = await writeSettings({ ...options, directory, ports, installation });
  const kept = options.directory !== undefined;
  const guard = new Guard({ directory, remove: !kept });
  const broker = new Guarded(guard, installation, { directory, kept, port: ports.amqp, settings });
  try {
    await broker.start();
  } catch (error) {
    await broker.stop();
    throw error;
  }
  return broker;
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
  private readonly guard: Guard;
  private readonly installation: RabbitInstallation;
  private readonly instance: Instance;
  private readonly node: RabbitNode;
  private epmd: ChildProcess | null = null;

  // No parameter properties: Node runs this file as it is, by stripping its types.
  constructor(guard: Guard, installation: RabbitInstallation, instance: Instance) {
    this.guard = guard;
    this.installation = installation;
    this.instance = instance;
    this.node = new RabbitNode({ ...instance, installation, onChange: () => this.tellGuard() });
    this.port = instance.port;
    this.url = this.node.url;
  }

  urlOf(user: string, password: string): string {
    return this.node.urlOf(user, password);
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  halt(): Promise<void> {
    return this.node.end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.node.end('SIGKILL');
  }

  async start(): Promise<void> {
    const { settings, directory } = this.instance;
    this.epmd ??= await startIn(directory, this.installation.epmd, settings.epmdArguments, settings, (child) => {
      if (this.epmd === child) this.epmd = null;
      this.tellGuard();
    });
    await this.node.start();
  }

  async stop(): Promise<void> {
    await this.node.end(this.instance.kept ? 'SIGTERM' : 'SIGKILL');
    if (this.epmd !== null) await ended(this.epmd, 'SIGTERM');
    await this.guard.end();
  }

  rabbitmqctl(...args: string[]): Promise<string> {
    return this.node.rabbitmqctl(...args);
  }

  private tellGuard(): void {
    this.guard.tell({ epmd: this.epmd?.pid ?? null, brokers: this.node.pid === null ? [] : [this.node.pid] });
  }
}
