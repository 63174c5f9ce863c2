import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnectors, RbdProcesses, spawnRunner } from '@novella/brick';
import type { BuildInstance, computeRpc, HandlersOf, OperationResult, Outcome, VolumeDisk } from '@novella/contracts';
import {
  bytes,
  type HostName,
  type Log,
  millis,
  type OperationId,
  seconds,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { ImageDirectory } from '@novella/image';
import { HostKey } from '@novella/sealing';
import { systemClock } from '@novella/service-kit';
import {
  GuestConsole,
  guestImages,
  type PrivateLibvirtd,
  startPrivateLibvirtd,
  temporaryDirectory,
  type TemporaryDirectory,
} from '@novella/testing';
import { type Guest, LibvirtDriver } from '@novella/virt';
import { commandHandlers } from '../../apps/compute/src/command-handlers.js';
import { EffectLocks } from '../../apps/compute/src/effect-locks.js';
import { InstanceFiles } from '../../apps/compute/src/instance-files.js';
import { Journal } from '../../apps/compute/src/journal.js';

type Handlers = HandlersOf<typeof computeRpc>;
type Command = Exclude<keyof Handlers, 'ping' | 'console_output'>;

const quiet: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const NO_MESSAGE = { requestId: null, redelivered: false, userId: null };
let lastFence = 0;

/** Its servers' images are in the directory, or in volumes. */
const NO_IMAGES = { hold: () => Promise.reject(new Error('no image is to be fetched')) };

/** A compute host with a libvirtd of its own: what a conductor would send is given to its handlers, and answered. */
export class CephHost {
  private readonly results: OperationResult[] = [];

  private constructor(
    private readonly folder: TemporaryDirectory,
    readonly libvirtd: PrivateLibvirtd,
    readonly driver: LibvirtDriver,
    readonly hostKey: HostKey,
    private readonly journal: Journal,
    private readonly files: InstanceFiles,
    private readonly handlers: (report: (result: OperationResult) => Promise<void>) => Handlers,
  ) {}

  /** `cephDir`: what the host has in the place of /etc/ceph. */
  static async start(name: string, cephDir: string): Promise<CephHost> {
    const folder = await temporaryDirectory();
    const stateDir = join(folder.path, 'state');
    await mkdir(stateDir);
    const libvirtd = await startPrivateLibvirtd();
    const driver = await LibvirtDriver.open({ socketPath: libvirtd.socketPath, domainType: 'qemu' });
    const [hostKey, journal, { imagesDir }] = await Promise.all([
      HostKey.open(stateDir),
      Journal.open(stateDir),
      guestImages(),
    ]);
    const runner = spawnRunner;
    const clock = systemClock;
    const files = new InstanceFiles(stateDir, runner);
    const connectors = createConnectors({
      local: { roots: [folder.path, '/dev/loop*'], clock, runner },
      rbd: {
        ...{ cephDir, clock, images: new RbdProcesses({ clusterTimeout: seconds(4) }) },
        ...{ rescanTimeout: seconds(1), rescanInterval: millis(100) },
      },
    });
    const io = {
      virt: driver,
      connectors,
      hostKey,
      images: new ImageDirectory(imagesDir),
      imageCache: NO_IMAGES,
      files,
      journal,
      log: quiet,
    };
    const handlers = (report: (result: OperationResult) => Promise<void>): Handlers =>
      commandHandlers({
        commands: {
          host: name as HostName,
          journal,
          locks: new EffectLocks(),
          conductor: { operation_result: report },
          log: quiet,
        },
        host: { ...io, shutdownGrace: seconds(0) },
        clock,
        signal: new AbortController().signal,
      });
    return new CephHost(folder, libvirtd, driver, hostKey, journal, files, handlers);
  }

  async stop(): Promise<void> {
    await this.driver.close();
    await this.libvirtd.stop();
    await this.journal.close();
    await this.folder.remove();
  }

  /** Volumes that are files may be here. */
  get volumesDir(): string {
    return this.folder.path;
  }

  build(server: ServerId, more: Partial<BuildInstance>): Promise<Outcome> {
    return this.carryOut('build_instance', {
      server,
      domainName: `instance-${server.slice(-8)}`,
      displayName: 'guest',
      projectId: 'project',
      vcpus: 1,
      memoryMib: 192,
      rootGib: 0,
      imageRef: null,
      images: null,
      rootBus: 'virtio',
      bootVolume: null,
      volumes: [],
      ...more,
    });
  }

  extend(server: ServerId, disk: VolumeDisk, mib: number): Promise<Outcome> {
    const { volume, attachment, connection, sealedSecret } = disk;
    const sizes = { wantedBytes: bytes(mib * 2 ** 20), seenBytes: null };
    return this.carryOut('extend_volume', { server, volume, attachment, connection, sealedSecret, ...sizes });
  }

  /** Runs a command as the newest for its server, and answers what was reported. */
  async carryOut<Name extends Command>(
    name: Name,
    args: Omit<Parameters<Handlers[Name]>[0], 'token'>,
  ): Promise<Outcome> {
    lastFence += 1;
    const operation = 'e0000000-0000-4000-8000-000000000001' as OperationId;
    const token = { operation, attempt: 1, generation: 1, fence: lastFence };
    const handler = this.handlers((result) => Promise.resolve(void this.results.push(result)))[name] as (
      command: object,
      message: typeof NO_MESSAGE,
    ) => Promise<void>;
    await handler({ ...args, token }, NO_MESSAGE);
    const result = this.results.findLast((one) => one.token.fence === token.fence);
    if (result === undefined) throw new Error(`${name} reported nothing`);
    return result.outcome;
  }

  console(server: ServerId): GuestConsole {
    return new GuestConsole(this.files.consolePath(server));
  }

  guest(server: ServerId): Promise<Guest | null> {
    return this.driver.guest(server);
  }

  async guestBytes(server: ServerId, volume: VolumeId): Promise<number | null | undefined> {
    return (await this.guest(server))?.disks.find((disk) => disk.volume === volume)?.guestBytes;
  }

  /** What somebody else does at the host's libvirt; answers what virsh says. */
  async virsh(...args: readonly string[]): Promise<string> {
    const uri = `qemu+unix:///system?socket=${this.libvirtd.socketPath}`;
    return (await promisify(execFile)('virsh', ['-q', '-c', uri, ...args])).stdout.trim();
  }

  /** The usage of each secret that libvirt holds. */
  async secrets(): Promise<string[]> {
    const lines = (await this.virsh('secret-list')).split('\n').filter((line) => line.trim() !== '');
    return lines.map((line) => line.trim().split(/\s+/).slice(1).join(' ')).sort();
  }
}
