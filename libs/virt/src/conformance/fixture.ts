import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { type Bytes, bytes, type ServerId, type VolumeId } from '@novella/core';
import type { GuestDisk, GuestSpec, LiveResize, VirtDriver } from '../driver.js';
import { bootSector, FALLS_ASLEEP, type MachineCode, OBEYS_POWER_BUTTON } from './boot-sector.js';

/** A driver under test, and what no driver offers but its hypervisor can do. */
export interface DriverUnderTest {
  readonly driver: VirtDriver;
  addForeignDomain(uuid: string, name: string): Promise<void>;
  /** Done by somebody else than the driver. */
  powerOff(server: ServerId): Promise<void>;
  pause(server: ServerId): Promise<void>;
  resume(server: ServerId): Promise<void>;
  save(server: ServerId): Promise<void>;
  /** One that runs the code for it does so by itself. */
  fallAsleep(server: ServerId): Promise<void>;
  /** Guests without an operating system are: they do not hear that they shall shut down. */
  makeDeaf(server: ServerId): Promise<void>;
  /** Answers what ends the job. */
  startBlockJob(server: ServerId, disk: GuestDisk): Promise<() => Promise<void>>;
  createQcow2(path: string, size: Bytes): Promise<void>;
  close(): Promise<void>;
}

export const MIB = 2 ** 20;

export const code = (expected: string): object => expect.objectContaining({ code: expected });

/** One driver for all tests of a suite, with no guests at the start of each, and a folder for its disks. */
export class DriverFixture {
  under!: DriverUnderTest;
  folder!: string;
  private counter = 0;

  constructor(open: () => Promise<DriverUnderTest>) {
    beforeAll(async () => {
      this.under = await open();
    });
    afterAll(() => this.under.close());
    beforeEach(async () => {
      this.folder = await mkdtemp(join(tmpdir(), 'novella-virt-'));
    });
    afterEach(async () => {
      const guests = await this.driver.guests();
      await Promise.all(guests.map(({ server }) => this.driver.destroyGuest(server)));
      await rm(this.folder, { recursive: true, force: true });
    });
  }

  get driver(): VirtDriver {
    return this.under.driver;
  }

  newServer(): ServerId {
    return this.next('5e50e500') as ServerId;
  }

  async newDisk(mib: number, changes: Partial<GuestDisk> = {}): Promise<GuestDisk> {
    const volume = this.next('70100000') as VolumeId;
    const path = join(this.folder, volume);
    const source = { kind: 'file', path } as const;
    const plain = { format: 'raw', device: 'vdb', bus: 'virtio', shareable: false, readOnly: false } as const;
    const disk = { volume, source, ...plain, ...changes };
    if (disk.format === 'qcow2') {
      await this.under.createQcow2(disk.source.path, bytes(mib * MIB));
    } else {
      await writeFile(disk.source.path, '');
      await this.grow(disk, mib);
    }
    return disk;
  }

  spec(server: ServerId, changes: Partial<GuestSpec> = {}): GuestSpec {
    return {
      server,
      domainName: `instance-${server.slice(-8)}`,
      displayName: `<a> & "b" 'c' \u0007`,
      projectId: 'd0c0ffee',
      vcpus: 1,
      memoryMib: 64,
      kernel: null,
      rootDisk: null,
      bootVolume: null,
      disks: [],
      consolePath: join(this.folder, `${server}.console`),
      ...changes,
    };
  }

  async runningWith(...disks: GuestDisk[]): Promise<ServerId> {
    const server = this.newServer();
    await this.driver.createGuest(this.spec(server, { disks }));
    return server;
  }

  /** A running guest that does not listen. */
  async deafWith(...disks: GuestDisk[]): Promise<ServerId> {
    const server = await this.runningWith(...disks);
    await this.under.makeDeaf(server);
    return server;
  }

  /** A running guest that shuts down when it is asked. */
  obedient(): Promise<ServerId> {
    return this.booted(OBEYS_POWER_BUTTON);
  }

  /** A guest that has put itself to sleep. */
  async asleep(): Promise<ServerId> {
    const server = await this.booted(FALLS_ASLEEP);
    await this.under.fallAsleep(server);
    return server;
  }

  private async booted(code: MachineCode): Promise<ServerId> {
    const server = this.newServer();
    const path = join(this.folder, `root-${server}`);
    await writeFile(path, bootSector(code));
    await this.driver.createGuest(this.spec(server, { rootDisk: { path, format: 'raw', bus: 'virtio' } }));
    return server;
  }

  liveResize(): LiveResize {
    if (!this.driver.liveResize) throw new Error('the driver cannot resize a disk of a running guest');
    return this.driver.liveResize;
  }

  async guestBytes(server: ServerId, volume: VolumeId): Promise<Bytes | null | undefined> {
    return (await this.driver.guest(server))?.disks.find((disk) => disk.volume === volume)?.guestBytes;
  }

  /** What the volume service does. */
  async grow(disk: GuestDisk, mib: number): Promise<Bytes> {
    await truncate(disk.source.path, mib * MIB);
    return bytes(mib * MIB);
  }

  private next(kind: string): string {
    this.counter += 1;
    return `${kind}-0000-4000-8000-${String(this.counter).padStart(12, '0')}`;
  }
}
