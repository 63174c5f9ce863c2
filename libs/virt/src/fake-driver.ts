import type { HostDevice } from '@novella/brick';
import { type Bytes, NovellaError, type PowerState, type ServerId, type VolumeId } from '@novella/core';
import type { Guest, GuestDisk, GuestSpec, HypervisorFacts, LiveResize, VirtDriver } from './driver.js';
import { Faults, type HeldCall } from './faults.js';
import { hasLiveDisks } from './power-state.js';
import { Locks } from './locks.js';

export interface FakeDriverOptions {
  /** Measures a device of the host: a real stat, or a simulated host's. */
  readonly deviceSize: (device: HostDevice) => Promise<Bytes>;
  readonly hypervisor?: Partial<HypervisorFacts>;
}

export type DriverMethod =
  'hypervisor' | 'guests' | 'guest' | 'createGuest' | 'destroyGuest' | 'attachDisk' | 'detachDisk' | 'resizeDisk';

export interface DriverCall {
  readonly method: DriverMethod;
  readonly server: ServerId | null;
  readonly volume: VolumeId | null;
}

interface FakeGuest {
  readonly spec: GuestSpec;
  readonly disks: Map<VolumeId, GuestDisk>;
  /** What the running guest was told of each disk; empty when it is off. */
  readonly guestBytes: Map<VolumeId, Bytes>;
  powerState: PowerState;
}

const CALLS_KEPT = 1_000;

/**
 * A hypervisor in memory, for tests, load and simulation: it keeps its guests, and measures the host's devices when it
 * opens or resizes a disk, as a real one does. Its guests let go of a disk at once. It passes the same conformance suite
 * as the libvirt driver. What follows `close` is for the test that holds it.
 */
export class FakeDriver implements VirtDriver {
  readonly name = 'fake';
  readonly liveResize: LiveResize = {
    resizeDisk: (server, volume, size) =>
      this.answer({ method: 'resizeDisk', server, volume }, () => this.resizeDisk(server, volume, size)),
  };
  /** The last 1,000 calls, in the order in which they came. */
  readonly calls: DriverCall[] = [];
  private readonly held = new Map<ServerId, FakeGuest>();
  private readonly foreign = new Map<string, string>();
  private readonly busyVolumes = new Set<VolumeId>();
  private readonly faults = new Faults<DriverMethod>();
  private readonly listeners = new Set<(server: ServerId, powerState: PowerState) => void>();
  private readonly locks = new Locks();
  private reachable = true;

  constructor(private readonly options: FakeDriverOptions) {}

  hypervisor(): Promise<HypervisorFacts> {
    return this.answer({ method: 'hypervisor', server: null, volume: null }, () =>
      Promise.resolve({
        type: 'fake',
        version: '1.0.0',
        hostname: 'fake',
        vcpus: 8,
        memoryMib: 16_384,
        ...this.options.hypervisor,
      }),
    );
  }

  guests(): Promise<Guest[]> {
    return this.answer({ method: 'guests', server: null, volume: null }, () =>
      Promise.resolve([...this.held.values()].map(asGuest)),
    );
  }

  guest(server: ServerId): Promise<Guest | null> {
    return this.answer({ method: 'guest', server, volume: null }, () => {
      const guest = this.find(server);
      return Promise.resolve(guest ? asGuest(guest) : null);
    });
  }

  createGuest(spec: GuestSpec): Promise<Guest> {
    return this.answer({ method: 'createGuest', server: spec.server, volume: null }, async () => {
      const guest = this.find(spec.server) ?? this.define(spec);
      if (guest.powerState === 'shutdown' || guest.powerState === 'crashed') await this.start(guest);
      return asGuest(guest);
    });
  }

  destroyGuest(server: ServerId): Promise<void> {
    return this.answer({ method: 'destroyGuest', server, volume: null }, () => {
      const guest = this.find(server);
      if (guest && guest.powerState !== 'shutdown') this.changePowerState(guest, 'shutdown');
      this.held.delete(server);
      return Promise.resolve();
    });
  }

  attachDisk(server: ServerId, disk: GuestDisk): Promise<Guest> {
    return this.answer({ method: 'attachDisk', server, volume: disk.volume }, async () => {
      const guest = this.mustFind(server);
      if (!guest.disks.has(disk.volume)) {
        if ([...guest.disks.values()].some(({ device }) => device === disk.device)) {
          throw refused('another disk has that device name', { server, device: disk.device });
        }
        if (hasLiveDisks(guest.powerState)) guest.guestBytes.set(disk.volume, await this.openDevice(disk));
        guest.disks.set(disk.volume, disk);
      }
      return asGuest(guest);
    });
  }

  detachDisk(server: ServerId, volume: VolumeId): Promise<void> {
    return this.answer({ method: 'detachDisk', server, volume }, () => {
      const guest = this.find(server);
      guest?.disks.delete(volume);
      guest?.guestBytes.delete(volume);
      return Promise.resolve();
    });
  }

  onPowerState(listener: (server: ServerId, powerState: PowerState) => void): void {
    this.listeners.add(listener);
  }

  close(): Promise<void> {
    this.listeners.clear();
    return Promise.resolve();
  }

  /** The next call of `method` throws `error`: before anything was done, or after, when only the answer is lost. */
  failNext(method: DriverMethod, error: Error, moment: 'before' | 'after' = 'before'): void {
    this.faults.failNext(method, error, moment);
  }

  /** The next call of `method` stays where it is until it is released. */
  hangNext(method: DriverMethod, moment: 'before' | 'after' = 'before'): HeldCall {
    return this.faults.hangNext(method, moment);
  }

  /** What somebody else, or the guest itself, does to a guest: it is told as the hypervisor's event. */
  async setPowerState(server: ServerId, powerState: PowerState): Promise<void> {
    const guest = this.mustFind(server);
    if (powerState === 'running' && !hasLiveDisks(guest.powerState)) await this.start(guest);
    else this.changePowerState(guest, powerState);
  }

  /** A domain of somebody else's. */
  addForeignDomain(uuid: string, name: string): void {
    this.foreign.set(uuid, name);
  }

  /** As long as a block job or a migration runs on it, a disk cannot be resized. */
  setBusy(volume: VolumeId, busy: boolean): void {
    if (busy) this.busyVolumes.add(volume);
    else this.busyVolumes.delete(volume);
  }

  /** The hypervisor goes away, or comes back; guests go on, and after it every power state is told. */
  setReachable(reachable: boolean): void {
    const cameBack = reachable && !this.reachable;
    this.reachable = reachable;
    if (cameBack) for (const guest of this.held.values()) this.tell(guest);
  }

  private async answer<T>(call: DriverCall, work: () => Promise<T>): Promise<T> {
    this.calls.push(call);
    if (this.calls.length > CALLS_KEPT) this.calls.shift();
    const after = await this.faults.take(call.method);
    if (!this.reachable) throw new NovellaError('hypervisor-unreachable', 'the hypervisor does not answer');
    const result = await (call.server === null ? work() : this.locks.hold(call.server, work));
    await after();
    return result;
  }

  private find(server: ServerId): FakeGuest | null {
    if (this.foreign.has(server)) {
      throw new NovellaError('domain-not-ours', 'the domain of that uuid is not one of ours', { server });
    }
    return this.held.get(server) ?? null;
  }

  private mustFind(server: ServerId): FakeGuest {
    const guest = this.find(server);
    if (!guest) throw new NovellaError('domain-not-found', 'the hypervisor has no such domain', { server });
    return guest;
  }

  private define(spec: GuestSpec): FakeGuest {
    const names = [...this.foreign.values(), ...[...this.held.values()].map(({ spec: { domainName } }) => domainName)];
    if (names.includes(spec.domainName)) {
      const facts = { server: spec.server, domainName: spec.domainName };
      throw new NovellaError('domain-not-ours', 'another domain has that name', facts);
    }
    const disks = new Map(spec.disks.map((disk) => [disk.volume, disk]));
    const guest: FakeGuest = { spec, disks, guestBytes: new Map(), powerState: 'shutdown' };
    this.held.set(spec.server, guest);
    return guest;
  }

  private async start(guest: FakeGuest): Promise<void> {
    const opened = [...guest.disks.values()].map(async (disk) => [disk.volume, await this.openDevice(disk)] as const);
    for (const [volume, size] of await Promise.all(opened)) guest.guestBytes.set(volume, size);
    this.changePowerState(guest, 'running');
  }

  private async resizeDisk(server: ServerId, volume: VolumeId, size: Bytes): Promise<Bytes> {
    const guest = this.mustFind(server);
    const facts = { server, volume, wanted: size, powerState: guest.powerState };
    if (!hasLiveDisks(guest.powerState)) {
      throw refused('only the disk of a running or paused guest can be resized', facts);
    }
    const disk = guest.disks.get(volume);
    const before = guest.guestBytes.get(volume);
    if (!disk || before === undefined) {
      throw new NovellaError('guest-disk-missing', 'the guest has no disk of that volume', facts);
    }
    if (size <= before) return before;
    const hostBytes = await this.openDevice(disk);
    if (hostBytes < size) {
      const measured = { ...facts, hostBytes };
      throw new NovellaError('disk-cannot-grow', "the host's device is smaller than the wanted size", measured);
    }
    if (this.busyVolumes.has(volume)) {
      throw new NovellaError('guest-busy', 'a block job or a migration runs on the disk', facts);
    }
    guest.guestBytes.set(volume, size);
    return size;
  }

  private async openDevice(disk: GuestDisk): Promise<Bytes> {
    try {
      return await this.options.deviceSize(disk.source);
    } catch (error) {
      const facts = { volume: disk.volume, path: disk.source.path };
      throw new NovellaError('hypervisor-refused', "the host's device cannot be opened", facts, { cause: error });
    }
  }

  private changePowerState(guest: FakeGuest, powerState: PowerState): void {
    guest.powerState = powerState;
    if (!hasLiveDisks(powerState)) guest.guestBytes.clear();
    this.tell(guest);
  }

  private tell(guest: FakeGuest): void {
    for (const listener of this.listeners) listener(guest.spec.server, guest.powerState);
  }
}

function asGuest({ spec, disks, guestBytes, powerState }: FakeGuest): Guest {
  return {
    server: spec.server,
    powerState,
    disks: [...disks.values()].map(({ volume, device, source }) => ({
      volume,
      device,
      path: source.path,
      guestBytes: guestBytes.get(volume) ?? null,
    })),
  };
}

function refused(message: string, facts: Record<string, string | number>): NovellaError {
  return new NovellaError('hypervisor-refused', message, facts);
}
