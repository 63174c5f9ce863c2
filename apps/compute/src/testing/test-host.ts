import { mkdir, mkdtemp, realpath, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connectors, createConnectors, spawnRunner, type VolumeConnector } from '@novella/brick';
import type {
  BuildInstance,
  CommandToken,
  computeRpc,
  HandlersOf,
  OperationResult,
  Outcome,
  VolumeDisk,
} from '@novella/contracts';
import {
  type AttachmentId,
  bytes,
  type Clock,
  type HostName,
  type Log,
  millis,
  NovellaError,
  type OperationId,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { ImageDirectory } from '@novella/image';
import { FakeDriver, type VirtDriver } from '@novella/virt';
import { commandHandlers } from '../command-handlers.js';
import { EffectLocks } from '../effect-locks.js';
import { InstanceFiles } from '../instance-files.js';
import { Journal } from '../journal.js';

export const SERVER = '5e7e0000-0000-4000-8000-000000000001' as ServerId;
export const OTHER_SERVER = '5e7e0000-0000-4000-8000-000000000002' as ServerId;
export const HOST = 'compute-1' as HostName;
export const MIB = 2 ** 20;
export const NO_MESSAGE = { requestId: null, redelivered: false, userId: null };

export const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Time that passes by sleeping alone. */
export function sleeplessClock(): Clock {
  let now = 0;
  return {
    monotonic: () => millis(now),
    wallTime: () => new Date(now),
    sleep: (delay, signal) => {
      signal?.throwIfAborted();
      now += delay;
      return Promise.resolve();
    },
  };
}

export interface TestHostOptions {
  /** A hypervisor that cannot grow disks. */
  readonly withoutResize?: boolean;
}

/**
 * A compute host on temporary files: the real journal, locks, connector and image directory, and a hypervisor in memory
 * that treats raw files as QEMU does: a resize sets the file's length.
 */
export async function testHost(options: TestHostOptions = {}): Promise<TestHost> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'novella-compute-')));
  for (const name of ['volumes', 'images', 'state']) await mkdir(join(folder, name));
  const host = new TestHost(folder, options);
  await host.restart();
  return host;
}

/** Where a fault can be put; each is one effect or answer of the host. */
export interface HostFaults {
  /** Runs when QEMU has got a resize, before it sets the length. */
  beforeCut: () => Promise<void>;
  connector: Partial<Record<keyof VolumeConnector, Error>>;
  /** The conductor's queue refuses the next results. */
  report: Error | null;
}

export class TestHost {
  readonly fake = new FakeDriver({ deviceSize: async ({ path }) => bytes((await stat(path)).size) });
  readonly virt: VirtDriver;
  readonly reports: OperationResult[] = [];
  readonly faults: HostFaults = { beforeCut: () => Promise.resolve(), connector: {}, report: null };
  readonly files: InstanceFiles;
  readonly connectors: Connectors;
  journal!: Journal;
  handlers!: HandlersOf<typeof computeRpc>;
  /** Those of before a restart too: a killed process closes nothing. */
  readonly #journals: Journal[] = [];
  #fence = 0;

  constructor(
    readonly folder: string,
    options: TestHostOptions,
  ) {
    this.virt = options.withoutResize === true ? withoutResize(this.fake) : this.#likeQemu();
    this.files = new InstanceFiles(this.stateDir, spawnRunner);
    const { local } = createConnectors({
      local: { roots: [join(folder, 'volumes')], clock: sleeplessClock(), runner: spawnRunner },
    });
    this.connectors = { local: this.#faulty(local) };
  }

  get stateDir(): string {
    return join(this.folder, 'state');
  }

  /** As after a crash: everything but the disk and the hypervisor is new. */
  async restart(): Promise<void> {
    this.journal = await Journal.open(this.stateDir);
    this.#journals.push(this.journal);
    this.handlers = commandHandlers({
      commands: {
        host: HOST,
        journal: this.journal,
        locks: new EffectLocks(),
        conductor: { operation_result: (result) => this.#report(result) },
        log: quietLog,
      },
      host: {
        virt: this.virt,
        connectors: this.connectors,
        images: new ImageDirectory(join(this.folder, 'images')),
        files: this.files,
        journal: this.journal,
        log: quietLog,
      },
      clock: sleeplessClock(),
      signal: new AbortController().signal,
    });
  }

  async remove(): Promise<void> {
    await Promise.all(this.#journals.map((journal) => journal.close()));
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A volume as a raw file of so many MiB; the number makes its id and device. */
  async volume(number: number, mib: number): Promise<VolumeDisk & { path: string }> {
    const path = join(this.folder, 'volumes', `volume-${number}`);
    await writeFile(path, '');
    await truncate(path, mib * MIB);
    return {
      volume: `00000000-0000-4000-8000-00000000000${number}` as VolumeId,
      attachment: `a0000000-0000-4000-8000-00000000000${number}` as AttachmentId,
      connection: { protocol: 'local', devicePath: path, accessMode: 'rw', encrypted: false },
      device: `vd${'abcdefgh'.charAt(number)}`,
      bus: 'virtio',
      shareable: false,
      path,
    };
  }

  token(fence = (this.#fence += 1)): CommandToken {
    this.#fence = Math.max(this.#fence, fence);
    return { operation: 'e0000000-0000-4000-8000-000000000001' as OperationId, attempt: 1, generation: 1, fence };
  }

  build(volumes: readonly VolumeDisk[], more: Partial<BuildInstance> = {}): Promise<Outcome> {
    return this.outcome('build_instance', {
      token: this.token(),
      server: SERVER,
      domainName: 'instance-00000001',
      displayName: 'one',
      projectId: 'project',
      vcpus: 1,
      memoryMib: 64,
      rootGib: 0,
      imageRef: null,
      rootBus: 'virtio',
      bootVolume: null,
      volumes: [...volumes],
      ...more,
    });
  }

  extend(disk: VolumeDisk, wantedMib: number, token = this.token(), server = SERVER): Promise<Outcome> {
    const { volume, attachment, connection } = disk;
    const wantedBytes = bytes(wantedMib * MIB);
    return this.outcome('extend_volume', { token, server, volume, attachment, connection, wantedBytes });
  }

  attach(disk: VolumeDisk, token = this.token()): Promise<Outcome> {
    return this.outcome('attach_volume', { token, server: SERVER, disk });
  }

  detach(disk: VolumeDisk, token = this.token()): Promise<Outcome> {
    return this.outcome('detach_volume', { token, server: SERVER, disk });
  }

  delete(volumes: readonly VolumeDisk[], token = this.token()): Promise<Outcome> {
    return this.outcome('delete_instance', { token, server: SERVER, volumes: [...volumes] });
  }

  /** What a guest sees of a volume, in MiB; null when it is off or the volume is not there. */
  async guestMib(disk: VolumeDisk): Promise<number | null> {
    const guest = await this.fake.guest(SERVER);
    const size = guest?.disks.find(({ volume }) => volume === disk.volume)?.guestBytes ?? null;
    return size === null ? null : size / MIB;
  }

  async outcome<Name extends keyof HandlersOf<typeof computeRpc>>(
    name: Exclude<Name, 'ping'>,
    args: Parameters<HandlersOf<typeof computeRpc>[Name]>[0],
  ): Promise<Outcome> {
    const before = this.reports.length;
    const handler = this.handlers[name] as (command: typeof args, message: typeof NO_MESSAGE) => Promise<void>;
    await handler(args, NO_MESSAGE);
    const report = this.reports.slice(before).at(-1);
    if (report === undefined) throw new Error(`${name} reported nothing`);
    return report.outcome;
  }

  #report(result: OperationResult): Promise<void> {
    const { report } = this.faults;
    this.faults.report = null;
    if (report !== null) return Promise.reject(report);
    this.reports.push(result);
    return Promise.resolve();
  }

  #likeQemu(): VirtDriver {
    const resizeDisk: NonNullable<VirtDriver['liveResize']>['resizeDisk'] = async (server, volume, size) => {
      const guest = await this.fake.guest(server);
      const disk = guest?.disks.find((one) => one.volume === volume);
      await this.faults.beforeCut();
      if (disk !== undefined && size > (disk.guestBytes ?? 0)) await truncate(disk.path, size);
      return this.fake.liveResize.resizeDisk(server, volume, size);
    };
    return { ...withoutResize(this.fake), liveResize: { resizeDisk } };
  }

  /** Fails the next call of a method whose fault is set, before it does anything. */
  #faulty(connector: VolumeConnector): VolumeConnector {
    const fail = (method: keyof VolumeConnector) => {
      const { [method]: fault, ...others } = this.faults.connector;
      this.faults.connector = others;
      return fault;
    };
    const guard = async <T>(method: keyof VolumeConnector, run: () => Promise<T>): Promise<T> => {
      const fault = fail(method);
      if (fault !== undefined) throw fault;
      return run();
    };
    return {
      connect: (connection) => guard('connect', () => connector.connect(connection)),
      disconnect: (connection) => guard('disconnect', () => connector.disconnect(connection)),
      size: (connection) => guard('size', () => connector.size(connection)),
      rescan: (connection, wanted, signal) => guard('rescan', () => connector.rescan(connection, wanted, signal)),
    };
  }
}

/** A hypervisor that cannot grow a disk of a running guest. */
export const withoutResize = (fake: FakeDriver): VirtDriver => ({
  name: fake.name,
  hypervisor: () => fake.hypervisor(),
  guests: () => fake.guests(),
  guest: (server) => fake.guest(server),
  createGuest: (spec) => fake.createGuest(spec),
  destroyGuest: (server) => fake.destroyGuest(server),
  attachDisk: (server, disk) => fake.attachDisk(server, disk),
  detachDisk: (server, volume) => fake.detachDisk(server, volume),
  onPowerState: (listener) => fake.onPowerState(listener),
  close: () => fake.close(),
});

export const broken = (): NovellaError => new NovellaError('hypervisor-unreachable', 'cut off by the test');
