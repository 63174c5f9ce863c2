import { type Clock, type Log, type Millis, millis, NovellaError, type Random, toErrorRecord } from '@novella/core';
import type {
  ConsumeOptions,
  Delivery,
  Frame,
  Link,
  LinkConsumer,
  LinkState,
  PublishOptions,
  Topology,
} from '../link.js';
import { RememberedTopology } from '../remembered-topology.js';
import { StateListeners } from '../state-listeners.js';
import { unreachable } from '../unreachable.js';
import { AmqpConsumer } from './consumer.js';
import { ReconnectDelay } from './reconnect-delay.js';
import { Session } from './session.js';

export interface AmqpLinkOptions {
  /** `amqp://user:password@host:5672/vhost`, each part percent-encoded; tried in turn. */
  readonly urls: readonly string[];
  /** What the broker's tools show; one process has one link. */
  readonly connectionName: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /**
   * A connection that says nothing for two to three of these is dead; 8 unless given, so that RabbitMQ lets go of what
   * is on it after 24 s at most.
   */
  readonly heartbeatS?: number;
  /** After this a publish without a confirm is given up, its outcome unknown; 15 s unless given. */
  readonly confirmTimeout?: Millis;
  /** A queue that the broker cannot bring up again is deleted and made anew after this; 30 s unless given. */
  readonly brokenQueuePatience?: Millis;
}

/** Answers at once and connects in the background. Throws `internal` (final) when there is no URL, or one is none. */
export function openAmqpLink(options: AmqpLinkOptions): Link {
  const urls = options.urls.map(parseUrl);
  if (urls.length === 0) throw new NovellaError('internal', 'no URL of a broker is given', {}, { grade: 'final' });
  return new AmqpLink(urls, options);
}

/** The URL itself goes into no error: it has the password. */
function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === 'amqp:' || url.protocol === 'amqps:') && url.hostname !== '') return url;
  throw new NovellaError('internal', 'a broker URL is not amqp://user:password@host', {}, { grade: 'final' });
}

const HEARTBEAT_S = 8;
const CONFIRM_TIMEOUT = millis(15_000);
/** Longer than the nodes of a cluster need to agree on who leads a queue. */
const BROKEN_QUEUE_PATIENCE = millis(30_000);
const CLOSE_LIMIT = millis(5_000);
const NAME_RETRY = millis(1_000);
/** RabbitMQ ends a connection that it hears nothing of after two to three heartbeats; it looks once in each. */
const HEARTBEATS_TO_NOTICE = 3;
const NAME_SLACK = millis(2_000);
/** A broker that is still starting may answer to nothing; its connection then is no use. */
const RESTORE_LIMIT = millis(60_000);

class AmqpLink implements Link {
  private session: Session | null = null;
  private closing: Promise<void> | null = null;
  private closed = false;
  private complained: string | null = null;
  private readonly stop = new AbortController();
  private readonly states = new StateListeners(() => this.state);
  private readonly nameListeners = new Set<(queue: string) => void>();
  private readonly remembered = new RememberedTopology();
  private readonly consumers = new Set<AmqpConsumer>();
  private readonly delay: ReconnectDelay;
  private readonly connecting: Promise<void>;

  constructor(
    private readonly urls: readonly URL[],
    private readonly options: AmqpLinkOptions,
  ) {
    this.delay = new ReconnectDelay(options.clock, options.random);
    this.connecting = this.stayConnected();
  }

  get state(): LinkState {
    if (this.closed) return 'closed';
    return this.session === null ? 'disconnected' : 'connected';
  }

  get blocked(): string | null {
    return this.session?.publishing.blocked ?? null;
  }

  onState(listener: (state: LinkState) => void): () => void {
    return this.states.onState(listener);
  }

  onNameLost(listener: (queue: string) => void): void {
    this.nameListeners.add(listener);
  }

  async whenConnected(signal?: AbortSignal): Promise<void> {
    // Else whoever tries again at once would do so for ever, and nothing that closes would get its turn.
    if (this.closing !== null && !this.closed) throw unreachable('the link is closing');
    await this.states.whenConnected(signal);
  }

  async declare(topology: Topology): Promise<void> {
    await this.inEffect(async ({ topology: channel }) => {
      await channel.declare(topology);
      this.remembered.add(topology);
    });
  }

  async deleteQueue(name: string): Promise<void> {
    this.remembered.forget(name);
    await Promise.all([...this.consumers].filter(({ wants }) => wants.queue === name).map((each) => each.cancel()));
    await this.inEffect(({ topology }) => topology.deleteQueue(name));
  }

  async publish(frame: Frame, options: PublishOptions): Promise<'confirmed' | 'returned'> {
    if (this.closing !== null) throw unreachable('the link is closed');
    if (this.session === null) throw unreachable(`the link is ${this.state}`);
    return this.session.publisher.publish(frame, options);
  }

  async consume(queue: string, options: ConsumeOptions, onDelivery: (d: Delivery) => void): Promise<LinkConsumer> {
    const { clock, random, log, brokenQueuePatience = BROKEN_QUEUE_PATIENCE } = this.options;
    const consumer = new AmqpConsumer(
      { queue, prefetch: options.prefetch, onDelivery },
      {
        clock,
        random,
        log,
        brokenQueuePatience,
        topologyOf: (name) => this.remembered.forQueue(name),
        ended: () => this.consumers.delete(consumer),
      },
    );
    await this.inEffect(async (session) => {
      await consumer.attach(session);
      this.consumers.add(consumer);
    });
    return consumer;
  }

  drop(reason: string): void {
    this.session?.destroy(new Error(reason));
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    this.stop.abort();
    const { session } = this;
    if (session === null) {
      // A connection that is being opened ends itself when it is open; nobody waits for it.
      for (const consumer of this.consumers) void consumer.cancel();
    } else {
      const late = new AbortController();
      const politely = this.endPolitely(session).catch(() => undefined);
      await Promise.race([politely, this.options.clock.sleep(this.closeLimit, late.signal).catch(() => undefined)]);
      late.abort();
      session.destroy();
      await this.connecting;
    }
    this.session = null;
    this.closed = true;
    this.states.tell();
  }

  /** Channels before connections: amqplib sends what concerns a connection ahead of what its channels have still to send. */
  private async endPolitely(session: Session): Promise<void> {
    await session.publisher.settled();
    await Promise.all([...this.consumers].map((consumer) => consumer.cancel()));
    await session.close();
  }

  private get closeLimit(): Millis {
    return millis((this.options.confirmTimeout ?? CONFIRM_TIMEOUT) + CLOSE_LIMIT);
  }

  /** Until the link is closed. */
  private async stayConnected(): Promise<void> {
    for (let turn = 0; !this.isStopped(); turn += 1) {
      const url = this.urls[turn % this.urls.length];
      if (url !== undefined) await this.oneSession(url);
      await this.delay.wait(this.stop.signal).catch(() => undefined);
    }
  }

  /** From connecting to the connection's end. */
  private async oneSession(url: URL): Promise<void> {
    const { log, connectionName } = this.options;
    let opened: Session | null = null;
    try {
      opened = await this.open(url);
      if (this.isStopped()) throw unreachable('the link was closed meanwhile');
      await this.inTime(this.restore(opened));
      if (this.isStopped()) throw unreachable('the link was closed meanwhile');
      this.session = opened;
      this.delay.reset();
      this.complained = null;
      log.info('connected to the broker', { host: url.host, connectionName });
      this.states.tell();
      const why = await opened.gone;
      if (this.isStopped()) return;
      log.warn('the broker is gone', { host: url.host, error: why });
    } catch (error) {
      opened?.destroy();
      if (this.isStopped()) return;
      this.complain(url, error);
      if (error instanceof NovellaError && error.code === 'host-name-taken') this.loseName(error);
    } finally {
      const wasConnected = this.session !== null;
      this.session = null;
      if (wasConnected && !this.isStopped()) this.states.tell();
    }
  }

  /** In full once for each reason; a broker that is away for an hour is tried hundreds of times. */
  private complain({ host }: URL, error: unknown): void {
    const { log } = this.options;
    const reason = `${host}: ${toErrorRecord(error).code}`;
    if (reason === this.complained) log.debug('the broker still does not serve us', { host });
    else log.error('the broker does not serve us', { host, error });
    this.complained = reason;
  }

  private isStopped(): boolean {
    return this.stop.signal.aborted;
  }

  private async open(url: URL): Promise<Session> {
    const { connectionName, clock, heartbeatS = HEARTBEAT_S, confirmTimeout = CONFIRM_TIMEOUT } = this.options;
    return Session.open({ url, connectionName, clock, heartbeatS, confirmTimeout });
  }

  /** What was in effect on the last connection. Rejects with what the broker does not give back. */
  private async restore(session: Session): Promise<void> {
    const { clock, heartbeatS = HEARTBEAT_S } = this.options;
    const deadline = clock.monotonic() + HEARTBEATS_TO_NOTICE * heartbeatS * 1_000 + NAME_SLACK;
    for (;;) {
      try {
        await session.topology.declare(this.remembered.all());
        break;
      } catch (error) {
        // So long the broker may take our own last connection to be alive.
        const taken = error instanceof NovellaError && error.code === 'host-name-taken';
        if (!taken || session.isOver || clock.monotonic() >= deadline) throw error;
        await clock.sleep(NAME_RETRY, this.stop.signal);
      }
    }
    for (const consumer of this.consumers) await consumer.attach(session);
  }

  private async inTime(restored: Promise<void>): Promise<void> {
    const done = new AbortController();
    const late = this.options.clock.sleep(RESTORE_LIMIT, done.signal).then(() => {
      throw unreachable(`what was in effect did not come back within ${RESTORE_LIMIT} ms`);
    });
    try {
      await Promise.race([restored, late]);
    } finally {
      done.abort();
      for (const left of [restored, late]) left.catch(() => undefined);
    }
  }

  private loseName(error: NovellaError): void {
    this.stop.abort();
    this.closed = true;
    this.closing ??= Promise.resolve();
    for (const listener of this.nameListeners) listener(String(error.facts['queue']));
    this.states.tell();
  }

  /** For what shall hold on every connection: asked again after each one that was lost before the answer. */
  private async inEffect(run: (session: Session) => Promise<void>): Promise<void> {
    for (;;) {
      await this.whenConnected();
      const { session } = this;
      if (session === null) continue;
      try {
        await run(session);
        return;
      } catch (error) {
        if (this.session === session && !session.isOver) throw error;
        // The state follows in a moment: what waits for the next connection must not find the old one.
        if (this.session === session) await session.gone;
      }
    }
  }
}
