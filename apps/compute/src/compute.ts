import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connectors, ProcessRunner } from '@novella/brick';
import type { ClientOf, computeRpc, conductorRpc, HandlersOf } from '@novella/contracts';
import {
  type Clock,
  gib,
  gibToBytes,
  type HostName,
  type Log,
  type Millis,
  NovellaError,
  type Random,
  seconds,
} from '@novella/core';
import type { VirtDriver } from '@novella/virt';
import { commandHandlers, LONGEST_SHUTDOWN_GRACE } from './command-handlers.js';
import { ConsoleSpace } from './console-space.js';
import { EffectLocks } from './effect-locks.js';
import type { HostIo, SecretReader } from './host-io.js';
import { rememberHostName } from './host-name.js';
import { CacheFiles } from './images/cache-files.js';
import { ImageCache, type ImageCacheLimits } from './images/image-cache.js';
import { imageDownloads } from './images/image-download.js';
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
  readonly images: HostIo['images'];
  /** For images that conductors serve: 20 GiB and a day unless told. */
  readonly imageCache?: ImageCacheLimits;
  /** What secrets for this host are sealed to. */
  readonly hostKey: SecretReader & { readonly publicKey: string };
  /** How long a guest that is asked to shut down may take before it loses its power: 60 s unless told, at most 100 s. */
  readonly shutdownGrace?: Millis;
  readonly conductor: ClientOf<typeof conductorRpc>;
  /** Whether commands are known not to reach this host: it then reports nothing. */
  readonly isDeaf?: () => boolean;
  readonly runner: ProcessRunner;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The state directory may be another's now: the process must end at once, without touching the host. */
  readonly onStateLost: () => void;
}

/**
 * How many commands a compute takes from its queue at once (the RPC server's `prefetch`). More than may run, so that those
 * which wait for a server whose hypervisor does not answer leave room: a conductor sends one per volume of a server.
 */
export const COMMANDS_AT_ONCE = 64;

const SHUTDOWN_GRACE = seconds(60);
const IMAGE_CACHE: ImageCacheLimits = { most: gibToBytes(gib(20)), keepUnused: seconds(86_400) };

export interface Compute {
  /** What the RPC server of topic `compute` dispatches to. */
  readonly handlers: HandlersOf<typeof computeRpc>;
  /** Begins to report, and to tell power states. */
  start(): void;
  /** Refuses new commands, and ends what waits inside those that run: neither is reported, both come again. */
  beginStop(): void;
  /** `beginStop`, then waits for the commands that run, reports `stopping`, lets go of the state directory. */
  stop(): Promise<void>;
}

/**
 * One compute on this host. Error `internal`, grade final: another holds the state directory. Error host-renamed: it is of
 * a host of another name. Error host-state-lost: its journal is damaged.
 */
export async function createCompute(options: ComputeOptions): Promise<Compute> {
  const { host, stateDir, virt, conductor, clock, log, shutdownGrace = SHUTDOWN_GRACE } = options;
  if (shutdownGrace > LONGEST_SHUTDOWN_GRACE) {
    throw new RangeError(`a grace of ${shutdownGrace} ms is longer than ${LONGEST_SHUTDOWN_GRACE} ms`);
  }
  await mkdir(stateDir, { recursive: true });
  const stopping = new AbortController();
  const lock = await StateLock.take(stateDir, () => {
    log.error('the lock on the state directory was lost', { stateDir });
    stopping.abort(new NovellaError('host-state-lost', 'the lock on the state directory was lost'));
    options.onStateLost();
  });
  const journal = await openState(stateDir, host).catch(async (error: unknown) => {
    await lock.release();
    throw error;
  });

  const locks = new EffectLocks();
  const imageCache = new ImageCache({
    files: await CacheFiles.open(join(stateDir, 'image-cache')),
    open: imageDownloads(),
    limits: options.imageCache ?? IMAGE_CACHE,
    clock,
    log,
  });
  const files = new InstanceFiles(stateDir, options.runner);
  const reports = new ServiceReports(options);
  const consoles = new ConsoleSpace({ files, runner: options.runner, clock, log });
  const powerStates = new PowerStates({ host, conductor, clock, log });
  let stopped: Promise<void> | null = null;

  const beginStop = (): void => {
    stopping.abort(new NovellaError('internal', 'the compute is stopping'));
    void locks.close();
  };
  const stop = async (): Promise<void> => {
    beginStop();
    await locks.close();
    await imageCache.stop();
    await consoles.stop();
    await powerStates.stop();
    await reports.stop();
    await journal.close();
    await lock.release();
  };

  const { connectors, images, hostKey } = options;
  return {
    handlers: commandHandlers({
      commands: { host, journal, locks, conductor, log },
      host: { virt, connectors, images, imageCache, hostKey, shutdownGrace, files, journal, log },
      clock,
      signal: stopping.signal,
    }),
    start() {
      virt.onPowerState((server, powerState) => powerStates.changed(server, powerState));
      powerStates.start(() => virt.guests());
      reports.start();
      consoles.start();
      imageCache.start();
    },
    beginStop,
    stop: () => (stopped ??= stop()),
  };
}

async function openState(stateDir: string, host: HostName): Promise<Journal> {
  await rememberHostName(stateDir, host);
  return Journal.open(stateDir);
}
