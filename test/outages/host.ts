import { join } from 'node:path';
import type { Log, ServerId, VolumeId } from '@novella/core';
import { Health, type Program, Shutdown, systemClock, systemRandom } from '@novella/service-kit';
import { ComputeConfig } from '../../apps/compute/src/compute.config.js';
import { startCompute } from '../../apps/compute/src/start-compute.js';
import { watchedHypervisor } from './watched-hypervisor.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export interface HostOptions {
  readonly dir: string;
  /** With the host's own user. */
  readonly brokerUrls: readonly string[];
  readonly heartbeatS: number;
}

/** A compute in this process, on guests in memory that the test can look at. */
export class OutageHost {
  private readonly hypervisor = watchedHypervisor();
  private readonly program: Program = {
    clock: systemClock,
    random: systemRandom,
    log: silent,
    health: new Health(),
    shutdown: new Shutdown({ log: silent, clock: systemClock }),
  };

  private constructor(readonly name: string) {}

  static async start(name: string, { dir, brokerUrls, heartbeatS }: HostOptions): Promise<OutageHost> {
    const host = new OutageHost(name);
    const config = Object.assign(new ComputeConfig(), {
      host: name,
      brokerUrls: [...brokerUrls],
      brokerHeartbeatS: heartbeatS,
      stateDir: join(dir, name),
      imagesDir: join(dir, 'images'),
      volumeRoots: [join(dir, 'volumes')],
      virtDriver: 'fake',
      healthPort: 0,
    } as const);
    await startCompute(config, host.program, () => Promise.resolve(host.hypervisor.driver));
    return host;
  }

  async stop(): Promise<void> {
    await this.program.shutdown.run('the test is over');
  }

  /** What the guest sees of the volume. */
  async guestBytes(server: ServerId, volume: VolumeId): Promise<number> {
    const guest = await this.hypervisor.driver.guest(server);
    return guest?.disks.find((disk) => disk.volume === volume)?.guestBytes ?? 0;
  }

  /** The sizes of the volume that the hypervisor was told, in order. */
  toldSizes(volume: VolumeId): number[] {
    return this.hypervisor.told.filter((told) => told.volume === volume).map(({ size }) => size);
  }

  async isReady(): Promise<boolean> {
    return (await this.program.health.look()).state === 'ready';
  }
}
