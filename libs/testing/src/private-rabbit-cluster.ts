import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { Guard } from './private-rabbit-guard.js';
import { type RabbitInstallation, rabbitInstallation, type RabbitVersion } from './private-rabbit-installation.js';
import { ended, RabbitNode, startIn } from './private-rabbit-node.js';
import { type Settings, writeSettings } from './private-rabbit-settings.js';

export interface PrivateRabbitNode {
  /** `novella-1@localhost` and so on. */
  readonly name: string;
  /** `amqp://` with an administrator of vhost `/`. */
  readonly url: string;
  readonly isRunning: boolean;
  /** `url` with this user and password. */
  urlOf(user: string, password: string): string;
  /** SIGKILL; `start` brings it back with what was on its disk. */
  kill(): Promise<void>;
  /** Ends it well; `start` brings it back. */
  halt(): Promise<void>;
  /** Resolves when it takes connections. Without effect when it runs. */
  start(): Promise<void>;
  /** SIGSTOP: its connections stand, and nothing comes from them. */
  pause(): void;
  resume(): void;
}

/**
 * Several nodes of RabbitMQ as one cluster, quorum queues with a member on each, under the same rules as
 * `startPrivateRabbit`: everything of its own, on the loopback, gone when the process that asked for it is gone.
 * A minority pauses itself (pause_minority).
 */
export interface PrivateRabbitCluster {
  /** Of all nodes, in their order. */
  readonly urls: readonly string[];
  readonly nodes: readonly PrivateRabbitNode[];
  /** `urls` with this user and password. */
  urlsOf(user: string, password: string): string[];
  /** The node that leads a quorum queue; rejects when there is no such queue, or nobody leads it at this moment. */
  leaderOf(queue: string): Promise<PrivateRabbitNode>;
  /** RabbitMQ's own tool against the first node that runs and is not paused. */
  rabbitmqctl(...args: string[]): Promise<string>;
  /** Ends all for good, and removes their folder. */
  stop(): Promise<void>;
}

export interface PrivateRabbitClusterOptions {
  /** How many; 3 unless given. */
  readonly nodes?: number;
  /** As for `startPrivateRabbit`. */
  readonly version?: RabbitVersion;
  readonly definitions?: string;
  readonly deliveryLimit?: number | null;
  /** After how long without a word a node takes another for dead; 8 s unless given, Erlang has 60 by itself. */
  readonly netTickS?: number;
}

const NODES = 3;
const NET_TICK_S = 8;

export async function startPrivateRabbitCluster(
  options: PrivateRabbitClusterOptions = {},
): Promise<PrivateRabbitCluster> {
  const installation = await rabbitInstallation(options.version ?? '3.10');
  const directory = await mkdtemp(join(tmpdir(), 'novella-rabbitmq-'));
  const guard = new Guard({ directory, remove: true });
  const settings = await memberSettings(options, installation, directory);
  const cluster = new Cluster(guard, installation, directory, settings);
  try {
    await cluster.start();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

interface Member {
  readonly name: string;
  readonly directory: string;
  readonly port: number;
  readonly settings: Settings;
}

async function memberSettings(
  { nodes = NODES, netTickS = NET_TICK_S, ...options }: PrivateRabbitClusterOptions,
  installation: RabbitInstallation,
  directory: string,
): Promise<Member[]> {
  const home = join(directory, 'home');
  await mkdir(home, { mode: 0o700 });
  await writeFile(join(home, '.erlang.cookie'), randomBytes(16).toString('hex'), { mode: 0o400 });
  const epmd = await freePort();
  const members: Member[] = [];
  for (let number = 1; number <= nodes; number += 1) {
    const name = `novella-${number}@localhost`;
    const own = join(directory, name);
    await mkdir(own);
    const ports = { amqp: await freePort(), distribution: await freePort(), epmd };
    const member = { name, home, netTickS };
    const settings = await writeSettings({ ...options, directory: own, ports, installation, member });
    members.push({ name, directory: own, port: ports.amqp, settings });
  }
  return members;
}

class Cluster implements PrivateRabbitCluster {
  readonly nodes: readonly ClusterNode[];
  private readonly guard: Guard;
  private readonly installation: RabbitInstallation;
  private readonly directory: string;
  private readonly members: readonly Member[];
  private epmd: ChildProcess | null = null;

  // No parameter properties: Node runs this file as it is, by stripping its types.
  constructor(guard: Guard, installation: RabbitInstallation, directory: string, members: readonly Member[]) {
    this.guard = guard;
    this.installation = installation;
    this.directory = directory;
    this.members = members;
    const onChange = () => this.tellGuard();
    this.nodes = members.map((member) => new ClusterNode(member, installation, onChange));
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  urlsOf(user: string, password: string): string[] {
    return this.nodes.map((node) => node.urlOf(user, password));
  }

  async start(): Promise<void> {
    const [first, ...others] = this.nodes;
    const settings = this.members[0]?.settings;
    if (first === undefined || settings === undefined) throw new RangeError('a cluster has at least one node');
    this.epmd = await startIn(this.directory, this.installation.epmd, settings.epmdArguments, settings, () => {
      this.epmd = null;
      this.tellGuard();
    });
    this.tellGuard();
    await Promise.all(this.nodes.map((node) => node.start()));
    for (const node of others) await node.join(first.name);
  }

  async leaderOf(queue: string): Promise<ClusterNode> {
    const table = await this.rabbitmqctl('list_queues', 'name', 'leader', '--no-table-headers');
    const row = table.split('\n').map((line) => line.split('\t'));
    const leader = row.find(([name]) => name === queue)?.[1];
    const node = this.nodes.find(({ name }) => name === leader);
    if (node === undefined) throw new Error(`nobody leads ${queue} at this moment:\n${table}`);
    return node;
  }

  async rabbitmqctl(...args: string[]): Promise<string> {
    const node = this.nodes.find(({ answers }) => answers);
    if (node === undefined) throw new Error('no node of the cluster runs');
    return node.rabbitmqctl(...args);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    if (this.epmd !== null) await ended(this.epmd, 'SIGTERM');
    await this.guard.end();
  }

  private tellGuard(): void {
    const brokers = this.nodes.flatMap(({ pid }) => (pid === null ? [] : [pid]));
    this.guard.tell({ epmd: this.epmd?.pid ?? null, brokers });
  }
}

class ClusterNode implements PrivateRabbitNode {
  readonly name: string;
  private readonly node: RabbitNode;
  private paused = false;

  // No parameter properties: Node runs this file as it is, by stripping its types.
  constructor(member: Member, installation: RabbitInstallation, onChange: () => void) {
    this.name = member.name;
    this.node = new RabbitNode({ ...member, installation, onChange });
  }

  get url(): string {
    return this.node.url;
  }

  get pid(): number | null {
    return this.node.pid;
  }

  get isRunning(): boolean {
    return this.pid !== null;
  }

  get answers(): boolean {
    return this.isRunning && !this.paused;
  }

  urlOf(user: string, password: string): string {
    return this.node.urlOf(user, password);
  }

  async kill(): Promise<void> {
    await this.node.end('SIGKILL');
    this.paused = false;
  }

  async halt(): Promise<void> {
    this.resume();
    await this.node.end('SIGTERM');
  }

  start(): Promise<void> {
    return this.node.start();
  }

  pause(): void {
    this.node.signal('SIGSTOP');
    this.paused = true;
  }

  resume(): void {
    this.node.signal('SIGCONT');
    this.paused = false;
  }

  /** What it had of its own is dropped. */
  async join(name: string): Promise<void> {
    for (const command of [['stop_app'], ['join_cluster', name], ['start_app']]) await this.rabbitmqctl(...command);
  }

  rabbitmqctl(...args: string[]): Promise<string> {
    return this.node.rabbitmqctl(...args);
  }
}
