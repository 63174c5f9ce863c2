import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { brokerUsers } from './broker-users.js';
import { programOf } from './checkout.js';
import { type ClientFacts, writeClientFiles } from './client-files.js';
import { startFakeHypervisor } from './fake-hypervisor.js';
import { type Identity, identityOf } from './identity.js';
import { provideImage } from './images.js';
import { type Infrastructure, startBroker, startDatabase, startHypervisor } from './infrastructure.js';
import { MEMBER_OF, waitForLeftovers } from './leftovers.js';
import { Member, type MemberSpec } from './member.js';
import { type ClusterFacts, computeNames, members, type Ports } from './members.js';
import type { ClusterOptions } from './options.js';
import { choosePorts } from './ports.js';
import { hostsUp, memberReady } from './ready.js';
import { prepareStateFolder, releaseStateFolder, type StateFolder, takeStateFolder } from './state-folder.js';
import { readable, type Terminal } from './terminal.js';
import { lookAfter } from './watch.js';

/** In all, once the machine is prepared; a first build of the guest is not counted. */
const READY_LIMIT_MS = 120_000;

/**
 * The dev cluster: a broker, a database, and a process for each service and host. What ends by itself is started again;
 * what was started is ended in order by `stop`, or by guards of its own when this process is killed.
 */
export class Cluster {
  private readonly infrastructure: Infrastructure[] = [];
  private readonly running: Member[] = [];
  private readonly watching = new AbortController();
  private watches: Promise<void>[] = [];
  private folder: StateFolder | null = null;
  private identity: Identity | null = null;
  private starting: Promise<unknown> = Promise.resolve();
  private stopped: Promise<void> | null = null;

  constructor(
    private readonly options: ClusterOptions,
    private readonly terminal: Terminal,
  ) {}

  /** Resolves when every host is up. Rejects with Refusal before anything was started, and when `stop` comes first. */
  start(): Promise<ClientFacts> {
    const starting = this.begin();
    this.starting = starting.catch(() => undefined);
    return starting;
  }

  /** Ends everything, the last started first: no requests, no commands, then what carries them. A second call waits. */
  stop(): Promise<void> {
    this.watching.abort(new Error('the cluster is stopping'));
    this.stopped ??= this.starting.then(() => this.end());
    return this.stopped;
  }

  private async begin(): Promise<ClientFacts> {
    const { options, terminal } = this;
    const identity = await identityOf(options.keystone);
    this.identity = identity;
    const folder = await takeStateFolder(options);
    this.folder = folder;
    await waitForLeftovers(folder.path, (pids) =>
      terminal.say(`waiting for processes of an earlier run to end: ${pids.join(' ')}`),
    );
    const ports = await choosePorts(options);
    await prepareStateFolder(folder, options.fresh);
    const since = performance.now();
    const [facts, image] = await Promise.all([
      this.startInfrastructure(folder, ports, identity),
      provideImage(folder, options),
    ]);
    this.goOn();
    await this.migrate(facts);
    const clientFacts = { ...facts, image };
    await writeClientFiles(clientFacts);
    await this.startMembers(facts);
    terminal.say(`all is up after ${((performance.now() - since) / 1_000).toFixed(1)} s`);
    return clientFacts;
  }

  private async startInfrastructure(folder: StateFolder, ports: Ports, identity: Identity): Promise<ClusterFacts> {
    const { options, terminal } = this;
    const hosts = computeNames(options);
    const passwordOf = await brokerUsers(folder, hosts);
    const starts = [
      startBroker(folder),
      startDatabase(folder, (line) => terminal.line('postgres', line)),
      ...hosts.map((host) => this.startHypervisor(host, folder.host(host))),
    ] as const;
    // Whatever has come up must be ended, also when another has not.
    const settled = await Promise.allSettled(starts);
    this.infrastructure.push(...settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
    const [broker, database] = await Promise.all([starts[0], starts[1], ...starts]);
    terminal.say(
      `RabbitMQ, Postgres, ${hosts.length} x ${options.driver === 'libvirt' ? 'libvirtd' : 'fake hypervisor'}: up`,
    );
    const io = {
      alarm: (text: string) => terminal.alarm(text),
      say: (text: string) => terminal.say(text),
    };
    this.watches = this.infrastructure.map((program) => lookAfter(program, io, this.watching.signal));
    return {
      options,
      folder,
      ports,
      identity,
      databaseUrl: database.url,
      brokerUrl: (user) => broker.url(user, passwordOf(user)),
    };
  }

  private startHypervisor(host: string, { libvirt, fake }: ReturnType<StateFolder['host']>): Promise<Infrastructure> {
    return this.options.driver === 'libvirt' ? startHypervisor(host, libvirt) : startFakeHypervisor(host, fake);
  }

  private async migrate({ folder, databaseUrl }: ClusterFacts): Promise<void> {
    const env = { [MEMBER_OF]: folder.path, NOVELLA_DATABASE_URL: databaseUrl };
    const { stdout } = await promisify(execFile)(process.execPath, [...programOf('manage'), 'migrate'], { env });
    this.terminal.say(`database: ${stdout.trim()}`);
    this.goOn();
  }

  /** Hosts come after the conductors: their first report then finds somebody. */
  private async startMembers(facts: ClusterFacts): Promise<void> {
    const limit = AbortSignal.any([this.watching.signal, AbortSignal.timeout(READY_LIMIT_MS)]);
    for (const specs of members(facts)) {
      for (const spec of specs) await this.startMember(spec, facts.folder);
      await Promise.all(specs.map((spec) => memberReady(spec, limit).catch(this.lateBecause(spec.name))));
    }
    await hostsUp(facts, computeNames(facts.options), limit).catch(this.lateBecause('a host'));
  }

  private async startMember(spec: MemberSpec, folder: StateFolder): Promise<void> {
    const member = this.member(spec, folder);
    this.running.push(member);
    await member.start();
    this.terminal.say(`${spec.name} is process ${member.pid ?? '(none)'}, ${spec.health}`);
  }

  private member(spec: MemberSpec, folder: StateFolder): Member {
    const { terminal } = this;
    return new Member(spec, {
      logFile: folder.log(spec.name),
      onLine: (line) => terminal.line(spec.name, readable(line)),
      onEnd: (how, pause) => terminal.alarm(`${spec.name} ${how}; it is started again in ${pause / 1_000} s`),
      onAgain: (pid) => terminal.say(`${spec.name} is process ${pid} now`),
    });
  }

  private readonly lateBecause = (name: string) => (): never => {
    this.goOn();
    throw new Error(`${name} was not ready within ${READY_LIMIT_MS / 1_000} s; its log says why`);
  };

  private goOn(): void {
    this.watching.signal.throwIfAborted();
  }

  private async end(): Promise<void> {
    await Promise.all(this.watches);
    const named = (beginning: string) => this.running.filter(({ spec }) => spec.name.startsWith(beginning));
    // A host reports what it has just done, and a conductor writes that down and tells Cinder.
    for (const group of ['nova-api', 'compute-', 'conductor-', 'cinder-dev']) {
      await Promise.all(named(group).map((member) => member.stop()));
    }
    for (const program of this.infrastructure.toReversed()) await this.endOf(program);
    await this.identity?.close();
    if (this.folder !== null) await releaseStateFolder(this.folder);
  }

  private async endOf(program: Infrastructure): Promise<void> {
    await program
      .stop()
      .catch((error: unknown) => this.terminal.alarm(`${program.name} did not stop: ${String(error)}`));
  }
}
