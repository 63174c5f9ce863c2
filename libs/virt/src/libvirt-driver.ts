import { rm } from 'node:fs/promises';
import { sizeOfPath } from '@novella/brick';
import {
  type Log,
  type Millis,
  NovellaError,
  parseServerId,
  type PowerState,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { type DomainRef, LibvirtClient, LIFECYCLE } from '@novella/libvirt';
import { realTime, type WaitClock } from './alarm.js';
import { refuseSharedQcow2 } from './disk-rules.js';
import type { Guest, GuestDisk, GuestSpec, HypervisorFacts, LiveResize, VirtDriver, VolumeKey } from './driver.js';
import { diskAlias, diskXml, type DomainOptions, domainXml, freeScsiUnits } from './domain-xml.js';
import type { VolumeDisk } from './domain-read.js';
import { detachFromGuest, type DetachLimits } from './libvirt-detach.js';
import { domainRef, type FoundDomain, LibvirtDomains, XML } from './libvirt-domains.js';
import { isLibvirtError, translated } from './libvirt-faults.js';
import { resizeLiveDisk } from './libvirt-resize.js';
import { LibvirtSecrets } from './libvirt-secrets.js';
import { stopGuest, type StopIo, type StopLimits, untilEnded } from './libvirt-stop.js';
import { pauseGuest, resumeGuest, suspendGuest, type SuspendIo, unpauseGuest } from './libvirt-suspend.js';
import { hasLiveDisks, isOff, powerStateAfter } from './power-state.js';
import { Locks } from './locks.js';

export interface LibvirtDriverOptions {
  readonly socketPath: string;
  readonly domainType: 'qemu' | 'kvm';
  readonly emulator?: string;
  readonly machine?: string;
  readonly pciRootPorts?: number;
  readonly detach?: Partial<DetachLimits>;
  readonly stop?: Partial<StopLimits>;
  /** What a stop waits by; the machine's own time without it. */
  readonly clock?: WaitClock;
  readonly callTimeoutMs?: number;
  readonly log?: Log;
}

const MODIFY = { live: 1, config: 2 } as const;
const FORGET_SAVED_MEMORY = 8;
/** Longer than any command: a guest's memory is written as fast as the host's disk takes it. */
const SLOW_CALL_MS = 900_000;
/** Managed save, snapshots' and checkpoints' metadata, NVRAM: nothing of a server that is gone stays behind. */
const UNDEFINE_ALL = 1 | 2 | 4 | 16;

/**
 * Guests as libvirt's QEMU domains. Mirrors nova:virt/libvirt/driver.py and guest.py, but reads back what it changed.
 * Calls that do not depend on each other are sent together: a round trip costs more than the work.
 */
export class LibvirtDriver implements VirtDriver {
  readonly name = 'libvirt';
  readonly liveResize: LiveResize = {
    // One at a time: between its look and its change another one could make the disk larger, and it then smaller.
    resizeDisk: (server, volume, size) =>
      translated({ server, volume, wanted: size }, () =>
        this.locks.hold(`${server} ${volume}`, () =>
          resizeLiveDisk({ client: this.client, domains: this.domains, hostSize: sizeOfPath }, server, volume, size),
        ),
      ),
  };
  private readonly client: LibvirtClient;
  private readonly domains: LibvirtDomains;
  private readonly secrets: LibvirtSecrets;
  private readonly locks = new Locks();
  private readonly domainOptions: DomainOptions;
  private readonly detachLimits: DetachLimits;
  private readonly stopIo: StopIo;
  private readonly slowClient: LibvirtClient;
  private readonly suspendIo: SuspendIo;
  private readonly powerStateListeners = new Set<(server: ServerId, powerState: PowerState) => void>();
  /** Starting a guest alone brings two events: only changes are told. */
  private readonly powerStateTold = new Map<ServerId, PowerState>();
  private eventsHandled: Promise<void> = Promise.resolve();

  private constructor(options: LibvirtDriverOptions) {
    const { socketPath, callTimeoutMs } = options;
    this.client = new LibvirtClient(callTimeoutMs === undefined ? { socketPath } : { socketPath, callTimeoutMs });
    this.domains = new LibvirtDomains(this.client);
    this.secrets = new LibvirtSecrets(this.client);
    this.domainOptions = {
      domainType: options.domainType,
      emulator: options.emulator ?? '/usr/bin/qemu-system-x86_64',
      machine: options.machine ?? 'q35',
      pciRootPorts: options.pciRootPorts ?? 16,
    };
    this.detachLimits = { waitMs: 20_000, attempts: 8, ...options.detach };
    this.slowClient = new LibvirtClient({ socketPath, callTimeoutMs: SLOW_CALL_MS });
    const { client, domains, locks, slowClient } = this;
    const clock = options.clock ?? realTime;
    this.stopIo = { client, domains, locks, clock, limits: { askAgainMs: 10_000, ...options.stop } };
    this.suspendIo = { client, slowClient, domains, clock };
    const report = (work: () => Promise<void>): void => {
      this.eventsHandled = this.eventsHandled.then(work).catch((error: unknown) => {
        options.log?.warn('a power state could not be read; the next event or listing brings it', { error });
      });
    };
    this.client.on('lifecycle', ({ domain, event, detail }) => report(() => this.onLifecycle(domain, event, detail)));
    this.client.onReconnected(() => report(() => this.tellAllPowerStates()));
  }

  /**
   * Connects; afterwards the driver reconnects by itself. Error hypervisor-unreachable when libvirt is away now: it then
   * holds nothing and can be opened again.
   */
  static async open(options: LibvirtDriverOptions): Promise<LibvirtDriver> {
    const driver = new LibvirtDriver(options);
    try {
      await driver.client.connect();
    } catch (error) {
      await driver.close();
      throw error;
    }
    return driver;
  }

  async hypervisor(): Promise<HypervisorFacts> {
    return translated({}, async () => {
      const [{ type }, { version }, { hostname }, node] = await Promise.all([
        this.client.call('connectGetType', undefined),
        this.client.call('connectGetVersion', undefined),
        this.client.call('connectGetHostname', undefined),
        this.client.call('nodeGetInfo', undefined),
      ]);
      const number = Number(version);
      return {
        type,
        version: [Math.floor(number / 1_000_000), Math.floor(number / 1_000) % 1_000, number % 1_000].join('.'),
        hostname,
        vcpus: node.cpus,
        memoryMib: Number(node.memory / 1024n),
      };
    });
  }

  guests(): Promise<Guest[]> {
    return translated({}, () => this.domains.guests());
  }

  guest(server: ServerId): Promise<Guest | null> {
    return translated({ server }, () => this.domains.guest(server));
  }

  async createGuest(spec: GuestSpec, keys: readonly VolumeKey[] = []): Promise<Guest> {
    const { server } = spec;
    return translated({ server }, () =>
      this.locks.hold(server, async () => {
        refuseSharedQcow2(server, spec.disks);
        const found = await this.domains.find(server);
        if (!found) await this.define(spec, keys);
        if (!found || isOff(found.powerState)) await this.start(server, found, keys);
        return this.mustRead(server);
      }),
    );
  }

  startGuest(server: ServerId, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return this.changed(server, async () => {
      const found = await this.domains.find(server);
      if (!found) throw notFound(server);
      if (isOff(found.powerState)) await this.start(server, found, keys);
    });
  }

  stopGuest(server: ServerId, grace: Millis, signal: AbortSignal): Promise<void> {
    return translated({ server }, () => stopGuest(this.stopIo, server, grace, signal));
  }

  pauseGuest(server: ServerId): Promise<Guest> {
    return this.changed(server, () => pauseGuest(this.suspendIo, server));
  }

  unpauseGuest(server: ServerId): Promise<Guest> {
    return this.changed(server, () => unpauseGuest(this.suspendIo, server));
  }

  suspendGuest(server: ServerId, signal: AbortSignal): Promise<Guest> {
    return this.changed(server, () => suspendGuest(this.suspendIo, server, signal));
  }

  resumeGuest(server: ServerId, signal: AbortSignal, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return this.changed(server, async () => {
      const found = await this.domains.find(server);
      if (found) await this.secrets.renew(server, found.volumeDisks, keys);
      await resumeGuest(this.suspendIo, server, signal);
    });
  }

  async destroyGuest(server: ServerId): Promise<void> {
    const domain = domainRef(server);
    await translated({ server }, () =>
      this.locks.hold(server, async () => {
        const found = await this.domains.find(server);
        if (!found) return this.secrets.remove(server);
        await this.unless(['operationInvalid', 'noDomain'], () =>
          this.client.call('domainDestroyFlags', { domain, flags: 0 }),
        );
        await this.unless(['noDomain'], () => this.client.call('domainUndefineFlags', { domain, flags: UNDEFINE_ALL }));
        await this.secrets.remove(server);
        if (found.consolePath !== null) await rm(found.consolePath, { force: true });
      }),
    );
  }

  async attachDisk(server: ServerId, disk: GuestDisk, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return translated({ server, volume: disk.volume }, () =>
      this.locks.hold(server, async () => {
        refuseSharedQcow2(server, [disk]);
        const [live, config] = await Promise.all([this.domains.find(server), this.domains.find(server, XML.inactive)]);
        if (!live || !config) throw notFound(server);
        if (live.powerState === 'saved') {
          // What was saved has a definition of its own, with the disks of then.
          throw new NovellaError('guest-busy', 'a saved guest takes no disk', { server, volume: disk.volume });
        }
        const has = (disks: readonly VolumeDisk[]): boolean => disks.some(({ volume }) => volume === disk.volume);
        const intoLive = hasLiveDisks(live.powerState) && !has(live.volumeDisks) ? MODIFY.live : 0;
        const intoConfig = has(config.volumeDisks) ? 0 : MODIFY.config;
        const flags = intoLive | intoConfig;
        if (flags !== 0) {
          const [unit = null] = freeScsiUnits([...live.scsiUnits, ...config.scsiUnits], 1);
          const secrets = await this.secrets.provide(server, [disk], keys);
          const xml = diskXml({ disk, unit: disk.bus === 'scsi' ? unit : null }, false, secrets);
          try {
            await this.client.call('domainAttachDeviceFlags', { domain: domainRef(server), xml, flags });
          } catch (error) {
            // Nobody would ask for them to go with a disk that never came; a start makes them anew if it did.
            await this.secrets.remove(server, disk.volume).catch(() => undefined);
            throw error;
          }
        }
        const guest = await this.mustRead(server);
        if (guest.disks.some(({ volume }) => volume === disk.volume)) return guest;
        const facts = { server, volume: disk.volume };
        throw new NovellaError('guest-disk-missing', 'libvirt took the disk, but the guest does not have it', facts);
      }),
    );
  }

  async detachDisk(server: ServerId, volume: VolumeId): Promise<void> {
    await translated({ server, volume, alias: diskAlias(volume) }, async () => {
      await detachFromGuest({ client: this.client, domains: this.domains, limits: this.detachLimits }, server, volume);
      await this.secrets.remove(server, volume);
    });
  }

  onPowerState(listener: (server: ServerId, powerState: PowerState) => void): void {
    this.powerStateListeners.add(listener);
  }

  async close(): Promise<void> {
    this.powerStateListeners.clear();
    await Promise.all([this.client.close(), this.slowClient.close()]);
  }

  private async define(spec: GuestSpec, keys: readonly VolumeKey[]): Promise<void> {
    const named = await this.domains.uuidOfName(spec.domainName);
    if (named !== null && named !== spec.server) {
      const facts = { server: spec.server, domainName: spec.domainName, uuid: named };
      throw new NovellaError('domain-not-ours', 'another domain has that name', facts);
    }
    const secrets = await this.secrets.provide(spec.server, spec.disks, keys);
    await this.client.call('domainDefineXmlFlags', { xml: domainXml(spec, this.domainOptions, secrets), flags: 0 });
  }

  private async start(server: ServerId, found: FoundDomain | null, keys: readonly VolumeKey[]): Promise<void> {
    if (found && found.id !== null) await untilEnded(this.stopIo, server, found);
    if (found) await this.secrets.renew(server, found.volumeDisks, keys);
    // Refused as invalid when somebody else has started it meanwhile: what is there is read afterwards.
    await this.unless(['operationInvalid'], () =>
      this.client.call('domainCreateWithFlags', { domain: domainRef(server), flags: FORGET_SAVED_MEMORY }),
    );
  }

  /** Nothing else that we do to the guest comes between the change and the look at what it has led to. */
  private changed(server: ServerId, change: () => Promise<void>): Promise<Guest> {
    return translated({ server }, () =>
      this.locks.hold(server, async () => {
        await change();
        return this.mustRead(server);
      }),
    );
  }

  private async mustRead(server: ServerId): Promise<Guest> {
    const guest = await this.domains.guest(server);
    if (!guest) throw notFound(server);
    return guest;
  }

  private async unless(tolerated: Parameters<typeof isLibvirtError>[1][], work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isLibvirtError(error, ...tolerated)) throw error;
    }
  }

  private async onLifecycle(domain: DomainRef, event: number, detail: number): Promise<void> {
    const server = parseServerId(domain.uuid);
    if (server !== null && event === LIFECYCLE.undefined) {
      this.domains.forget(server);
      this.powerStateTold.delete(server);
    }
    let powerState = powerStateAfter(event, detail);
    if (server === null || powerState === null || this.powerStateTold.get(server) === powerState) return;
    if (!(await this.domains.isOurs(server))) return;
    // Somebody else may have saved it to a file of his own, from which we cannot resume it.
    if (powerState === 'saved') powerState = (await this.domains.find(server))?.powerState ?? 'shutdown';
    this.tellPowerState(server, powerState);
  }

  private async tellAllPowerStates(): Promise<void> {
    for (const { server, powerState } of await this.domains.guests()) this.tellPowerState(server, powerState);
  }

  private tellPowerState(server: ServerId, powerState: PowerState): void {
    this.powerStateTold.set(server, powerState);
    for (const listener of this.powerStateListeners) listener(server, powerState);
  }
}

function notFound(server: ServerId): NovellaError {
  return new NovellaError('domain-not-found', 'libvirt has no such domain', { server });
}
