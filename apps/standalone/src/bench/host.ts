import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServerId, type VolumeId } from '@novella/core';
import { createLog, Health, type Program, Shutdown, systemClock, systemRandom } from '@novella/service-kit';
import type { FakeDriver, HeldCall, LiveResize } from '@novella/virt';
import { ComputeConfig } from '../../../compute/src/compute.config.js';
import { fakeHypervisor } from '../../../compute/src/hypervisor.js';
import { startCompute } from '../../../compute/src/start-compute.js';

export interface BenchHostOptions {
  readonly dir: string;
  readonly volumeRoots: string;
  /** With the host's own user. */
  readonly brokerUrl: string;
}

/** A compute in this process. Its hypervisor is in memory and tells when it is asked to grow a disk. */
export class BenchHost {
  private readonly asked = new Map<VolumeId, (at: number) => void>();
  private readonly driver = fakeHypervisor();
  private readonly program: Program;

  private constructor(readonly name: string) {
    const log = createLog({ name, level: 'warn' });
    const shutdown = new Shutdown({ log, clock: systemClock });
    this.program = { clock: systemClock, random: systemRandom, log, health: new Health(), shutdown };
  }

  static async start(name: string, { dir, volumeRoots, brokerUrl }: BenchHostOptions): Promise<BenchHost> {
    const host = new BenchHost(name);
    const stateDir = join(dir, name);
    await mkdir(stateDir);
    const config = Object.assign(new ComputeConfig(), {
      host: name,
      brokerUrls: [brokerUrl],
      stateDir,
      imagesDir: join(dir, 'images'),
      volumeRoots: [volumeRoots],
      virtDriver: 'fake',
      healthPort: 0,
      logLevel: 'warn',
    } as const);
    await startCompute(config, host.program, () => Promise.resolve(host.timedDriver()));
    return host;
  }

  async stop(): Promise<void> {
    await this.program.shutdown.run('the bench is over');
  }

  /** When the hypervisor is asked next to grow a disk of the volume, by performance.now(). */
  nextResize(volume: VolumeId): Promise<number> {
    return new Promise((resolve) => this.asked.set(volume, resolve));
  }

  /** The next grow does not come back until it is released. */
  hangNextResize(): HeldCall {
    return this.driver.hangNext('resizeDisk');
  }

  /** What the guest sees of the volume. */
  async guestBytes(server: ServerId, volume: VolumeId): Promise<number> {
    const guest = await this.driver.guest(server);
    return guest?.disks.find((disk) => disk.volume === volume)?.guestBytes ?? 0;
  }

  async isReady(): Promise<boolean> {
    return (await this.program.health.look()).state === 'ready';
  }

  private timedDriver(): FakeDriver {
    const { driver } = this;
    const resize = driver.liveResize.resizeDisk.bind(driver.liveResize);
    const liveResize: LiveResize = {
      resizeDisk: (server, volume, size) => {
        this.asked.get(volume)?.(performance.now());
        this.asked.delete(volume);
        return resize(server, volume, size);
      },
    };
    return Object.assign(driver, { liveResize });
  }
}
