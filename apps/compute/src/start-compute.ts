import { mkdir } from 'node:fs/promises';
import { connectorProperties, createConnectors, spawnRunner } from '@novella/brick';
import { computeRpc, conductorRpc } from '@novella/contracts';
import { gib, gibToBytes, type HostName, millis, seconds } from '@novella/core';
import { ImageDirectory } from '@novella/image';
import { ConsumerProbe, type Link, NOVA_EXCHANGE, openAmqpLink, rpcClient, RpcStrategy } from '@novella/messaging';
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

  // A host's broker user may write to the control exchange alone.
  const serving = { prefetch: COMMANDS_AT_ONCE, graceMs: seconds(config.shutdownGraceS), replyExchange: NOVA_EXCHANGE };
  const strategy = new RpcStrategy(link, computeRpc, host, { ...io, ...serving });
  let probe: ConsumerProbe | null = null;
  const isDeaf = (): boolean => probe?.isDeaf === true;
  const app = await computeApp(config, program, { link, virt, strategy, isDeaf });
  shutdown.onShutdown('commands', async () => {
    const limit = millis(seconds(config.shutdownGraceS) + GOOD_BYE);
    if (await endsWithin(limit, app.close(), program)) return;
    log.warn('commands that outlasted the grace are handed back to the queue');
  });

  commands.unwell('not-ready', 'waits for the broker, to hold the name of the host there');
  await holdName(link, { topic: 'compute', name: host }, { clock, signal, onLost: () => nameLost(program, host) });
  await app.listen();
  probe = new ConsumerProbe(link, strategy.unwrap(), io);
  commandsMustArrive(probe, program);
  commands.ready();
  log.info('serving', { host, driver: virt.name, health: server.url });
}

interface Parts {
  readonly link: Link;
  readonly virt: VirtDriver;
  readonly strategy: RpcStrategy<typeof computeRpc>;
  readonly isDeaf: () => boolean;
}

async function computeApp(
  config: Readonly<ComputeConfig>,
  { clock, random, log }: Program,
  { link, virt, strategy, isDeaf }: Parts,
): Promise<INestMicroservice> {
  const { stateDir } = config;
  const host = config.host as HostName;
  const io = { clock, random, log };
  const runner = spawnRunner;
  await mkdir(stateDir, { recursive: true });
  const module = ComputeModule.register({
    host,
    version: VERSION,
    stateDir,
    virt,
    connectors: createConnectors({
      local: { roots: config.volumeRoots, clock, runner },
      rbd: { cephDir: config.cephDir, clock },
    }),
    connectorProperties: await connectorProperties({ host, ip: config.hostIp }),
    images: new ImageDirectory(config.imagesDir),
    imageCache: { most: gibToBytes(gib(config.imageCacheGib)), keepUnused: seconds(config.imageCacheUnusedS) },
    hostKey: await HostKey.open(stateDir),
    shutdownGrace: seconds(config.guestShutdownTimeoutS),
    conductor: rpcClient(link, conductorRpc, io).any(),
    isDeaf,
    runner,
    onStateLost: () => process.exit(1),
    ...io,
  });
  return NestFactory.createMicroservice<MicroserviceOptions>(module, { strategy, logger: false, abortOnError: false });
}

/** From here on it is proven again and again that what is sent to this host arrives. */
function commandsMustArrive(probe: ConsumerProbe, { health, shutdown }: Program): void {
  health.register('consumer').ask('degraded', () => probe.trouble);
  shutdown.onShutdown('probe', () => probe.stop());
  probe.start();
}

/** Another worker of the host may be at work: this one touches nothing more. */
function nameLost({ log }: Program, host: HostName): never {
  log.error('another worker has the name of the host', { host });
  process.exit(1);
}
