import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connectors, createConnectors, type ProcessRunner, spawnRunner, type VolumeSecret } from '@novella/brick';
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
  type Bytes,
  bytes,
  type Clock,
  type ConnectionInfo,
  type ConnectionInfoOf,
  type HostName,
  type Log,
  NovellaError,
  type OperationId,
  seconds,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { ImageDirectory } from '@novella/image';
import { HostKey, seal } from '@novella/sealing';
import { FakeDriver, type VirtDriver } from '@novella/virt';
import { commandHandlers } from '../command-handlers.js';
import { EffectLocks } from '../effect-locks.js';
import { CacheFiles } from '../images/cache-files.js';
import { ImageCache } from '../images/image-cache.js';
import { InstanceFiles } from '../instance-files.js';
import { ImagePieces } from './image-pieces.js';
import { Journal } from '../journal.js';
import { sleeplessClock, standingClock } from './clocks.js';
import { type ConnectorFaults, faultyConnector } from './faulty-connector.js';
import { fileSize, likeQemu, withoutResize } from './like-qemu.js';
import { LUKS_HEADER, luksHeader } from './luks-header.js';
import { qcow2Header, setQcow2Size } from './qcow2-header.js';
import { RbdImagesInMemory } from './rbd-images.js';

export const SERVER = '5e7e0000-0000-4000-8000-000000000001' as ServerId;
export const OTHER_SERVER = '5e7e0000-0000-4000-8000-000000000002' as ServerId;
export const HOST = 'compute-1' as HostName;
export const MIB = 2 ** 20;
export const PASSPHRASE = 'ab'.repeat(32);
export const CEPHX_KEY = 'AQBg2wxrRvy9OBAA+iQ0jS7cM63tldhy75VYnw==';
export const NO_MESSAGE = { requestId: null, redelivered: false, userId: null };

export const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface TestHostOptions {
  /** A hypervisor that cannot grow disks. */
  readonly withoutResize?: boolean;
  /** What commands' limits and a guest's shutting down are measured by; time stands still without it. */
  readonly clock?: Clock;
}

/** Each step of a command waits for the journal to be on disk: thousands of them, in the test of broken steps alone. */
const IN_MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/**
 * A compute host on temporary files: the real journal, locks, host key, connector and image directory, and a hypervisor in
 * memory that treats files as QEMU does: a resize sets a raw file's length, and the size in a qcow2 file's header. In the
 * place of `qemu-img` is a stand-in that edits the header, in that of Ceph a cluster in memory.
 */
export async function testHost(options: TestHostOptions = {}): Promise<TestHost> {
  const folder = await realpath(await mkdtemp(join(IN_MEMORY, 'novella-compute-')));
  for (const name of ['volumes', 'images', 'state']) await mkdir(join(folder, name));
  const host = new TestHost(folder, options);
  await host.restart();
  return host;
}

interface VolumeKind {
  readonly format: 'raw' | 'qcow2';
  readonly shareable: boolean;
  /** With a LUKS header, which is part of the volume's size. */
  readonly encrypted: boolean;
}

/** Where a fault can be put; each is one effect or answer of the host. */
export interface HostFaults extends ConnectorFaults {
  /** Runs when QEMU has got a resize, before it sets the length. */
  beforeCut: () => Promise<void>;
  /** Runs when qemu-img was started; what it answers is the text of its failure. */
  qemuImg: () => Promise<string | null>;
  /** The conductor's queue refuses the next results. */
  report: Error | null;
}

export type TestVolume<Connection = ConnectionInfo> = VolumeDisk & { connection: Connection; path: string };

export class TestHost {
  readonly fake: FakeDriver;
  readonly virt: VirtDriver;
  readonly reports: OperationResult[] = [];
  readonly faults: HostFaults = {
    beforeCut: () => Promise.resolve(),
    qemuImg: () => Promise.resolve(null),
    connector: {},
    report: null,
  };
  readonly files: InstanceFiles;
  readonly connectors: Connectors;
  readonly images = new RbdImagesInMemory();
  /** What each connect was given. */
  readonly secrets: (VolumeSecret | null)[] = [];
  /** What conductors serve. */
  readonly pieces = new ImagePieces();
  imageCache!: ImageCache;
  hostKey!: HostKey;
  journal!: Journal;
  handlers!: HandlersOf<typeof computeRpc>;
  /** The process ends: what waits inside a command gives up. */
  stopping = new AbortController();
  /** Those of before a restart too: a killed process closes nothing. */
  readonly #journals: Journal[] = [];
  readonly #clock: Clock;
  #fence = 0;
  /** What guests are known to have seen, as the conductor's record has it. */
  readonly #seen = new Map<string, Bytes | null>();

  constructor(
    readonly folder: string,
    options: TestHostOptions,
  ) {
    this.#clock = options.clock ?? standingClock;
    this.fake = new FakeDriver({
      deviceSize: async (device, format) => {
        const size = await this.sizeOf(device);
        return format === 'luks' ? bytes(size - LUKS_HEADER) : size;
      },
      clock: this.#clock,
    });
    this.virt =
      options.withoutResize === true
        ? withoutResize(this.fake)
        : likeQemu(this.fake, this.images, () => this.faults.beforeCut());
    this.files = new InstanceFiles(this.stateDir, spawnRunner);
    const io = { clock: sleeplessClock(), runner: this.#runner };
    const { local, rbd } = createConnectors({
      local: { roots: [join(folder, 'volumes')], ...io },
      rbd: { cephDir: join(folder, 'ceph'), clock: io.clock, images: this.images },
    });
    const noteSecret = (secret: VolumeSecret | null): unknown => this.secrets.push(secret);
    this.connectors = {
      local: faultyConnector(local, this.faults, noteSecret),
      rbd: faultyConnector(rbd, this.faults, noteSecret),
    };
  }

  get stateDir(): string {
    return join(this.folder, 'state');
  }

  get cacheDir(): string {
    return join(this.stateDir, 'image-cache');
  }

  /** As after a crash: everything but the disk and the hypervisor is new. */
  async restart(): Promise<void> {
    this.journal = await Journal.open(this.stateDir);
    this.#journals.push(this.journal);
    this.hostKey = await HostKey.open(this.stateDir);
    this.stopping = new AbortController();
    this.imageCache = new ImageCache({
      files: await CacheFiles.open(this.cacheDir),
      open: this.pieces.open,
      limits: { most: bytes(64 * MIB), keepUnused: seconds(3600) },
      clock: this.#clock,
      log: quietLog,
    });
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
        hostKey: this.hostKey,
        images: new ImageDirectory(join(this.folder, 'images')),
        imageCache: this.imageCache,
        files: this.files,
        journal: this.journal,
        shutdownGrace: seconds(60),
        log: quietLog,
      },
      clock: this.#clock,
      signal: this.stopping.signal,
    });
  }

  async remove(): Promise<void> {
    await Promise.all(this.#journals.map((journal) => journal.close()));
    // A download that a test let go may still write.
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }

  /** A volume as a file of so many MiB; the number makes its id and device. */
  async volume(
    number: number,
    mib: number,
    { format = 'raw', shareable = false, encrypted = false }: Partial<VolumeKind> = {},
  ): Promise<TestVolume<ConnectionInfoOf<'local'>>> {
    const path = join(this.folder, 'volumes', `volume-${number}`);
    const header = encrypted ? luksHeader() : '';
    await writeFile(path, format === 'raw' ? header : qcow2Header(mib * MIB));
    if (format === 'raw') await truncate(path, mib * MIB);
    const attachment = `a0000000-0000-4000-8000-00000000000${number}` as AttachmentId;
    return {
      volume: `00000000-0000-4000-8000-00000000000${number}` as VolumeId,
      attachment,
      connection: { protocol: 'local', devicePath: path, format, accessMode: 'rw', encrypted },
      device: `vd${'abcdefgh'.charAt(number)}`,
      bus: 'virtio',
      shareable,
      sealedSecret: encrypted ? seal(this.hostKey.publicKey, { luks_passphrase: PASSPHRASE }, attachment) : null,
      path,
    };
  }

  /** A volume as an image of so many MiB in the cluster, whose user is let in with the key that comes with it. */
  rbdVolume(number: number, mib: number): TestVolume {
    const image = `volume-${number}`;
    this.images.sizes.set(`volumes/${image}`, mib * MIB);
    const attachment = `a0000000-0000-4000-8000-00000000000${number}` as AttachmentId;
    return {
      volume: `00000000-0000-4000-8000-00000000000${number}` as VolumeId,
      attachment,
      connection: {
        protocol: 'rbd',
        format: 'raw',
        pool: 'volumes',
        image,
        monitors: [{ host: '10.0.0.1', port: 6789 }],
        cluster: 'ceph',
        auth: { username: 'cinder', secretUuid: null },
        discard: true,
        accessMode: 'rw',
        encrypted: false,
      },
      device: `vd${'abcdefgh'.charAt(number)}`,
      bus: 'virtio',
      shareable: false,
      sealedSecret: seal(this.hostKey.publicKey, { keyring: CEPHX_KEY }, attachment),
      path: `volumes/${image}`,
    };
  }

  /** What the host has of a volume, or of another path. */
  async sizeOf({ path }: { readonly path: string }): Promise<Bytes> {
    return this.images.sizes.has(path) ? bytes(this.images.size(path)) : fileSize(path);
  }

  /** What the volume service does, to less as well. */
  async setSize({ connection, path }: TestVolume, mib: number): Promise<void> {
    if (connection.protocol === 'rbd') this.images.sizes.set(path, mib * MIB);
    else await truncate(path, mib * MIB);
  }

  token(fence = (this.#fence += 1), operation = 1): CommandToken {
    this.#fence = Math.max(this.#fence, fence);
    const id = `e0000000-0000-4000-8000-00000000000${operation}` as OperationId;
    return { operation: id, attempt: 1, generation: 1, fence };
  }

  build(volumes: readonly VolumeDisk[], more: Partial<BuildInstance> = {}): Promise<Outcome> {
    const server = more.server ?? SERVER;
    return this.outcome('build_instance', {
      token: this.token(),
      server,
      domainName: `instance-0000000${server.slice(-1)}`,
      displayName: 'one',
      projectId: 'project',
      vcpus: 1,
      memoryMib: 64,
      rootGib: 0,
      imageRef: null,
      images: null,
      rootBus: 'virtio',
      bootVolume: null,
      volumes: [...volumes],
      ...more,
    });
  }

  extend(disk: VolumeDisk, wantedMib: number, token = this.token(), server = SERVER): Promise<Outcome> {
    const { volume, attachment, connection, sealedSecret } = disk;
    const of = { server, volume, attachment, connection, sealedSecret };
    const seenBytes = this.#seen.get(`${server} ${volume}`) ?? null;
    return this.outcome('extend_volume', { token, ...of, wantedBytes: bytes(wantedMib * MIB), seenBytes });
  }

  attach(disk: VolumeDisk, token = this.token(), server = SERVER): Promise<Outcome> {
    return this.outcome('attach_volume', { token, server, disk });
  }

  detach(disk: VolumeDisk, token = this.token(), server = SERVER): Promise<Outcome> {
    return this.outcome('detach_volume', { token, server, disk });
  }

  delete(volumes: readonly VolumeDisk[], token = this.token(), server = SERVER): Promise<Outcome> {
    return this.outcome('delete_instance', { token, server, volumes: [...volumes] });
  }

  start(volumes: readonly VolumeDisk[], token = this.token(), server = SERVER): Promise<Outcome> {
    return this.outcome('start_instance', { token, server, volumes: [...volumes] });
  }

  stop(volumes: readonly VolumeDisk[], token = this.token(), server = SERVER): Promise<Outcome> {
    return this.outcome('stop_instance', { token, server, volumes: [...volumes] });
  }

  pause(volumes: readonly VolumeDisk[], token = this.token(), server = SERVER): Promise<Outcome> {
    return this.outcome('pause_instance', { token, server, volumes: [...volumes] });
  }

  unpause(volumes: readonly VolumeDisk[], token = this.token(), server = SERVER): Promise<Outcome> {
    return this.outcome('unpause_instance', { token, server, volumes: [...volumes] });
  }

  suspend(volumes: readonly VolumeDisk[], token = this.token(), server = SERVER): Promise<Outcome> {
    return this.outcome('suspend_instance', { token, server, volumes: [...volumes] });
  }

  resume(volumes: readonly VolumeDisk[], token = this.token(), server = SERVER): Promise<Outcome> {
    return this.outcome('resume_instance', { token, server, volumes: [...volumes] });
  }

  reboot(
    type: 'soft' | 'hard',
    volumes: readonly VolumeDisk[],
    token = this.token(),
    server = SERVER,
    seq = 1,
  ): Promise<Outcome> {
    return this.outcome('reboot_instance', { token, server, type, seq, volumes: [...volumes] });
  }

  /** What a guest sees of a volume, in MiB; null when it is off or the volume is not there. */
  async guestMib(disk: VolumeDisk, server = SERVER): Promise<number | null> {
    const guest = await this.fake.guest(server);
    const size = guest?.disks.find(({ volume }) => volume === disk.volume)?.guestBytes ?? null;
    return size === null ? null : size / MIB;
  }

  async outcome<Name extends Exclude<keyof HandlersOf<typeof computeRpc>, 'ping' | 'console_output'>>(
    name: Name,
    args: Parameters<HandlersOf<typeof computeRpc>[Name]>[0],
  ): Promise<Outcome> {
    const handler = this.handlers[name] as (command: typeof args, message: typeof NO_MESSAGE) => Promise<void>;
    const before = this.reports.length;
    await handler(args, NO_MESSAGE);
    const ofThis = ({ token }: OperationResult): boolean => token === args.token;
    const report = this.reports.slice(before).findLast(ofThis);
    if (report === undefined) throw new Error(`${name} reported nothing`);
    this.#record(name, args, report.outcome);
    return report.outcome;
  }

  #record(name: string, args: { readonly server: ServerId; readonly volume?: VolumeId }, outcome: Outcome): void {
    if (/pause|suspend|resume/.test(name)) return;
    const { volume } = args;
    const disks = 'disks' in outcome ? outcome.disks : 'disk' in outcome ? [outcome.disk] : [];
    const grown = outcome.status === 'grown' && volume !== undefined ? [{ ...outcome, volume }] : [];
    for (const disk of [...disks, ...grown]) this.#seen.set(`${args.server} ${disk.volume}`, disk.guestBytes);
  }

  #report(result: OperationResult): Promise<void> {
    const { report } = this.faults;
    this.faults.report = null;
    if (report !== null) return Promise.reject(report);
    this.reports.push(result);
    return Promise.resolve();
  }

  readonly #runner: ProcessRunner = {
    run: async (argv, options) => {
      if (argv[0] !== 'qemu-img') return spawnRunner.run(argv, options);
      const stderr = await this.faults.qemuImg();
      if (stderr !== null) return { code: 1, stdout: '', stderr };
      await setQcow2Size(argv.at(-2) ?? '', Number(argv.at(-1)));
      return { code: 0, stdout: '', stderr: '' };
    },
  };
}

export const broken = (): NovellaError => new NovellaError('hypervisor-unreachable', 'cut off by the test');
