import { AsyncLocalStorage } from 'node:async_hooks';
import { type Connectors, type HostDevice, isGrownByHost, RbdConnector, type ReachableVolume } from '@novella/brick';
import type { CommandToken } from '@novella/contracts';
import {
  type Bytes,
  type Clock,
  bytes,
  type ConnectionInfoOf,
  type HostName,
  millis,
  NovellaError,
  seconds,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { FakeDriver, type Guest, type VirtDriver } from '@novella/virt';
import { InstanceFiles } from '../../apps/compute/src/instance-files.js';
import { type CallFaults, callOutside } from './call-faults.js';
import type { Chance } from './chance.js';
import { StateDirectory } from './journal-in-memory.js';
import type { SimulatedProcess } from './process.js';
import type { Storage } from './storage.js';
import type { Trace } from './trace.js';

type LocalVolume = ReachableVolume<ConnectionInfoOf<'local'>>;

/** A change of a guest that was made through the hypervisor, with the command that it was for. */
export interface Effect {
  readonly method:
    | 'createGuest'
    | 'destroyGuest'
    | 'startGuest'
    | 'stopGuest'
    | 'pauseGuest'
    | 'unpauseGuest'
    | 'suspendGuest'
    | 'resumeGuest'
    | 'attachDisk'
    | 'detachDisk'
    | 'resizeDisk';
  readonly server: ServerId;
  readonly volume: VolumeId | null;
  readonly token: CommandToken | null;
  readonly before: Guest | null;
  readonly after: Guest | null;
}

export interface HostIo {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly storage: Storage;
  readonly hypervisorFaults: CallFaults;
  readonly deviceFaults: CallFaults;
  /** A command goes about to change something, as far as it knows. */
  readonly onStep: (command: CurrentCommand) => void;
  readonly onEffect: (effect: Effect) => void;
}

export interface CurrentCommand {
  readonly token: CommandToken;
  readonly server: ServerId;
  readonly volume: VolumeId | null;
}

/** Which command the code that runs now is for. */
export const currentCommand = new AsyncLocalStorage<CurrentCommand>();

/** One host with all that outlives its compute process: the hypervisor and its guests, devices, files, the journal. */
export class SimulatedHost {
  readonly hypervisor: FakeDriver;
  readonly directory: StateDirectory;
  /** Paths of volumes that are devices here. */
  readonly devices = new Set<string>();
  readonly folders = new Set<ServerId>();
  /** Calls wait for earlier ones of the same domain, as libvirt's jobs do. */
  private readonly jobs = new Map<ServerId, Promise<unknown>>();
  private readonly chance: Chance;

  constructor(
    readonly name: HostName,
    private readonly io: HostIo,
  ) {
    this.chance = io.chance.of(name);
    this.directory = new StateDirectory(this.chance.of('disk'));
    this.hypervisor = new FakeDriver({
      clock: io.clock,
      deviceSize: ({ path }: HostDevice) => attempt(() => io.storage.bytesOf(path)),
      growQcow2: (path, size) => attempt(() => io.storage.grow(path, size, millis(0))),
    });
    this.hypervisor.onPowerState((server, state) => io.trace.say(name, `guest ${short(server)} is ${state}`));
  }

  /** Power is lost: guests are off, and what was not on disk may be gone. */
  async losePower(): Promise<void> {
    this.directory.losePower();
    for (const { server, powerState } of await this.hypervisor.guests()) {
      // What was saved is on disk.
      if (powerState !== 'shutdown' && powerState !== 'saved') {
        await this.hypervisor.setPowerState(server, 'shutdown');
      }
    }
    this.devices.clear();
  }

  /** The hypervisor as one process reaches it. */
  driverFor(process: SimulatedProcess): VirtDriver {
    const { hypervisor: fake } = this;
    const ask = <T>(server: ServerId | null, work: () => Promise<T>): Promise<T> =>
      callOutside(process, this.faulty('hypervisor'), work, (run) => this.inLine(server, run));
    const act = <T>(method: Effect['method'], server: ServerId, volume: VolumeId | null, work: () => Promise<T>) => {
      const token = this.step()?.token ?? null;
      return ask(method === 'stopGuest' ? null : server, () => this.recorded({ method, server, volume, token }, work));
    };
    return {
      name: fake.name,
      hypervisor: () => ask(null, () => fake.hypervisor()),
      guests: () => ask(null, () => fake.guests()),
      guest: (server) => ask(server, () => fake.guest(server)),
      createGuest: (spec, keys) => act('createGuest', spec.server, null, () => fake.createGuest(spec, keys)),
      destroyGuest: (server) => act('destroyGuest', server, null, () => fake.destroyGuest(server)),
      startGuest: (server, keys) => act('startGuest', server, null, () => fake.startGuest(server, keys)),
      stopGuest: (server, grace, signal) => act('stopGuest', server, null, () => fake.stopGuest(server, grace, signal)),
      pauseGuest: (server) => act('pauseGuest', server, null, () => fake.pauseGuest(server)),
      unpauseGuest: (server) => act('unpauseGuest', server, null, () => fake.unpauseGuest(server)),
      suspendGuest: (server, signal) => act('suspendGuest', server, null, () => fake.suspendGuest(server, signal)),
      resumeGuest: (server, signal, keys) =>
        act('resumeGuest', server, null, () => fake.resumeGuest(server, signal, keys)),
      attachDisk: (server, disk, keys) =>
        act('attachDisk', server, disk.volume, () => fake.attachDisk(server, disk, keys)),
      detachDisk: (server, volume) => act('detachDisk', server, volume, () => fake.detachDisk(server, volume)),
      liveResize: {
        resizeDisk: (server, volume, size) =>
          act('resizeDisk', server, volume, () => fake.liveResize.resizeDisk(server, volume, size)),
      },
      onPowerState: (listener) => {
        fake.onPowerState((server, state) => process.receive(() => listener(server, state)));
      },
      close: () => Promise.resolve(),
    };
  }

  connectorsFor(process: SimulatedProcess, clock: Clock): Connectors {
    const { storage } = this.io;
    const call = <T>(work: () => T): Promise<T> => callOutside(process, this.faulty('device'), () => attempt(work));
    const size = ({ connection }: LocalVolume): Promise<Bytes> => call(() => storage.bytesOf(connection.devicePath));
    const local: Connectors['local'] = {
      connect: ({ connection }) => {
        this.step();
        return call(() => {
          storage.bytesOf(connection.devicePath);
          this.devices.add(connection.devicePath);
          const kind = connection.format === 'raw' ? 'block' : 'file';
          return { device: { kind, path: connection.devicePath }, keys: [] } as const;
        });
      },
      disconnect: (connection) => call(() => void this.devices.delete(connection.devicePath)),
      size,
      overhead: () => Promise.resolve(bytes(0)),
      async rescan(volume, wanted, signal) {
        if (isGrownByHost(volume.connection)) return size(volume);
        const end = clock.monotonic() + seconds(10);
        for (;;) {
          signal.throwIfAborted();
          const measured = await size(volume);
          if (measured >= wanted) return measured;
          if (clock.monotonic() >= end) {
            throw new NovellaError('host-device-too-small', 'too small', { wanted, measured });
          }
          await clock.sleep(seconds(1), signal);
        }
      },
      grow: ({ connection }, wanted) =>
        callOutside(process, this.faulty('device'), async () => {
          const path = connection.devicePath;
          const guests = await this.hypervisor.guests();
          const open = guests.some(({ run, disks }) => run !== null && disks.some((disk) => disk.path === path));
          if (open) throw new NovellaError('guest-busy', 'a process has the file open', { path });
          storage.grow(path, wanted, millis(0));
          return storage.bytesOf(path);
        }),
      restore: () => Promise.reject(new Error('no hypervisor sets the length of a device here')),
      isUsable: () => Promise.resolve(true),
    };
    return { local, rbd: new RbdConnector({ clock }) };
  }

  filesFor(process: SimulatedProcess): InstanceFiles {
    return new FilesInMemory(process, this.folders);
  }

  private step(): CurrentCommand | undefined {
    const command = currentCommand.getStore();
    if (command !== undefined) this.io.onStep(command);
    return command;
  }

  private faulty(what: 'hypervisor' | 'device') {
    const { clock, hypervisorFaults, deviceFaults } = this.io;
    return { clock, chance: this.chance, faults: what === 'hypervisor' ? hypervisorFaults : deviceFaults };
  }

  private inLine<T>(server: ServerId | null, run: () => Promise<T>): Promise<T> {
    if (server === null) return run();
    const before = this.jobs.get(server) ?? Promise.resolve();
    const mine = before.then(run, run);
    this.jobs.set(server, mine);
    return mine;
  }

  private async recorded<T>(of: Omit<Effect, 'before' | 'after'>, work: () => Promise<T>): Promise<T> {
    const before = await this.hypervisor.guest(of.server);
    const result = await work();
    const after = await this.hypervisor.guest(of.server);
    this.io.onEffect({ ...of, before, after });
    return result;
  }
}

/** What a server has on its host's disk: folders alone, as servers here boot from volumes. */
class FilesInMemory extends InstanceFiles {
  constructor(
    private readonly process: SimulatedProcess,
    private readonly folders: Set<ServerId>,
  ) {
    super('/state', { run: () => Promise.reject(new Error('no program is run here')) });
  }

  override makeFolder(server: ServerId): Promise<'made' | 'was-there'> {
    return this.process.call(() => {
      const isThere = this.folders.has(server);
      this.folders.add(server);
      return Promise.resolve(isThere ? 'was-there' : 'made');
    });
  }

  override remove(server: ServerId): Promise<void> {
    return this.process.call(() => {
      this.folders.delete(server);
      return Promise.resolve();
    });
  }
}

async function attempt<T>(work: () => T): Promise<T> {
  await Promise.resolve();
  return work();
}

export const short = (id: string): string => id.slice(0, 4);
