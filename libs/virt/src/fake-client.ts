import {
  type Bytes,
  type Log,
  type Millis,
  NovellaError,
  type PowerState,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import type { Guest, GuestDisk, GuestSpec, HypervisorFacts, LiveResize, VirtDriver, VolumeKey } from './driver.js';
import { type CallOptions, FakeSession } from './fake-session.js';
import { type ArgsOf, type CallName, type ResultOf, toWire } from './fake-wire.js';

export interface FakeHypervisorClientOptions {
  readonly socketPath: string;
  readonly callTimeoutMs?: number;
  /** The pause after the first failed attempt to connect; it doubles up to the largest, each with jitter. */
  readonly firstBackoffMs?: number;
  readonly largestBackoffMs?: number;
  readonly log?: Log;
}

type PowerStateListener = (server: ServerId, powerState: PowerState) => void;

/**
 * The driver of a fake hypervisor in another process, which `serveFakeHypervisor` serves. One session at a time, opened
 * again when it has ended: in the background with a growing pause, and at once when somebody calls. A call is never sent
 * twice: when the connection drops under it its outcome is unknown (hypervisor-unreachable), and the caller measures.
 */
export class FakeHypervisorClient implements VirtDriver {
  readonly name = 'fake';
  readonly liveResize: LiveResize = {
    resizeDisk: (server, volume, size): Promise<Bytes> => this.call('resizeDisk', [server, volume, size]),
  };
  private readonly limits: { readonly callMs: number; readonly firstMs: number; readonly largestMs: number };
  private readonly listeners = new Set<PowerStateListener>();
  private session: Promise<FakeSession> | null = null;
  private sessionsOpened = 0;
  private failedAttempts = 0;
  private retryTimer: NodeJS.Timeout | undefined;
  private isClosed = false;
  /** While all guests are listed after a reconnect: those whose change came before the list, and is newer than it. */
  private toldByEvent: Set<ServerId> | null = null;

  private constructor(private readonly options: FakeHypervisorClientOptions) {
    this.limits = {
      callMs: options.callTimeoutMs ?? 60_000,
      firstMs: options.firstBackoffMs ?? 100,
      largestMs: options.largestBackoffMs ?? 10_000,
    };
  }

  /** Error hypervisor-unreachable when it is away now: the client then holds nothing, and can be opened again. */
  static async open(options: FakeHypervisorClientOptions): Promise<VirtDriver> {
    const client = new FakeHypervisorClient(options);
    try {
      await client.currentSession();
    } catch (error) {
      await client.close();
      throw error;
    }
    return client;
  }

  hypervisor(): Promise<HypervisorFacts> {
    return this.call('hypervisor', []);
  }

  guests(): Promise<Guest[]> {
    return this.call('guests', []);
  }

  guest(server: ServerId): Promise<Guest | null> {
    return this.call('guest', [server]);
  }

  createGuest(spec: GuestSpec, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return this.call('createGuest', [{ ...spec, disks: [...spec.disks] }, toWire(keys)]);
  }

  async destroyGuest(server: ServerId): Promise<void> {
    await this.call('destroyGuest', [server]);
  }

  startGuest(server: ServerId, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return this.call('startGuest', [server, toWire(keys)]);
  }

  async stopGuest(server: ServerId, grace: Millis, signal: AbortSignal): Promise<void> {
    await this.call('stopGuest', [server, grace], { signal, extraMs: grace });
  }

  pauseGuest(server: ServerId): Promise<Guest> {
    return this.call('pauseGuest', [server]);
  }

  unpauseGuest(server: ServerId): Promise<Guest> {
    return this.call('unpauseGuest', [server]);
  }

  suspendGuest(server: ServerId, signal: AbortSignal): Promise<Guest> {
    return this.call('suspendGuest', [server], { signal });
  }

  resumeGuest(server: ServerId, signal: AbortSignal, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return this.call('resumeGuest', [server, toWire(keys)], { signal });
  }

  attachDisk(server: ServerId, disk: GuestDisk, keys: readonly VolumeKey[] = []): Promise<Guest> {
    return this.call('attachDisk', [server, disk, toWire(keys)]);
  }

  async detachDisk(server: ServerId, volume: VolumeId): Promise<void> {
    await this.call('detachDisk', [server, volume]);
  }

  onPowerState(listener: PowerStateListener): void {
    this.listeners.add(listener);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.retryTimer);
    this.listeners.clear();
    const session = await this.session?.catch(() => null);
    session?.close();
  }

  private async call<Name extends CallName>(
    name: Name,
    args: ArgsOf<Name>,
    options?: CallOptions,
  ): Promise<ResultOf<Name>> {
    const session = await this.currentSession();
    return session.call(name, args, options);
  }

  private currentSession(): Promise<FakeSession> {
    if (this.isClosed) return Promise.reject(new NovellaError('hypervisor-unreachable', 'the driver is closed'));
    this.session ??= this.openSession();
    return this.session;
  }

  private async openSession(): Promise<FakeSession> {
    clearTimeout(this.retryTimer);
    try {
      const session = await FakeSession.open({
        socketPath: this.options.socketPath,
        callTimeoutMs: this.limits.callMs,
        onPowerState: (server, powerState) => {
          this.toldByEvent?.add(server);
          this.tell(server, powerState);
        },
      });
      this.failedAttempts = 0;
      this.sessionsOpened += 1;
      session.whenEnded(() => {
        this.session = null;
        this.retryLater();
      });
      if (this.sessionsOpened > 1) void this.tellAll(session);
      return session;
    } catch (error) {
      this.session = null;
      this.retryLater();
      throw error;
    }
  }

  private retryLater(): void {
    if (this.isClosed) return;
    const pause = Math.min(this.limits.largestMs, this.limits.firstMs * 2 ** this.failedAttempts);
    this.failedAttempts = Math.min(this.failedAttempts + 1, 30);
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(
      () => {
        this.currentSession().catch(() => undefined); // it has set the next attempt itself
      },
      pause * (0.5 + Math.random() / 2),
    );
  }

  /** Events of the time without a session are lost. */
  private async tellAll(session: FakeSession): Promise<void> {
    const newer = new Set<ServerId>();
    this.toldByEvent = newer;
    try {
      for (const { server, powerState } of await session.call('guests', [])) {
        if (!newer.has(server)) this.tell(server, powerState);
      }
    } catch (error) {
      this.options.log?.warn('the power states could not be read after a reconnect', { error });
    } finally {
      if (this.toldByEvent === newer) this.toldByEvent = null;
    }
  }

  private tell(server: ServerId, powerState: PowerState): void {
    for (const listener of this.listeners) listener(server, powerState);
  }
}
