import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connectorProperties, createConnectors, spawnRunner } from '@novella/brick';
import { createCinderClient, noAuth } from '@novella/cinder';
import { computeRpc, conductorRpc } from '@novella/contracts';
import {
  type Clock,
  type HostName,
  type Log,
  millis,
  NovellaError,
  type ProjectId,
  type Random,
  seconds,
} from '@novella/core';
import { createGlanceClient } from '@novella/glance';
import { ImageDirectory } from '@novella/image';
import { InMemoryBroker, rpcClient, RpcStrategy } from '@novella/messaging';
import { HostKey } from '@novella/sealing';
import { migrate, openSqlStore, startEmbeddedPostgres, type Store } from '@novella/persistence';
import type { VirtDriver } from '@novella/virt';
import { type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { ComputeModule } from '../../compute/src/compute.module.js';
import { cinderVolumeService } from '../../conductor/src/cinder-volume-service.js';
import { ConductorModule } from '../../conductor/src/conductor.module.js';
import { startImages } from '../../conductor/src/images/start-images.js';
import { seedFlavors } from '../../manage/src/seed-flavors.js';
import { cinderVolumeApi } from '../../nova-api/src/cinder-volume-api.js';
import { createNovaApi } from '../../nova-api/src/create-nova-api.js';
import { glanceImageApi } from '../../nova-api/src/glance-image-api.js';
import { hintSender } from '../../nova-api/src/hint-sender.js';
import { policyInCode } from '../../nova-api/src/open-policy.js';
import { noauth2 } from '../../nova-api/src/http/noauth2.js';
import type { ImageApi } from '../../nova-api/src/image-api.js';
import type { ImageLinks } from '../../conductor/src/images/image-links.js';
import type { StandaloneConfig } from './standalone.config.js';

/**
 * nova-api, a conductor and one compute in one process: the same parts and the same messages as apart, over an in-memory
 * link, on a private Postgres unless one is given. For a first look, for development and for tests.
 */
export interface StandalonePorts {
  readonly virt: VirtDriver;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The host's state directory is no longer ours; the process must end. */
  readonly onStateLost: () => void;
}

export interface Standalone {
  /** `http://127.0.0.1:8774/v2.1` */
  readonly apiUrl: string;
  /** Ends everything in order: no more requests, no more commands, then store and database. */
  stop(): Promise<void>;
}

export const VERSION = '0.1.0';
const SERVICE_DOWN_TIME = seconds(60);
const SERVICE_PROJECT = 'service' as ProjectId;
const DATABASE_CONNECTIONS = 10;
const HOST_REPORT_LIMIT = seconds(30);
const HOST_REPORT_POLL = millis(20);

export async function startStandalone(config: StandaloneConfig, ports: StandalonePorts): Promise<Standalone> {
  const { clock, random, log } = ports;
  const running = new Running();
  try {
    const store = await openStore(config, log, running);
    const broker = new InMemoryBroker({ clock });
    const apiLink = broker.connect('nova-api');
    const conductorLink = broker.connect('conductor');
    const computeLink = broker.connect(`compute-${config.host}`);
    const client = { clock, random, log };

    const cinder = createCinderClient({
      endpoint: config.cinderEndpoint,
      auth: asAdmin(SERVICE_PROJECT),
      log,
    });
    running.add('cinder client', () => cinder.close());
    const asService = (project: ProjectId | null) => (project === null ? cinder : cinder.as(asAdmin(project)));

    const { imageApi, imageLinks } = await openImages(config, ports, running);
    const conductor = await microservice(
      ConductorModule.register({
        name: `conductor-${config.host}`,
        verifySender: true,
        store,
        volumes: cinderVolumeService(asService, config.fixedKey ?? null),
        ...(imageLinks === null ? {} : { imageLinks }),
        compute: (host) => commands.to(host),
        deleteQueue: (name) => conductorLink.deleteQueue(name),
        ...client,
      }),
      new RpcStrategy(conductorLink, conductorRpc, null, client),
    );
    const commands = rpcClient(conductorLink, computeRpc, client);
    running.add('conductor', () => conductor.close());
    await conductor.listen();

    const runner = spawnRunner;
    const host = config.host as HostName;
    const stateDir = join(config.stateDir, 'compute');
    await mkdir(stateDir, { recursive: true });
    const worker = await microservice(
      ComputeModule.register({
        host,
        version: VERSION,
        stateDir,
        hostKey: await HostKey.open(stateDir),
        virt: ports.virt,
        connectors: createConnectors({
          local: { roots: config.volumeRoots, clock, runner },
          rbd: { cephDir: config.cephDir, clock },
        }),
        connectorProperties: await connectorProperties({ host, ip: '127.0.0.1' }),
        images: new ImageDirectory(config.imagesDir),
        conductor: rpcClient(computeLink, conductorRpc, client).any(),
        runner,
        onStateLost: ports.onStateLost,
        ...client,
      }),
      new RpcStrategy(computeLink, computeRpc, host, client),
    );
    running.add('compute', () => worker.close());
    await worker.listen();
    await hostIsUp(store, host, clock);

    const conductors = rpcClient(apiLink, conductorRpc, client).any();
    const hosts = rpcClient(apiLink, computeRpc, client);
    const api = await createNovaApi({
      config: {
        maxLimit: 1000,
        http: config.http,
        enableInstancePassword: true,
        confirmWithin: seconds(120),
        computeLinkPrefix: null,
        trustForwardedHeaders: false,
      },
      authenticator: noauth2,
      ...policyInCode(client),
      store,
      cinder: cinderVolumeApi(cinder, null),
      images: imageApi,
      hint: hintSender(conductors, log),
      conductor: conductors,
      compute: (host) => hosts.to(host),
      log,
      random,
    });
    running.add('nova-api', () => api.close());
    await api.listen({ host: config.listen, port: config.port });
    return { apiUrl: `${await api.getUrl()}/v2.1`, stop: () => running.stop(log) };
  } catch (error) {
    await running.stop(log);
    throw error;
  }
}

/** Glance where it is told of: nova-api asks it in users' names, the conductor's part serves the host. */
async function openImages(
  { glanceEndpoint, imagesDir }: StandaloneConfig,
  { clock, log }: StandalonePorts,
  running: Running,
): Promise<{ imageApi: ImageApi; imageLinks: ImageLinks | null }> {
  if (glanceEndpoint === undefined) return { imageApi: new ImageDirectory(imagesDir), imageLinks: null };
  const auth = async () => (await asAdmin(SERVICE_PROJECT).credentials()).headers;
  const images = await startImages({ glanceEndpoint, auth, listen: '127.0.0.1', port: 0, clock, log });
  running.add('image server', () => images.close());
  const glance = createGlanceClient({ endpoint: glanceEndpoint, auth, log });
  running.add('glance client', () => glance.close());
  return { imageApi: glanceImageApi(glance), imageLinks: images.links };
}

/** A server that is asked for before the host has reported would find no valid host: the API opens after the report. */
async function hostIsUp(store: Store, host: HostName, clock: Clock): Promise<void> {
  const end = clock.monotonic() + HOST_REPORT_LIMIT;
  while (!(await store.services('nova-compute')).some((service) => service.host === host && service.up)) {
    if (clock.monotonic() > end) throw new NovellaError('internal', 'the host did not report', { host });
    await clock.sleep(HOST_REPORT_POLL);
  }
}

async function openStore(config: StandaloneConfig, log: Log, running: Running): Promise<Store> {
  await mkdir(config.stateDir, { recursive: true, mode: 0o755 });
  let url = config.databaseUrl;
  if (url === undefined) {
    const postgres = await startEmbeddedPostgres({
      dataDir: join(config.stateDir, 'postgres'),
      fsync: true,
      log: (line) => log.debug('postgres', { line }),
    });
    running.add('postgres', () => postgres.stop());
    url = postgres.url;
  }
  const applied = await migrate(url);
  if (applied.length > 0) log.info('the schema was brought up to date', { applied });
  const store = await openSqlStore({
    url,
    poolSize: DATABASE_CONNECTIONS,
    serviceDownTime: SERVICE_DOWN_TIME,
    applicationName: 'novella-standalone',
  });
  running.add('store', () => store.close());
  await seedFlavors(store);
  return store;
}

/** noauth2 on Cinder's side: the token says who asks and in which project. */
const asAdmin = (project: ProjectId) => noAuth('admin', project);

function microservice(
  module: Parameters<typeof NestFactory.createMicroservice>[0],
  strategy: NonNullable<Extract<MicroserviceOptions, { strategy: unknown }>['strategy']>,
): Promise<INestMicroservice> {
  return NestFactory.createMicroservice<MicroserviceOptions>(module, { strategy, logger: false, abortOnError: false });
}

/** What runs, in the order in which it was started. */
class Running {
  private readonly parts: { readonly name: string; readonly stop: () => Promise<unknown> }[] = [];

  add(name: string, stop: () => Promise<unknown>): void {
    this.parts.push({ name, stop });
  }

  /** The last started first; a part that cannot be stopped does not keep the others. */
  async stop(log: Log): Promise<void> {
    for (const { name, stop } of this.parts.splice(0).reverse()) {
      await stop().catch((error: unknown) => log.error('a part did not stop', { part: name, error }));
    }
  }
}
