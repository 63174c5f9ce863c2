import 'reflect-metadata';
import { computeRpc, conductorRpc } from '@novella/contracts';
import { seconds } from '@novella/core';
import { ConsumerProbe, type Link, openAmqpLink, rpcClient, RpcStrategy } from '@novella/messaging';
import { openSqlStore, schemaState, type Store } from '@novella/persistence';
import {
  brokerTrouble,
  endsWithin,
  holdName,
  openStackAccess,
  type Program,
  runProgram,
  schemaMustServe,
  startHealthServer,
  untilThere,
} from '@novella/service-kit';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { cinderVolumeService } from './cinder-volume-service.js';
import { ConductorConfig } from './conductor.config.js';
import { ConductorModule } from './conductor.module.js';
import type { ImageLinks } from './images/image-links.js';
import { startImages } from './images/start-images.js';
import { type ServiceCinder, serviceCinder } from './service-cinder.js';

/**
 * A conductor. It waits for what is not there yet, says so in its health and its log, and begins to work when it has
 * both the database, with a schema it knows, and its name.
 */
async function startConductor(config: Readonly<ConductorConfig>, program: Program): Promise<void> {
  const { clock, random, log, health, shutdown } = program;
  const { name } = config;
  const io = { clock, random, log };
  const { signal } = shutdown;

  const server = await startHealthServer(health, { listen: config.healthListen, port: config.healthPort });
  shutdown.onShutdown('health server', () => server.close());
  log.info('the health is served', { url: server.url });
  const work = health.register('work');

  const link = openAmqpLink({
    urls: config.brokerUrls,
    connectionName: `conductor-${name}`,
    heartbeatS: config.brokerHeartbeatS,
    ...io,
  });
  shutdown.onShutdown('broker link', () => link.close());
  health.register('broker').ask('degraded', () => brokerTrouble(link));

  work.unwell('not-ready', 'waits for the database');
  const store = await databaseIsThere(config, program);
  shutdown.onShutdown('store', () => store.close());

  const cinder = serviceCinder(openStackAccess(config), io);
  if (cinder.trouble !== null) health.register('identity').ask('degraded', cinder.trouble);
  shutdown.onShutdown('cinder client', () => cinder.close());

  const imageLinks = await imagesAreServed(config, cinder, program);

  work.unwell('not-ready', 'waits for the broker, to hold its name there');
  await holdName(link, { topic: 'conductor', name }, { clock, signal, onLost: () => nameLost(program, name) });

  const strategy = new RpcStrategy(link, conductorRpc, null, { ...io, graceMs: seconds(config.shutdownGraceS) });
  const app = await conductorApp(config, program, { link, store, cinder, imageLinks, strategy });
  shutdown.onShutdown('work', async () => {
    const ended = await endsWithin(seconds(config.shutdownGraceS), app.close(), program);
    if (!ended) log.warn('what outlasted the grace is left to whoever claims it next');
  });
  await app.listen();
  resultsMustArrive(new ConsumerProbe(link, strategy.unwrap(), io), program);
  work.ready();
  log.info('serving', { conductor: name, health: server.url });
}

interface Reached {
  readonly link: Link;
  readonly store: Store;
  readonly cinder: ServiceCinder;
  readonly imageLinks: ImageLinks | null;
  readonly strategy: RpcStrategy<typeof conductorRpc>;
}

function conductorApp(
  { name, verifySender, fixedKey }: Readonly<ConductorConfig>,
  { clock, random, log }: Program,
  { link, store, cinder, imageLinks, strategy }: Reached,
): Promise<INestMicroservice> {
  const io = { clock, random, log };
  const commands = rpcClient(link, computeRpc, io);
  const module = ConductorModule.register({
    name,
    verifySender,
    store,
    volumes: cinderVolumeService((project) => cinder.inProject(project), fixedKey ?? null),
    ...(imageLinks === null ? {} : { imageLinks }),
    compute: (host) => commands.to(host),
    deleteQueue: (queue) => link.deleteQueue(queue),
    ...io,
  });
  return NestFactory.createMicroservice<MicroserviceOptions>(module, { strategy, logger: false, abortOnError: false });
}

/** Null where there can be no Glance: hosts then have the images themselves. */
async function imagesAreServed(
  config: Readonly<ConductorConfig>,
  { headers: auth, glanceEndpoint: inCatalog }: ServiceCinder,
  { clock, log, shutdown }: Program,
): Promise<ImageLinks | null> {
  const { imageServerListen, imageServerPort, imageServerUrl, imageServerKey } = config;
  const glanceEndpoint = config.glanceEndpoint ?? inCatalog;
  if (glanceEndpoint === null) return null;
  const images = await startImages({
    glanceEndpoint,
    auth,
    listen: imageServerListen,
    port: imageServerPort,
    ...(imageServerUrl === undefined ? {} : { url: imageServerUrl }),
    ...(imageServerKey === undefined ? {} : { key: imageServerKey }),
    clock,
    log,
  });
  shutdown.onShutdown('image server', () => images.close());
  return images.links;
}

/** The store, once Postgres is there with a schema that this release works on. */
async function databaseIsThere(config: Readonly<ConductorConfig>, program: Program): Promise<Store> {
  const { clock, log, health, shutdown } = program;
  const url = config.databaseUrl;
  const part = health.register('database');
  const look = async (): Promise<void> => schemaMustServe(await schemaState(url));
  await untilThere('database', look, { clock, log, signal: shutdown.signal, part });
  const store = await openSqlStore({
    url,
    poolSize: config.databasePool,
    serviceDownTime: seconds(config.serviceDownTimeS),
    applicationName: `novella-conductor-${config.name}`,
  });
  part.ask('not-ready', async () => {
    await store.services('nova-conductor');
    return null;
  });
  return store;
}

/** From here on it is proven again and again that what is sent to the conductors reaches this one. */
function resultsMustArrive(probe: ConsumerProbe, { health, shutdown }: Program): void {
  health.register('consumer').ask('degraded', () => probe.trouble);
  shutdown.onShutdown('probe', () => probe.stop());
  probe.start();
}

/** Another of the name may be at work: nothing more is written in it. */
function nameLost({ log }: Program, name: string): never {
  log.error('another conductor has the name', { name });
  process.exit(1);
}

void runProgram('conductor', ConductorConfig, startConductor);
