import 'reflect-metadata';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CinderClient, createCinderClient, noAuth } from '@novella/cinder';
import { computeRpc, conductorRpc } from '@novella/contracts';
import { type Log, type Millis, type OperationId, type ProjectId, seconds } from '@novella/core';
import { ImageDirectory } from '@novella/image';
import { type Link, openAmqpLink, rpcClient, RpcStrategy } from '@novella/messaging';
import { type EmbeddedPostgres, migrate, openSqlStore, startEmbeddedPostgres, type Store } from '@novella/persistence';
import {
  brokerTrouble,
  createLog,
  Health,
  type Program,
  Shutdown,
  systemClock,
  systemRandom,
} from '@novella/service-kit';
import { freePort, type PrivateRabbit, startPrivateRabbit, temporaryDirectory, waitUntil } from '@novella/testing';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { Pool, type QueryResultRow } from 'pg';
import { type CinderDev, startCinderDev } from '../../apps/cinder-dev/src/start-cinder-dev.js';
import { ComputeConfig } from '../../apps/compute/src/compute.config.js';
import { startCompute } from '../../apps/compute/src/start-compute.js';
import { cinderVolumeService } from '../../apps/conductor/src/cinder-volume-service.js';
import { ConductorModule } from '../../apps/conductor/src/conductor.module.js';
import { seedFlavors } from '../../apps/manage/src/seed-flavors.js';
import { cinderVolumeApi } from '../../apps/nova-api/src/cinder-volume-api.js';
import { createNovaApi } from '../../apps/nova-api/src/create-nova-api.js';
import { hintSender } from '../../apps/nova-api/src/hint-sender.js';
import { noauth2 } from '../../apps/nova-api/src/http/noauth2.js';
import { policyInCode } from '../../apps/nova-api/src/open-policy.js';
import { faultyHypervisor, type FaultyHypervisor } from './faulty-hypervisor.js';
import { MisbehavingCinder } from './misbehaving-cinder.js';
import { SmallDisk } from './small-disk.js';

export interface RegionOptions {
  /** The broker's or the database's files are on a file system of so many MiB. */
  readonly brokerDiskMib?: number;
  readonly databaseDiskMib?: number;
  /** Cinder cannot tell Nova that a volume has grown: the test does. */
  readonly muteCinder?: true;
  /** How long the conductor, and how long nova-api, waits for Cinder's answer. */
  readonly conductorPatience?: Millis;
  readonly apiPatience?: Millis;
  /** How long a reservation may wait to be confirmed before the engine undoes it. */
  readonly confirmWithin?: Millis;
}

const HOST = 'host-1';
const CINDER_CONNECTIONS = 64;
const NOWHERE = 'http://127.0.0.1:9/v2.1';
const SERVICE_PROJECT = 'service' as ProjectId;

/**
 * nova-api, a conductor and a compute with guests in memory, in this process; RabbitMQ, Postgres and a development Cinder
 * beside it, with a Cinder in front that misbehaves on demand. What is written to the log is kept.
 */
export class Region {
  readonly logged: string[] = [];
  rabbit!: PrivateRabbit;
  store!: Store;
  cinder!: MisbehavingCinder;
  hypervisor!: FaultyHypervisor;
  brokerDisk: SmallDisk | null = null;
  databaseDisk: SmallDisk | null = null;
  /** Of conductor and compute; nova-api shows its own. */
  readonly health = new Health();
  computeHealth = new Health();
  private postgres!: EmbeddedPostgres;
  private cinderDev!: CinderDev;
  private pool!: Pool;
  private readonly undo: (() => Promise<unknown>)[] = [];
  private readonly log: Log = keepingLog(this.logged);

  private constructor(
    readonly dir: string,
    readonly apiUrl: string,
    private readonly options: RegionOptions,
  ) {}

  static async start(options: RegionOptions = {}): Promise<Region> {
    const dir = await temporaryDirectory({ mode: 0o755 });
    const region = new Region(dir.path, `http://127.0.0.1:${await freePort()}`, options);
    region.undo.push(() => dir.remove());
    try {
      await region.begin();
    } catch (error) {
      await region.close();
      throw error;
    }
    return region;
  }

  /** The last started first; a part that does not end keeps no other. */
  async close(): Promise<void> {
    for (const end of this.undo.splice(0).reverse())
      await end().catch((error: unknown) => this.logged.push(String(error)));
  }

  /** Cinder itself, past what misbehaves. */
  get cinderUrl(): string {
    return this.cinderDev.url;
  }

  get databaseUrl(): string {
    return this.postgres.url;
  }

  /** Where it was, once it has ended. */
  async startPostgres(): Promise<void> {
    const { port } = this.postgres;
    await this.postgres.stop();
    this.postgres = await startEmbeddedPostgres({ dataDir: this.databaseDir, port, fsync: true });
  }

  /** What the store's interface does not answer. */
  async query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.pool.query<Row>(text, [...values])).rows;
  }

  /** The id of the request whose action the operation carries out. */
  async requestOf(operation: OperationId): Promise<string> {
    const text = 'select request_id from instance_action where operation_id = $1';
    return (await this.query<{ request_id: string }>(text, [operation]))[0]?.request_id ?? 'none';
  }

  private get databaseDir(): string {
    return join(this.databaseDisk?.path ?? this.dir, 'postgres');
  }

  private async begin(): Promise<void> {
    for (const folder of ['images', 'volumes', 'state']) await mkdir(join(this.dir, folder));
    await this.mountDisks();
    [this.rabbit, this.postgres, this.cinderDev] = await Promise.all([
      startPrivateRabbit(this.brokerDisk === null ? {} : { directory: join(this.brokerDisk.path, 'rabbitmq') }),
      startEmbeddedPostgres({ dataDir: this.databaseDir, fsync: this.databaseDisk !== null }),
      startCinderDev({
        port: 0,
        dataDir: join(this.dir, 'volumes'),
        novaEndpoint: this.options.muteCinder === true ? NOWHERE : `${this.apiUrl}/v2.1`,
        novaHeaders: { 'X-Auth-Token': 'admin:service' },
        log: silent,
      }),
    ]);
    this.undo.push(
      () => this.postgres.stop(),
      () => this.rabbit.stop(),
      () => this.cinderDev.close(),
    );
    this.cinder = await MisbehavingCinder.before(this.cinderDev.url);
    this.undo.push(() => this.cinder.close());
    this.pool = new Pool({ connectionString: this.postgres.url, max: 4 });
    // What it says when the server ends is said again by the next query.
    this.pool.on('error', () => undefined);
    this.undo.push(() => this.pool.end());
    await migrate(this.postgres.url);
    this.store = await this.openStore('conductor');
    await seedFlavors(this.store);
    await this.startConductor();
    await this.startCompute();
    await this.startApi();
    const isUp = async () => (await this.store.services('nova-compute')).some(({ up }) => up);
    await waitUntil(isUp, { what: 'the host to report' });
  }

  private async mountDisks(): Promise<void> {
    const { brokerDiskMib, databaseDiskMib } = this.options;
    if (brokerDiskMib !== undefined) {
      const disk = (this.brokerDisk = await SmallDisk.mount(brokerDiskMib));
      this.undo.push(() => disk.unmount());
    }
    if (databaseDiskMib !== undefined) {
      const disk = (this.databaseDisk = await SmallDisk.mount(databaseDiskMib));
      this.undo.push(() => disk.unmount());
    }
  }

  private async openStore(applicationName: string): Promise<Store> {
    const { url } = this.postgres;
    const store = await openSqlStore({ url, poolSize: 10, serviceDownTime: seconds(60), applicationName });
    this.undo.push(() => store.close());
    return store;
  }

  private openLink(connectionName: string): Link {
    const link = openAmqpLink({ urls: [this.rabbit.url], connectionName, heartbeatS: 15, ...this.io });
    this.undo.push(() => link.close());
    return link;
  }

  private openCinder(patience: Millis | undefined): CinderClient {
    const client = createCinderClient({
      endpoint: this.cinder.url,
      auth: noAuth('admin', SERVICE_PROJECT),
      log: this.log,
      // Those who are kept waiting must not keep others from asking.
      connections: CINDER_CONNECTIONS,
      ...(patience === undefined ? {} : { headersTimeout: patience, bodyTimeout: patience, totalTimeout: patience }),
    });
    this.undo.push(() => client.close());
    return client;
  }

  private get io() {
    return { clock: systemClock, random: systemRandom, log: this.log };
  }

  private async startConductor(): Promise<void> {
    const link = this.openLink('conductor-1');
    const cinder = this.openCinder(this.options.conductorPatience);
    const commands = rpcClient(link, computeRpc, this.io);
    this.health.register('conductor').ask('degraded', () => brokerTrouble(link));
    const module = ConductorModule.register({
      name: 'conductor-1',
      // One broker user serves all here, so who says what cannot be told apart.
      verifySender: false,
      store: this.store,
      volumes: cinderVolumeService((project) => (project === null ? cinder : cinder.as(noAuth('admin', project)))),
      compute: (host) => commands.to(host),
      deleteQueue: (queue) => link.deleteQueue(queue),
      ...this.io,
    });
    const strategy = new RpcStrategy(link, conductorRpc, null, this.io);
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
      strategy,
      logger: false,
      abortOnError: false,
    });
    this.undo.push(() => app.close());
    await app.listen();
  }

  private async startCompute(): Promise<void> {
    const shutdown = new Shutdown({ log: this.log, clock: systemClock });
    const program: Program = { ...this.io, health: this.computeHealth, shutdown };
    const config = Object.assign(new ComputeConfig(), {
      host: HOST,
      brokerUrls: [this.rabbit.url],
      stateDir: join(this.dir, 'state'),
      imagesDir: join(this.dir, 'images'),
      volumeRoots: [join(this.dir, 'volumes')],
      virtDriver: 'fake',
      healthPort: 0,
      shutdownGraceS: 1,
    } as const);
    this.hypervisor = faultyHypervisor();
    this.undo.push(() => shutdown.run('the test is over'));
    await startCompute(config, program, () => Promise.resolve(this.hypervisor.driver));
  }

  private async startApi(): Promise<void> {
    const link = this.openLink('nova-api');
    const conductors = rpcClient(link, conductorRpc, this.io);
    const computes = rpcClient(link, computeRpc, this.io);
    const api = await createNovaApi({
      config: {
        maxLimit: 1000,
        enableInstancePassword: true,
        confirmWithin: this.options.confirmWithin ?? seconds(120),
        computeLinkPrefix: null,
        trustForwardedHeaders: false,
      },
      ...policyInCode(this.io),
      store: await this.openStore('api'),
      broker: link,
      authenticator: noauth2,
      cinder: cinderVolumeApi(this.openCinder(this.options.apiPatience), null),
      images: new ImageDirectory(join(this.dir, 'images')),
      hint: hintSender(conductors.any(), this.log),
      conductor: conductors.any(),
      compute: (host) => computes.to(host),
      log: this.log,
      random: systemRandom,
    });
    this.undo.push(() => api.close());
    await api.listen({ host: '127.0.0.1', port: Number(new URL(this.apiUrl).port) });
  }
}

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** As it would be printed: what is redacted there is redacted here. */
function keepingLog(lines: string[]): Log {
  return createLog({ name: 'region', level: 'info', destination: { write: (line: string) => void lines.push(line) } });
}
