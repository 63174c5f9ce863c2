import type { HostDevice } from '@novella/brick';
import { type Bytes, type Millis, NovellaError, type PowerState, type ServerId, type VolumeId } from '@novella/core';
import { newAlarm, realTime, type WaitClock } from './alarm.js';
import { refuseSharedQcow2, refuseWithoutKey } from './disk-rules.js';
import type { Guest, GuestDisk, GuestSpec, HypervisorFacts, LiveResize, VirtDriver, VolumeKey } from './driver.js';
import { asGuest, type FakeGuest, FakeGuests, type GuestKeep, type Resize } from './fake-guests.js';
import { Faults, type HeldCall } from './faults.js';
import { Locks } from './locks.js';

export interface FakeDriverOptions {
  /**
   * Measures a device of the host: a real stat, or a simulated host's. Of a qcow2 file the virtual size is wanted, which
   * its header tells; what the driver has grown it to it keeps itself.
   */
  readonly deviceSize: (device: HostDevice, format: GuestDisk['format']) => Promise<Bytes>;
  /** Grows a qcow2 file as QEMU does; without it the driver only remembers that it has grown. */
  readonly growQcow2?: (path: string, size: Bytes) => Promise<unknown>;
  readonly hypervisor?: Partial<HypervisorFacts>;
  /** Guests are in memory alone without it. */
  readonly keep?: GuestKeep;
  /** What `stopGuest` waits by; the machine's own time without it. */
  readonly clock?: WaitClock;
}

export type DriverMethod =
  | 'hypervisor'
  | 'guests'
  | 'guest'
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

export interface DriverCall {
  readonly method: DriverMethod;
  readonly server: ServerId | null;
  readonly volume: VolumeId | null;
}

const CALLS_KEPT = 1_000;

/**
 * A hypervisor in memory, for tests, load and simulation: it keeps its guests, and measures the host's devices when it
 * opens or resizes a disk, as a real one does. Its guests let go of a disk at once, and shut down at once when they are
 * asked unless they are deaf. It passes the same conformance suite as the libvirt driver. What follows `close` is for
 * the test that holds it.
 */
export class FakeDriver implements VirtDriver {
  readonly name = 'fake';
  readonly liveResize: LiveResize = {
    resizeDisk: (server, volume, size) =>
      this.answer({ method: 'resizeDisk', server, volume }, () =>
        this.model.resize(this.model.mustFind(server), volume, size),
      ),
  };
  /** The last 1,000 calls, in the order in which they came. */
  readonly calls: DriverCall[] = [];
  private readonly model: FakeGuests;
  private readonly faults = new Faults<DriverMethod>();
  private readonly listeners = new Set<(server: ServerId, powerState: PowerState) => void>();
  private readonly resizeListeners = new Set<(resize: Resize) => void>();
  private readonly stopsWaiting = new Set<() => void>();
  private readonly locks = new Locks();
  private reachable = true;

  constructor(private readonly options: FakeDriverOptions) {
    this.model = new FakeGuests(options, {
      powerState: (guest) => {
        this.stopsWaiting.forEach((ring) => ring());
        this.tell(guest);
      },
      resize: (resize) => this.resizeListeners.forEach((listener) => listener(resize)),
    });
  }

  hypervisor(): Promise<HypervisorFacts> {
    const facts = { type: 'fake', version: '1.0.0', hostname: 'fake', vcpus: 8, memoryMib: 16_384 };
    return this.answer({ method: 'hypervisor', server: null, volume: null }, () =>
      Promise.resolve({ ...facts, ...this.options.hypervisor }),
    );
  }

  guests(): Promise<Guest[]> {
    return this.answer({ method: 'guests', server: null, volume: null }, () =>
      Promise.resolve([...this.model.held.values()].map(asGuest)),
    );
  }

  guest(server: ServerId): Promise<Guest | null> {
    return this.answer({ method: 'guest', server, volume: null }, () => {
      const guest = this.model.find(server);
      return Promise.resolve(guest ? asGuest(guest) : null);
    });
  }

  createGuest(spec: GuestSpec, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return this.answer({ method: 'createGuest', server: spec.server, volume: null }, async () => {
      refuseSharedQcow2(spec.server, spec.disks);
      refuseWithoutKey(spec.server, spec.disks, keys);
      const guest = this.model.find(spec.server) ?? this.model.define(spec);
      await this.model.startIfOff(guest);
      return asGuest(guest);
    });
  }

  destroyGuest(server: ServerId): Promise<void> {
    return this.answer({ method: 'destroyGuest', server, volume: null }, () => {
      const guest = this.model.find(server);
      if (guest) this.model.destroy(guest);
      return Promise.resolve();
    });
  }

  startGuest(server: ServerId, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return this.change('startGuest', server, (guest) => {
      refuseWithoutKey(server, [...guest.disks.values()], keys);
      return this.model.startIfOff(guest);
    });
  }

  stopGuest(server: ServerId, grace: Millis, signal: AbortSignal): Promise<void> {
    // Others may act on the guest while it is waited for.
    return this.answer(
      { method: 'stopGuest', server, volume: null },
      () => this.stop(server, grace, signal),
      'no lock',
    );
  }

  pauseGuest(server: ServerId): Promise<Guest> {
    return this.change('pauseGuest', server, (guest) => {
      if (guest.powerState === 'running') this.model.changePowerState(guest, 'paused');
    });
  }

  unpauseGuest(server: ServerId): Promise<Guest> {
    return this.change('unpauseGuest', server, (guest) => {
      if (guest.powerState === 'paused') this.model.changePowerState(guest, 'running');
    });
  }

  /** Memory is saved at once, so nothing is left to be aborted. */
  suspendGuest(server: ServerId, signal: AbortSignal): Promise<Guest> {
    return this.change('suspendGuest', server, (guest) => {
      signal.throwIfAborted();
      if (guest.run === null) return;
      this.model.refuseWhileBusy(guest);
      this.model.changePowerState(guest, 'saved');
    });
  }

  resumeGuest(server: ServerId, signal: AbortSignal, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return this.change('resumeGuest', server, (guest) => {
      signal.throwIfAborted();
      refuseWithoutKey(server, [...guest.disks.values()], keys);
      return this.model.resume(guest);
    });
  }

  attachDisk(server: ServerId, disk: GuestDisk, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return this.answer({ method: 'attachDisk', server, volume: disk.volume }, async () => {
      refuseSharedQcow2(server, [disk]);
      refuseWithoutKey(server, [disk], keys);
      const guest = this.model.mustFind(server);
      await this.model.attach(guest, disk);
      return asGuest(guest);
    });
  }

  detachDisk(server: ServerId, volume: VolumeId): Promise<void> {
    return this.answer({ method: 'detachDisk', server, volume }, () => {
      const guest = this.model.find(server);
      if (guest) this.model.detach(guest, volume);
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

  /** Called for each resize of a disk that a running guest has, once it is done or refused. */
  onResize(listener: (resize: Resize) => void): void {
    this.resizeListeners.add(listener);
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
    const guest = this.model.mustFind(server);
    if (powerState === 'running') await this.model.resume(guest);
    else this.model.changePowerState(guest, powerState);
  }

  /** What the guest's kernel knows of the size of a disk; null: nothing, it is off. */
  knownBytes(server: ServerId, volume: VolumeId): Bytes | null {
    return this.model.mustFind(server).knownBytes.get(volume) ?? null;
  }

  /** From now on the guest does not listen, or listens again, when it is asked to shut down. */
  setDeaf(server: ServerId, isDeaf: boolean): void {
    this.model.mustFind(server).isDeaf = isDeaf;
  }

  /** A domain of somebody else's. */
  addForeignDomain(uuid: string, name: string): void {
    this.model.foreign.set(uuid, name);
  }

  /** As long as a block job or a migration runs on it, a disk cannot be resized nor its guest stopped. */
  setBusy(volume: VolumeId, busy: boolean): void {
    if (busy) this.model.busyVolumes.add(volume);
    else this.model.busyVolumes.delete(volume);
  }

  /** The hypervisor goes away, or comes back; guests go on, and after it every power state is told. */
  setReachable(reachable: boolean): void {
    const cameBack = reachable && !this.reachable;
    this.reachable = reachable;
    if (cameBack) for (const guest of this.model.held.values()) this.tell(guest);
  }

  private async answer<T>(call: DriverCall, work: () => Promise<T>, locked: 'lock' | 'no lock' = 'lock'): Promise<T> {
    this.calls.push(call);
    if (this.calls.length > CALLS_KEPT) this.calls.shift();
    const after = await this.faults.take(call.method);
    if (!this.reachable) throw unreachable();
    const lock = locked === 'lock' ? call.server : null;
    const result = await (lock === null ? work() : this.locks.hold(lock, work));
    await after();
    return result;
  }

  private change(
    method: DriverMethod,
    server: ServerId,
    work: (guest: FakeGuest) => Promise<void> | void,
  ): Promise<Guest> {
    return this.answer({ method, server, volume: null }, async () => {
      const guest = this.model.mustFind(server);
      await work(guest);
      return asGuest(guest);
    });
  }

  private async stop(server: ServerId, grace: Millis, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const guest = this.model.mustFind(server);
    const { run } = guest;
    if (guest.powerState === 'saved') this.model.changePowerState(guest, 'shutdown');
    if (run === null) return;
    this.model.refuseWhileBusy(guest);
    const canHear = guest.powerState === 'running' && grace > 0;
    if (canHear && guest.isDeaf) await this.untilRunEnds(guest, run, grace, signal);
    if (guest.run !== run) return;
    if (!this.reachable) throw unreachable();
    this.model.refuseWhileBusy(guest);
    this.model.changePowerState(guest, 'shutdown');
  }

  private async untilRunEnds(guest: FakeGuest, run: number, grace: Millis, signal: AbortSignal): Promise<void> {
    const { clock = realTime } = this.options;
    const alarm = newAlarm(clock);
    const look = (): void => {
      if (guest.run !== run) alarm.ring();
    };
    this.stopsWaiting.add(look);
    try {
      await alarm.sleep(grace, signal);
    } finally {
      this.stopsWaiting.delete(look);
    }
  }

  private tell(guest: FakeGuest): void {
    for (const listener of this.listeners) listener(guest.spec.server, guest.powerState);
  }
}

const unreachable = (): NovellaError => new NovellaError('hypervisor-unreachable', 'the hypervisor does not answer');
