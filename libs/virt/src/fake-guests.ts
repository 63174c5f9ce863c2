import type { HostDevice } from '@novella/brick';
import {
  type Bytes,
  bytes,
  type ErrorFacts,
  NovellaError,
  type PowerState,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import type { Guest, GuestDisk, GuestSpec } from './driver.js';
import { hasLiveDisks, isOff } from './power-state.js';

export interface FakeGuest {
  readonly spec: GuestSpec;
  readonly disks: Map<VolumeId, GuestDisk>;
  /** What the hypervisor shows of each disk; empty when the guest is off. */
  readonly guestBytes: Map<VolumeId, Bytes>;
  /** What the guest's kernel knows of each disk: as it was told last, also over the time that its memory is saved. */
  readonly knownBytes: Map<VolumeId, Bytes>;
  powerState: PowerState;
  run: number | null;
  /** Of all starts of this guest the last one, 0 before the first. */
  lastRun: number;
  /** It does not listen when it is asked to shut down. */
  isDeaf: boolean;
}

/** What guests are kept in, so that they are there again after the hypervisor's own end. */
export interface GuestKeep {
  load(): FakeGuest[];
  /** Durable against the death of the process when it returns. */
  put(guest: FakeGuest): void;
  remove(server: ServerId): void;
}

/** A resize that came to the hypervisor, with what the guest saw before and after it: the same when it was refused. */
export interface Resize {
  readonly server: ServerId;
  readonly volume: VolumeId;
  readonly from: Bytes;
  readonly to: Bytes;
}

export interface FakeHost {
  readonly deviceSize: (device: HostDevice, format: GuestDisk['format']) => Promise<Bytes>;
  readonly growQcow2?: (path: string, size: Bytes) => Promise<unknown>;
  readonly keep?: GuestKeep;
}

/** What a fake hypervisor holds and how it opens disks: as QEMU does, with its locks and its own growing of qcow2. */
export class FakeGuests {
  readonly held = new Map<ServerId, FakeGuest>();
  readonly foreign = new Map<string, string>();
  readonly busyVolumes = new Set<VolumeId>();
  /** By path: the size that a qcow2 file has from us, which no look at the host shows. */
  private readonly grownQcow2 = new Map<string, Bytes>();
  private runs = 0;

  constructor(
    private readonly host: FakeHost,
    private readonly on: {
      readonly powerState: (guest: FakeGuest) => void;
      readonly resize: (resize: Resize) => void;
    },
  ) {
    for (const guest of host.keep?.load() ?? []) {
      this.held.set(guest.spec.server, guest);
      this.runs = Math.max(this.runs, guest.lastRun);
    }
  }

  find(server: ServerId): FakeGuest | null {
    if (this.foreign.has(server)) {
      throw new NovellaError('domain-not-ours', 'the domain of that uuid is not one of ours', { server });
    }
    return this.held.get(server) ?? null;
  }

  mustFind(server: ServerId): FakeGuest {
    const guest = this.find(server);
    if (!guest) throw new NovellaError('domain-not-found', 'the hypervisor has no such domain', { server });
    return guest;
  }

  define(spec: GuestSpec): FakeGuest {
    const names = [...this.foreign.values(), ...[...this.held.values()].map(({ spec: { domainName } }) => domainName)];
    if (names.includes(spec.domainName)) {
      const facts = { server: spec.server, domainName: spec.domainName };
      throw new NovellaError('domain-not-ours', 'another domain has that name', facts);
    }
    const disks = new Map(spec.disks.map((disk) => [disk.volume, disk]));
    const off = { powerState: 'shutdown', run: null, lastRun: 0, isDeaf: false } as const;
    const guest: FakeGuest = { spec, disks, guestBytes: new Map(), knownBytes: new Map(), ...off };
    this.held.set(spec.server, guest);
    this.host.keep?.put(guest);
    return guest;
  }

  destroy(guest: FakeGuest): void {
    if (guest.powerState !== 'shutdown') this.changePowerState(guest, 'shutdown');
    this.held.delete(guest.spec.server);
    this.host.keep?.remove(guest.spec.server);
  }

  async startIfOff(guest: FakeGuest): Promise<void> {
    if (isOff(guest.powerState)) await this.powerOn(guest);
  }

  async powerOn(guest: FakeGuest): Promise<void> {
    const sizes = await this.openAll(guest);
    guest.knownBytes.clear();
    for (const [volume, size] of sizes) guest.knownBytes.set(volume, size);
    this.goOn(guest, sizes);
  }

  /** From its saved memory, in which its disks have the sizes of then; without any it boots. */
  async resume(guest: FakeGuest): Promise<void> {
    if (guest.powerState === 'paused') this.changePowerState(guest, 'running');
    else if (guest.powerState === 'saved') this.goOn(guest, await this.openAll(guest));
    else if (guest.powerState !== 'running') await this.powerOn(guest);
  }

  changePowerState(guest: FakeGuest, powerState: PowerState): void {
    guest.powerState = powerState;
    if (!hasLiveDisks(powerState)) guest.guestBytes.clear();
    if (isOff(powerState)) guest.run = null;
    if (powerState === 'shutdown' || powerState === 'crashed') guest.knownBytes.clear();
    this.host.keep?.put(guest);
    this.on.powerState(guest);
  }

  async attach(guest: FakeGuest, disk: GuestDisk): Promise<void> {
    if (guest.powerState === 'saved') throw busy(guest, disk.volume, 'a saved guest takes no disk');
    if (guest.disks.has(disk.volume)) return;
    if ([...guest.disks.values()].some(({ device }) => device === disk.device)) {
      throw refused('another disk has that device name', { server: guest.spec.server, device: disk.device });
    }
    if (hasLiveDisks(guest.powerState)) {
      const size = await this.open(guest, disk);
      guest.guestBytes.set(disk.volume, size);
      guest.knownBytes.set(disk.volume, size);
    }
    guest.disks.set(disk.volume, disk);
    this.host.keep?.put(guest);
  }

  /** A PCI device goes when the guest has answered, which a paused one cannot. */
  detach(guest: FakeGuest, volume: VolumeId): void {
    const { powerState } = guest;
    if (powerState === 'saved') throw busy(guest, volume, 'the disk is part of the saved guest');
    if (guest.disks.get(volume)?.bus === 'virtio' && (powerState === 'paused' || powerState === 'suspended')) {
      throw busy(guest, volume, 'a guest that does not run cannot let go of the disk');
    }
    guest.disks.delete(volume);
    guest.guestBytes.delete(volume);
    guest.knownBytes.delete(volume);
    this.host.keep?.put(guest);
  }

  async resize(guest: FakeGuest, volume: VolumeId, size: Bytes): Promise<Bytes> {
    const from = guest.guestBytes.get(volume);
    try {
      return await this.grow(guest, volume, size);
    } finally {
      const { server } = guest.spec;
      if (from !== undefined) this.on.resize({ server, volume, from, to: guest.guestBytes.get(volume) ?? from });
    }
  }

  private async grow(guest: FakeGuest, volume: VolumeId, size: Bytes): Promise<Bytes> {
    const facts = { server: guest.spec.server, volume, wanted: size, powerState: guest.powerState };
    if (!hasLiveDisks(guest.powerState)) {
      throw refused('only the disk of a running or paused guest can be resized', facts);
    }
    const disk = guest.disks.get(volume);
    const before = guest.guestBytes.get(volume);
    if (!disk || before === undefined) {
      throw new NovellaError('guest-disk-missing', 'the guest has no disk of that volume', facts);
    }
    if (size < before) return before;
    if (disk.format === 'raw') refuseToSetLength(disk, size, await this.measure(disk), facts);
    if (disk.readOnly) throw new NovellaError('disk-cannot-grow', 'the disk is read-only', facts);
    if (this.busyVolumes.has(volume)) {
      throw new NovellaError('guest-busy', 'a block job or a migration runs on the disk', facts);
    }
    if (disk.format === 'qcow2') {
      await this.host.growQcow2?.(disk.source.path, size);
      this.grownQcow2.set(disk.source.path, size);
    }
    guest.guestBytes.set(volume, size);
    guest.knownBytes.set(volume, size);
    this.host.keep?.put(guest);
    return size;
  }

  refuseWhileBusy({ spec: { server }, disks }: FakeGuest): void {
    if (![...disks.keys()].some((volume) => this.busyVolumes.has(volume))) return;
    throw new NovellaError('guest-busy', 'a migration, a backup or a block job of the guest is under way', { server });
  }

  private goOn(guest: FakeGuest, sizes: readonly (readonly [VolumeId, Bytes])[]): void {
    for (const [volume, size] of sizes) guest.guestBytes.set(volume, size);
    guest.lastRun = guest.run ??= this.runs += 1;
    this.changePowerState(guest, 'running');
  }

  private openAll(guest: FakeGuest): Promise<(readonly [VolumeId, Bytes])[]> {
    return Promise.all(
      [...guest.disks.values()].map(async (disk) => [disk.volume, await this.open(guest, disk)] as const),
    );
  }

  private async open(guest: FakeGuest, disk: GuestDisk): Promise<Bytes> {
    const size = await this.measure(disk);
    for (const other of this.held.values()) {
      if (other !== guest && hasLiveDisks(other.powerState)) refuseLocked(disk, [...other.disks.values()]);
    }
    return size;
  }

  private async measure({ volume, source, format }: GuestDisk): Promise<Bytes> {
    try {
      const size = await this.host.deviceSize(source, format);
      return bytes(Math.max(size, this.grownQcow2.get(source.path) ?? 0));
    } catch (error) {
      const facts = { volume, path: source.path };
      throw new NovellaError('hypervisor-refused', "the host's device cannot be opened", facts, { cause: error });
    }
  }
}

export function asGuest({ spec, disks, guestBytes, powerState, run }: FakeGuest): Guest {
  return {
    server: spec.server,
    powerState,
    run,
    disks: [...disks.values()].map(({ volume, device, source }) => ({
      volume,
      device,
      path: source.path,
      guestBytes: guestBytes.get(volume) ?? null,
    })),
  };
}

/** QEMU's lock on an image: several readers, or several writers that all said so. */
function refuseLocked(disk: GuestDisk, held: readonly GuestDisk[]): void {
  const holder = held.find(({ source }) => source.path === disk.source.path);
  if (!holder || (holder.shareable && disk.shareable) || (holder.readOnly && disk.readOnly)) return;
  throw refused('another guest holds the lock of the image', { volume: disk.volume, path: disk.source.path });
}

function refuseToSetLength({ source }: GuestDisk, size: Bytes, hostBytes: Bytes, facts: ErrorFacts): void {
  const measured = { ...facts, hostBytes };
  if (hostBytes < size) {
    throw new NovellaError('disk-cannot-grow', "the host's device is smaller than the wanted size", measured);
  }
  if (hostBytes > size && source.kind === 'file') {
    throw refused('the file is larger than the wanted size and would be cut', measured);
  }
}

const busy = ({ spec: { server }, powerState }: FakeGuest, volume: VolumeId, message: string): NovellaError =>
  new NovellaError('guest-busy', message, { server, volume, powerState });

const refused = (message: string, facts: ErrorFacts): NovellaError =>
  new NovellaError('hypervisor-refused', message, facts);
