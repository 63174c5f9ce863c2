import { NovellaError } from '@novella/core';
import type { DomainEvents, EventName } from './events.js';
import type { ArgsOf, ProcedureName, ResultOf } from './procedures.js';
import { Session, type SessionOptions } from './session.js';

export interface LibvirtClientOptions {
  /** `/run/libvirt/libvirt-sock` or `/run/libvirt/virtqemud-sock`. */
  readonly socketPath: string;
  readonly uri?: string;
  readonly callTimeoutMs?: number;
  readonly keepaliveIntervalMs?: number;
  readonly keepaliveMissed?: number;
  /** The pause after the first failed attempt to connect; it doubles up to the largest, each with jitter. */
  readonly firstBackoffMs?: number;
  readonly largestBackoffMs?: number;
  /** A number in [0, 1). */
  readonly random?: () => number;
}

type Listeners = { readonly [Name in EventName]: Set<(event: DomainEvents[Name]) => void> };

/** One less than libvirtd's max_client_requests (5): at its limit it stops reading, and a ping would go unanswered. */
const CALLS_IN_FLIGHT = 4;
const CALLS_QUEUED = 10_000;

/**
 * libvirt over its unix socket: one session at a time, opened by the first call and opened again when it has ended, in
 * the background with a growing pause and at once when somebody calls. A call is never sent twice: when the link drops
 * while it is under way its outcome is unknown to us, and the caller measures.
 */
export class LibvirtClient {
  private readonly options: SessionOptions;
  private readonly backoff: { readonly first: number; readonly largest: number; readonly random: () => number };
  private readonly listeners: Listeners = {
    lifecycle: new Set(),
    'device-removed': new Set(),
    'device-removal-failed': new Set(),
  };
  private readonly reconnectedListeners = new Set<() => void>();
  private readonly disconnectedListeners = new Set<(error: NovellaError) => void>();
  private session: Promise<Session> | null = null;
  private sessionsOpened = 0;
  private failedAttempts = 0;
  private retryTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: LibvirtClientOptions) {
    this.options = {
      socketPath: options.socketPath,
      uri: options.uri ?? 'qemu:///system',
      calls: { inFlight: CALLS_IN_FLIGHT, queued: CALLS_QUEUED, timeoutMs: options.callTimeoutMs ?? 60_000 },
      keepalive: { intervalMs: options.keepaliveIntervalMs ?? 5_000, missed: options.keepaliveMissed ?? 5 },
    };
    this.backoff = {
      first: options.firstBackoffMs ?? 100,
      largest: options.largestBackoffMs ?? 10_000,
      random: options.random ?? Math.random,
    };
  }

  /** Resolves when a session stands. Error: hypervisor-unreachable; attempts then go on in the background. */
  async connect(): Promise<void> {
    await this.currentSession();
  }

  /** Errors: LibvirtError when libvirt refuses, hypervisor-unreachable when the link or the time limit does. */
  async call<Name extends ProcedureName>(name: Name, args: ArgsOf<Name>): Promise<ResultOf<Name>> {
    const session = await this.currentSession();
    return session.call(name, args);
  }

  /** Listens over all sessions; answers what ends it. Listeners must not throw. */
  on<Name extends EventName>(name: Name, listener: (event: DomainEvents[Name]) => void): () => void {
    const listeners = this.listeners[name] as Set<typeof listener>;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** After every session but the first; events of the time between are lost. Answers what ends it. */
  onReconnected(listener: () => void): () => void {
    this.reconnectedListeners.add(listener);
    return () => void this.reconnectedListeners.delete(listener);
  }

  /** When a session has ended that stood. Answers what ends it. */
  onDisconnected(listener: (error: NovellaError) => void): () => void {
    this.disconnectedListeners.add(listener);
    return () => void this.disconnectedListeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retryTimer);
    const session = await this.session?.catch(() => null);
    await session?.close();
  }

  private currentSession(): Promise<Session> {
    if (this.closed) return Promise.reject(new NovellaError('hypervisor-unreachable', 'the libvirt client is closed'));
    this.session ??= this.openSession();
    return this.session;
  }

  private async openSession(): Promise<Session> {
    clearTimeout(this.retryTimer);
    try {
      const session = await Session.open(this.options, {
        lifecycle: (event) => this.listeners.lifecycle.forEach((listener) => listener(event)),
        'device-removed': (event) => this.listeners['device-removed'].forEach((listener) => listener(event)),
        'device-removal-failed': (event) =>
          this.listeners['device-removal-failed'].forEach((listener) => listener(event)),
      });
      this.failedAttempts = 0;
      this.sessionsOpened += 1;
      session.whenEnded((error) => this.onSessionEnded(error));
      if (this.sessionsOpened > 1) this.reconnectedListeners.forEach((listener) => listener());
      return session;
    } catch (error) {
      this.session = null;
      this.retryLater();
      throw error;
    }
  }

  private onSessionEnded(error: NovellaError): void {
    this.session = null;
    if (this.closed) return;
    this.disconnectedListeners.forEach((listener) => listener(error));
    this.retryLater();
  }

  private retryLater(): void {
    if (this.closed) return;
    const pause = Math.min(this.backoff.largest, this.backoff.first * 2 ** this.failedAttempts);
    this.failedAttempts = Math.min(this.failedAttempts + 1, 30);
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(
      () => {
        this.currentSession().catch(() => undefined); // it has set the next attempt itself
      },
      pause * (0.5 + this.backoff.random() / 2),
    );
  }
}
