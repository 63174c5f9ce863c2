import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { seconds } from '@novella/core';
import { openSqlStore, type Store } from '@novella/persistence';
import { startPrivateRabbit } from '@novella/testing';
import { brokerUsers } from '../broker-users.js';
import { programOf } from '../checkout.js';
import { fakeSocket } from '../fake-hypervisor.js';
import { provideImage } from '../images.js';
import { Member, type MemberSpec } from '../member.js';
import { apiUrl, type ClusterFacts, cinderUrl, computeNames, members } from '../members.js';
import { everybody } from '../identity.js';
import type { ClusterOptions } from '../options.js';
import { choosePorts } from '../ports.js';
import { hostsUp, memberReady } from '../ready.js';
import { prepareStateFolder, type StateFolder, takeStateFolder } from '../state-folder.js';
import { Cloud } from './cloud.js';
import { startDeafNova } from './deaf-nova.js';
import { startHypervisor } from './hypervisors.js';
import type { Ledger } from './ledger.js';
import type { VerifyOptions } from './options.js';
import { MemberPart, type Part, PostgresPart, RabbitPart } from './parts.js';

export interface DeploymentIo {
  readonly ledger: Ledger;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

const READY_LIMIT_MS = 120_000;

/**
 * A whole deployment for one run, in a folder of its own: RabbitMQ with a user for each host, Postgres with fsync,
 * nova-api, two conductors, computes and cinder-dev, each a process. The hypervisors are in this one.
 */
export class Deployment {
  readonly parts: Part[] = [];
  private readonly undo: (() => Promise<unknown>)[] = [];
  private started: { readonly cloud: Cloud; readonly image: string; readonly store: Store } | null = null;

  private constructor(
    readonly folder: StateFolder,
    private readonly options: ClusterOptions,
    private readonly io: DeploymentIo,
  ) {}

  /** Rejects with what went wrong, or with the signal's reason; what was started has ended then. */
  static async start({ computes, plant }: VerifyOptions, io: DeploymentIo): Promise<Deployment> {
    const state = await mkdtemp(join(tmpdir(), 'novella-verify-'));
    // Postgres runs as another user when we are root, and must come through.
    await chmod(state, 0o755);
    const options: ClusterOptions = {
      computes,
      conductors: 2,
      driver: 'fake',
      domainType: 'qemu',
      port: 0,
      cinder: null,
      keystone: null,
      state,
      fresh: true,
      logLevel: 'info',
    };
    const folder = await takeStateFolder(options);
    await prepareStateFolder(folder, true);
    io.say(`logs and data are in ${state}`);
    const deployment = new Deployment(folder, options, io);
    try {
      await deployment.begin(plant === 'lie');
      return deployment;
    } catch (error) {
      await deployment.close(io.signal.aborted ? 'remove' : 'keep');
      throw error;
    }
  }

  get cloud(): Cloud {
    return this.running.cloud;
  }

  get image(): string {
    return this.running.image;
  }

  /** Read as novella-manage reads it. */
  get store(): Store {
    return this.running.store;
  }

  get hosts(): string[] {
    return computeNames(this.options);
  }

  /** By its name. */
  part(name: string): Part {
    const part = this.parts.find((one) => one.name === name);
    if (part === undefined) throw new Error(`there is no ${name}`);
    return part;
  }

  /** Everything works with everything. */
  readonly allServe = async (): Promise<boolean> => {
    const ours = this.parts.filter((part) => part instanceof MemberPart && part.name !== 'cinder-dev');
    return (await Promise.all(ours.map((part) => part.serves()))).every(Boolean);
  };

  /** Kills a process of ours, or whichever name it has, and keeps it away. */
  async takeAway(name: string): Promise<void> {
    const part = this.part(name);
    if (!(part instanceof MemberPart)) throw new Error(`${name} is no process of ours`);
    const { pid } = part.member;
    const stopped = part.member.stop();
    if (pid !== null) process.kill(pid, 'SIGKILL');
    await stopped;
  }

  async bringBack(name: string): Promise<void> {
    const gone = this.part(name);
    if (!(gone instanceof MemberPart)) throw new Error(`${name} is no process of ours`);
    this.parts[this.parts.indexOf(gone)] = await this.startMember(gone.member.spec);
  }

  /** Ends everything, the last started first. Whether everything ended well. */
  async close(data: 'keep' | 'remove'): Promise<boolean> {
    let well = true;
    for (const step of this.undo.splice(0).reverse()) {
      await step().catch((error: unknown) => {
        this.io.say(`clean-up: ${String(error)}`);
        well = false;
      });
    }
    if (data === 'remove') await rm(this.folder.path, { recursive: true, force: true });
    return well;
  }

  private get running() {
    if (this.started === null) throw new Error('the deployment has not started');
    return this.started;
  }

  private async begin(lies: boolean): Promise<void> {
    const { folder, options, io } = this;
    const image = await provideImage(folder, options);
    const facts = await this.startInfrastructure();
    io.signal.throwIfAborted();
    const env = { NOVELLA_DATABASE_URL: facts.databaseUrl };
    await promisify(execFile)(process.execPath, [...programOf('manage'), 'migrate'], { env });
    const deaf = await startDeafNova();
    this.undo.push(() => deaf.close());
    for (const host of this.hosts) await this.startHypervisor(host, lies && host === this.hosts[0]);
    for (const specs of members(facts)) await this.startMembers(specs.map((spec) => quietly(spec, deaf.url)));
    await hostsUp(facts, this.hosts, this.limit()).catch(this.lateBecause('a host'));
    const store = await openSqlStore({
      url: facts.databaseUrl,
      poolSize: 2,
      serviceDownTime: seconds(60),
      applicationName: 'novella-verify',
    });
    this.undo.push(() => store.close());
    this.started = { cloud: new Cloud(apiUrl(facts.ports), cinderUrl(facts)), image, store };
  }

  private async startInfrastructure(): Promise<ClusterFacts> {
    const { folder, options } = this;
    const directory = join(folder.path, 'rabbitmq');
    const passwordOf = await brokerUsers(folder, this.hosts);
    const rabbit = await startPrivateRabbit({ directory, definitions: folder.definitions });
    this.undo.push(() => rabbit.stop());
    const log = await open(folder.log('postgres'), 'a', 0o600);
    this.undo.push(() => log.close());
    const postgres = await PostgresPart.start(
      folder.postgres,
      (line) => void log.write(`${line}\n`).catch(() => undefined),
      this.allServe,
    );
    this.undo.push(() => postgres.stop());
    this.parts.push(new RabbitPart(rabbit, directory, this.allServe), postgres);
    this.io.say('RabbitMQ and Postgres are up');
    return {
      options,
      folder,
      ports: await choosePorts(options),
      identity: everybody,
      databaseUrl: postgres.url,
      brokerUrl: (user) => rabbit.urlOf(user, passwordOf(user)),
    };
  }

  private async startHypervisor(host: string, lies: boolean): Promise<void> {
    const socketPath = fakeSocket(this.folder.host(host).fake);
    await mkdir(dirname(socketPath), { recursive: true });
    const hypervisor = await startHypervisor({ host, socketPath, lies, ledger: this.io.ledger });
    this.undo.push(() => hypervisor.close());
  }

  private async startMembers(specs: readonly MemberSpec[]): Promise<void> {
    for (const spec of specs) this.parts.push(await this.startMember(spec));
    await Promise.all(specs.map((spec) => memberReady(spec, this.limit()).catch(this.lateBecause(spec.name))));
    this.io.say(`${specs.map(({ name }) => name).join(', ')}: up`);
  }

  private async startMember(spec: MemberSpec): Promise<MemberPart> {
    const member = new Member(spec, {
      logFile: this.folder.log(spec.name),
      onLine: () => undefined,
      onEnd: () => undefined,
      onAgain: () => undefined,
    });
    this.undo.push(() => member.stop());
    await member.start();
    return new MemberPart(member, this.io.signal);
  }

  private readonly lateBecause = (name: string) => (): never => {
    this.io.signal.throwIfAborted();
    throw new Error(
      `${name} was not ready within ${READY_LIMIT_MS / 1_000} s; its log in ${this.folder.path} says why`,
    );
  };

  private limit(): AbortSignal {
    return AbortSignal.any([this.io.signal, AbortSignal.timeout(READY_LIMIT_MS)]);
  }
}

/** cinder-dev tells its own events to nobody. */
function quietly(spec: MemberSpec, novaUrl: string): MemberSpec {
  if (spec.name !== 'cinder-dev') return spec;
  const ours = { CINDER_DEV_NOVA_ENDPOINT: novaUrl, CINDER_DEV_LOG_LEVEL: 'warn' };
  return { ...spec, environment: { ...spec.environment, ...ours } };
}
