import { mkdir } from 'node:fs/promises';
import type { Connectors, ProcessRunner } from '@novella/brick';
import type { ClientOf, computeRpc, conductorRpc, HandlersOf } from '@novella/contracts';
import { type Clock, type HostName, type Log, NovellaError, type Random } from '@novella/core';
import type { ImageService } from '@novella/image';
import type { VirtDriver } from '@novella/virt';
import { commandHandlers } from './command-handlers.js';
import { EffectLocks } from './effect-locks.js';
import { InstanceFiles } from './instance-files.js';
import { Journal } from './journal.js';
import { PowerStates } from './power-states.js';
import { ServiceReports } from './service-reports.js';
import { StateLock } from './state-lock.js';

export interface ComputeOptions {
  readonly host: HostName;
  /** The release, as the service list shows it. */
  readonly version: string;
  /** Journal, lock and instances; made when it is not there. */
  readonly stateDir: string;
  readonly virt: VirtDriver;
  readonly connectors: Connectors;
  /** os-brick's dict of this host, sent with each report. */
  readonly connectorProperties: Readonly<Record<string, unknown>>;
  readonly images: ImageService;
  readonly conductor: ClientOf<typeof conductorRpc>;
  readonly runner: ProcessRunner;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The state directory may be another's now: the process must end at once, without touching the host. */
  readonly onStateLost: () => void;
}

export interface Compute {
  /** What the RPC server of topic `compute` dispatches to. */
  readonly handlers: HandlersOf<typeof computeRpc>;
  /** Begins to report, and to tell power states. */
  start(): void;
  /** Refuses new commands, waits for those that run, reports `stopping`, lets go of the state directory. */
  stop(): Promise<void>;
}

/**
 * One compute on this host. Error `internal`, grade final: another holds the state directory. Error host-state-lost: its
 * journal is damaged.
 */
export async function createCompute(options: ComputeOptions): Promise<Compute> {
  const { host, stateDir, virt, conductor, clock, log } = options;
  await mkdir(stateDir, { recursive: true });
  const stateLost = new AbortController();
  const lock = await StateLock.take(stateDir, () => {
    log.error('the lock on the state directory was lost', { stateDir });
    stateLost.abort(new NovellaError('host-state-lost', 'the lock on the state directory was lost'));
    options.onStateLost();
  });
  const journal = await Journal.open(stateDir).catch(async (error: unknown) => {
    await lock.release();
    throw error;
  });

  const locks = new EffectLocks();
  const files = new InstanceFiles(stateDir, options.runner);
  const reports = new ServiceReports(options);
  const powerStates = new PowerStates({ host, conductor, clock, log });
  let stopped: Promise<void> | null = null;

  const stop = async (): Promise<void> => {
    await locks.close();
    await powerStates.stop();
    await reports.stop();
    await journal.close();
    await lock.release();
  };

  return {
    handlers: commandHandlers({
      commands: { host, journal, locks, conductor, log },
      host: { virt, connectors: options.connectors, images: options.images, files, journal, log },
      clock,
      signal: stateLost.signal,
    }),
    start() {
      virt.onPowerState((server, powerState) => powerStates.changed(server, powerState));
      reports.start();
    },
    stop: () => (stopped ??= stop()),
  };
}
