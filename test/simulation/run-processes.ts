import {
  computeRpc,
  conductorRpc,
  type ExtendVolume,
  type HandlersOf,
  type MessageFacts,
  REPORT_INTERVAL_MS,
  type VolumeDisk,
} from '@novella/contracts';
import { type AttachmentId, type HostName, type Log, millis, seconds, type VolumeId } from '@novella/core';
import { type Link, NOVA_EXCHANGE, RpcServer, rpcClient } from '@novella/messaging';
import { PUBLIC_KEY } from '@novella/testing';
import { holdName } from '@novella/service-kit';
import { commandHandlers } from '../../apps/compute/src/command-handlers.js';
import { EffectLocks } from '../../apps/compute/src/effect-locks.js';
import { Journal } from '../../apps/compute/src/journal.js';
import { PowerStates } from '../../apps/compute/src/power-states.js';
import { Conductor } from '../../apps/conductor/src/conductor.js';
import { ConductorEndpoint } from '../../apps/conductor/src/conductor.endpoint.js';
import type { VolumeService } from '../../apps/conductor/src/volume-service.js';
import { callOutside } from './call-faults.js';
import type { DeploymentIo } from './deployment-io.js';
import { GatedLink } from './gated-link.js';
import { gatedStore } from './gated-store.js';
import { mutatedJournal, mutatedReports, mutatedStore } from './mutations.js';
import { ProcessClock } from './process-clock.js';
import { SimulatedProcess } from './process.js';
import { currentCommand } from './simulated-host.js';

/** A process of the deployment and what can be done to it from outside. */
export interface RunningProcess {
  readonly process: SimulatedProcess;
  readonly clock: ProcessClock;
  /** Its connection breaks; it stays away until `reconnect`. */
  cut(): void;
  reconnect(): void;
}

/** Nobody stops it. One for each, so that its listeners go with it. */
const neverStopped = (): AbortSignal => new AbortController().signal;

/** What every process has. `run` numbers the processes of one name, so that each has ids of its own. */
export function processIo(deployment: DeploymentIo, name: string, run: number, user: string) {
  const { trace, broker, store, locks, nextStoreCall, nextPublish } = deployment;
  const process = new SimulatedProcess(name, trace);
  const clock = new ProcessClock(deployment.clock, process);
  const inner = broker.connect(user);
  const link: Link = new GatedLink(inner, process, nextPublish);
  const running: RunningProcess = {
    process,
    clock,
    cut: () => inner.disconnect(),
    reconnect: () => {
      if (!process.isDead && !process.isFrozen) inner.reconnect();
    },
  };
  const own = { clock, random: deployment.chance.of(`${name} ${run}`), log: deployment.log(name) };
  return {
    running,
    process,
    link,
    own,
    store: () =>
      gatedStore(mutatedStore(store, deployment.mutation), process, {
        clock: deployment.clock,
        next: nextStoreCall,
        locks,
      }),
  };
}

export function startConductor(deployment: DeploymentIo, name: string, run: number): RunningProcess {
  const { running, process, link, own, store } = processIo(deployment, name, run, 'conductor');
  const start = async (): Promise<void> => {
    await holdName(link, { topic: 'conductor', name }, { ...own, signal: neverStopped(), onLost: () => process.die() });
    const commands = rpcClient(link, computeRpc, own);
    const conductor = new Conductor({
      name,
      verifySender: true,
      store: store(),
      volumes: volumesFor(deployment, process),
      compute: (host) => commands.to(host),
      deleteQueue: (queue) => link.deleteQueue(queue),
      ...own,
    });
    await new RpcServer(link, conductorRpc, null, new ConductorEndpoint(conductor), own).start();
    conductor.start();
  };
  start().catch((error: unknown) => failedToStart(running, own.log, error));
  return running;
}

export function startCompute(deployment: DeploymentIo, name: HostName, run: number): RunningProcess {
  const { running, process, link, own } = processIo(deployment, name, run, `compute-${name}`);
  const host = deployment.hosts.get(name)!;
  const start = async (): Promise<void> => {
    const virt = host.driverFor(process);
    const journal = mutatedJournal(await Journal.open('/state', host.directory.openedBy(process)), deployment.mutation);
    await holdName(link, { topic: 'compute', name }, { ...own, signal: neverStopped(), onLost: () => process.die() });
    const conductor = mutatedReports(rpcClient(link, conductorRpc, own).any(), deployment.mutation);
    const handlers = commandHandlers({
      commands: { host: name, journal, locks: new EffectLocks(), conductor, log: own.log },
      host: {
        virt,
        connectors: host.connectorsFor(process, own.clock),
        hostKey: { unseal: () => ({}) },
        images: { image: () => Promise.resolve(null) },
        imageCache: { hold: () => Promise.reject(new Error('no image is served here')) },
        files: host.filesFor(process),
        journal,
        shutdownGrace: seconds(60),
        log: own.log,
      },
      clock: own.clock,
      signal: neverStopped(),
    });
    const serving = { prefetch: 64, replyExchange: NOVA_EXCHANGE };
    await new RpcServer(link, computeRpc, name, inTheirCommand(handlers), { ...own, ...serving }).start();
    const powerStates = new PowerStates({ host: name, conductor, clock: own.clock, log: own.log });
    virt.onPowerState((server, state) => powerStates.changed(server, state));
    powerStates.start(() => virt.guests());
    await reportForEver(name, { conductor, virt, ...own });
  };
  start().catch((error: unknown) => failedToStart(running, own.log, error));
  return running;
}

/** As compute's ServiceReports, without the measuring of a real disk. */
async function reportForEver(
  host: HostName,
  io: Pick<ReturnType<typeof processIo>['own'], 'clock' | 'random' | 'log'> & {
    readonly conductor: Pick<ReturnType<ReturnType<typeof rpcClient<typeof conductorRpc>>['any']>, 'service_report'>;
    readonly virt: { hypervisor(): Promise<unknown> };
  },
): Promise<never> {
  let phase: 'starting' | 'running' = 'starting';
  for (;;) {
    try {
      await io.virt.hypervisor();
      await io.conductor.service_report({ ...REPORT, host, phase, hypervisor: { ...FAKE, hostname: host } });
      phase = 'running';
    } catch (error) {
      io.log.warn('the service report did not get through', { error });
    }
    const interval = millis(REPORT_INTERVAL_MS * (1 - 0.1 * io.random.fraction()));
    await io.clock.sleep(phase === 'starting' ? seconds(1) : interval);
  }
}

const FAKE = { type: 'fake', version: '1.0.0' };
export const REPORT = {
  publicKey: PUBLIC_KEY,
  version: '0.1.0',
  hypervisor: { ...FAKE, hostname: '' },
  capabilities: ['extend-volume', 'power', 'protocol:local', 'format:raw', 'format:qcow2'],
  connectorProperties: { host: 'simulated' },
  capacity: { vcpus: 8, memoryMib: 16_384, diskGib: 100 },
};

type AnyCommand = Pick<ExtendVolume, 'token' | 'server'> & { readonly volume?: VolumeId; readonly disk?: VolumeDisk };

/** So that what a command does can be told from what another does. */
function inTheirCommand(handlers: HandlersOf<typeof computeRpc>): HandlersOf<typeof computeRpc> {
  const { ping, console_output, ...commands } = handlers;
  const entries = Object.entries(commands).map(([name, handler]) => {
    const run = handler as (command: AnyCommand, message: MessageFacts) => Promise<void>;
    return [
      name,
      (command: AnyCommand, message: MessageFacts) => {
        const { token, server, volume = command.disk?.volume ?? null } = command;
        return currentCommand.run({ token, server, volume }, run, command, message);
      },
    ];
  });
  return { ...(Object.fromEntries(entries) as typeof commands), ping, console_output };
}

function volumesFor(deployment: DeploymentIo, process: SimulatedProcess): VolumeService {
  const { clock, cinder, cinderFaults } = deployment;
  const io = { clock, chance: deployment.chance.of(`cinder for ${process.name}`), faults: cinderFaults };
  const entries = Object.entries(cinder.service).filter(([name]) => name !== 'volumesThatAre');
  const gated = entries.map(([name, method]) => {
    const run = method as (...args: readonly unknown[]) => Promise<unknown>;
    // The conductor asks under a lease at which it has looked in the same moment.
    const ask = (...args: readonly unknown[]) => {
      if (name === 'connectAttachment') cinder.connects(args[1] as AttachmentId);
      return callOutside(process, io, () => run(...args), undefined, 'sent at once');
    };
    return [name, ask];
  });
  return {
    ...(Object.fromEntries(gated) as VolumeService),
    async *volumesThatAre(status) {
      const pages = cinder.service.volumesThatAre(status)[Symbol.asyncIterator]();
      for (;;) {
        const page = await callOutside(process, io, () => pages.next());
        if (page.done === true) return;
        yield page.value;
      }
    },
  };
}

function failedToStart({ process }: RunningProcess, log: Log, error: unknown): void {
  log.error('the process ends', { error });
  process.die();
}
