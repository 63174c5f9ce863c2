import { mkdir } from 'node:fs/promises';
import { connectorProperties, createConnectors, spawnRunner } from '@novella/brick';
import { computeRpc, conductorRpc } from '@novella/contracts';
import { type HostName, millis, seconds } from '@novella/core';
import { ImageDirectory } from '@novella/image';
import { type Link, NOVA_EXCHANGE, openAmqpLink, rpcClient, RpcStrategy } from '@novella/messaging';
import { HostKey } from '@novella/sealing';
import {
  brokerTrouble,
  endsWithin,
  holdName,
  type Program,
  startHealthServer,
  untilThere,
  VERSION,
} from '@novella/service-kit';
import type { VirtDriver } from '@novella/virt';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { COMMANDS_AT_ONCE } from './compute.js';
import type { ComputeConfig } from './compute.config.js';
import { ComputeModule } from './compute.module.js';

/** After the grace: what must still be said when all commands have ended just then. */
const GOOD_BYE = seconds(2);

/**
 * The compute of one host. It waits for what is not there yet, says so in its health and its log, and takes commands
 * when it has its state directory, the hypervisor and the host's name.
 */
export async function startCompute(
  config: Readonly<ComputeConfig>,
  program: Program,
  openDriver: () => Promise<VirtDriver>,
): Promise<void> {
  const { clock, random, log, health, shutdown } = program;
  const host = config.host as HostName;
  const io = { clock, random, log };
  const { signal } = shutdown;

  const server = await startHealthServer(health, { listen: config.healthListen, port: config.healthPort });
  shutdown.onShutdown('health server', () => server.close());
  log.info('the health is served', { url: server.url });
  const commands = health.register('commands');

  const link = openAmqpLink({
    urls: config.brokerUrls,
    connectionName: `compute-${host}`,
    heartbeatS: config.brokerHeartbeatS,
    ...io,
  });
  shutdown.onShutdown('broker link', () => link.close());
  health.register('broker').ask('degraded', () => brokerTrouble(link));

  commands.unwell('not-ready', 'waits for the hypervisor');
  const hypervisor = health.register('hypervisor');
  const virt = await untilThere('hypervisor', openDriver, { ...io, signal, part: hypervisor });
  shutdown.onShutdown('hypervisor', () => virt.close());
  hypervisor.ask('degraded', async () => {
    await virt.hypervisor();
    return null;
  });

  const app = await computeApp(config, program, { link, virt });
  shutdown.onShutdown('commands', async () => {
    const limit = millis(seconds(config.shutdownGraceS) + GOOD_BYE);
    if (await endsWithin(limit, app.close(), program)) return;
    log.warn('commands that outlasted the grace are handed back to the queue');
  });

  commands.unwell('not-ready', 'waits for the broker, to hold the name of the host there');
  await holdName(link, { topic: 'compute', name: host }, { clock, signal, onLost: () => nameLost(program, host) });
  await app.listen();
  commands.ready();
  log.info('serving', { host, driver: virt.name, health: server.url });
}

async function computeApp(
  config: Readonly<ComputeConfig>,
  { clock, random, log }: Program,
  { link, virt }: { readonly link: Link; readonly virt: VirtDriver },
): Promise<INestMicroservice> {
  const { stateDir, shutdownGraceS } = config;
  const host = config.host as HostName;
  const io = { clock, random, log };
  const runner = spawnRunner;
  await mkdir(stateDir, { recursive: true });
  const module = ComputeModule.register({
    host,
    version: VERSION,
    stateDir,
    virt,
    connectors: createConnectors({ local: { roots: config.volumeRoots, clock, runner } }),
    connectorProperties: await connectorProperties({ host, ip: config.hostIp }),
    images: new ImageDirectory(config.imagesDir),
    hostKey: await HostKey.open(stateDir),
    shutdownGrace: seconds(config.guestShutdownTimeoutS),
    conductor: rpcClient(link, conductorRpc, io).any(),
    runner,
    onStateLost: () => process.exit(1),
    ...io,
  });
  // A host's broker user may write to the control exchange alone.
  const serving = { prefetch: COMMANDS_AT_ONCE, graceMs: seconds(shutdownGraceS), replyExchange: NOVA_EXCHANGE };
  const strategy = new RpcStrategy(link, computeRpc, host, { ...io, ...serving });
  return NestFactory.createMicroservice<MicroserviceOptions>(module, { strategy, logger: false, abortOnError: false });
}

/** Another worker of the host may be at work: this one touches nothing more. */
function nameLost({ log }: Program, host: HostName): never {
  log.error('another worker has the name of the host', { host });
  process.exit(1);
}
