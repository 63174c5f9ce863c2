import { NovellaError } from '@novella/core';
import type { StoredFrame, Subscription } from './in-memory-queue.js';
import type {
  ConsumeOptions,
  Delivery,
  Frame,
  Link,
  LinkConsumer,
  LinkState,
  PublishOptions,
  Topology,
} from './link.js';
import { Turns } from './turns.js';

/** What a link asks of its broker; `InMemoryBroker` is the one that there is. */
export interface BrokerSide {
  readonly running: boolean;
  nextTurn(): Promise<void>;
  declare(topology: Topology): void;
  publish(frame: Frame, options: PublishOptions, userId: string | null): 'confirmed' | 'returned';
  subscribe(subscription: Subscription): void;
  unsubscribe(subscription: Subscription): void;
  release(subscription: Subscription): void;
  ack(subscription: Subscription, tag: number): void;
}

/** One connection, from connect to disconnect. `pending` are the rejections of what waits for the broker's answer. */
interface Session {
  readonly toBroker: Turns;
  readonly fromBroker: Turns;
  readonly pending: Set<(reason: NovellaError) => void>;
}

/** A link to an `InMemoryBroker`, with `disconnect` and `reconnect` besides what every link has. */
export class InMemoryLink implements Link {
  private session: Session | null = null;
  private closed = false;
  private readonly topologies = new Set<Topology>();
  private readonly consumers = new Set<InMemoryConsumer>();
  private readonly listeners = new Set<(state: LinkState) => void>();

  constructor(
    private readonly broker: BrokerSide,
    private readonly user: string | null,
    private readonly onClosed: (link: InMemoryLink) => void,
  ) {
    if (broker.running) this.establish();
  }

  get state(): LinkState {
    if (this.closed) return 'closed';
    return this.session === null ? 'disconnected' : 'connected';
  }

  onState(listener: (state: LinkState) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async whenConnected(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.state === 'connected') return;
    if (this.state === 'closed') throw unreachable('the link is closed');
    await new Promise<void>((resolve, reject) => {
      const stop = (settle: () => void) => () => {
        forget();
        signal?.removeEventListener('abort', aborted);
        settle();
      };
      const aborted = stop(() => reject(signal?.reason as Error));
      const forget = this.onState((state) => {
        if (state === 'connected') stop(resolve)();
        if (state === 'closed') stop(() => reject(unreachable('the link is closed')))();
      });
      signal?.addEventListener('abort', aborted);
    });
  }

  async declare(topology: Topology): Promise<void> {
    await this.inEffect(() => this.broker.declare(topology));
    this.topologies.add(topology);
  }

  async publish(frame: Frame, options: PublishOptions): Promise<'confirmed' | 'returned'> {
    if (this.session === null) throw unreachable(`the link is ${this.state}`);
    return this.request(this.session, () => this.broker.publish(frame, options, this.user));
  }

  async consume(queue: string, options: ConsumeOptions, onDelivery: (d: Delivery) => void): Promise<LinkConsumer> {
    const wants = { queue, prefetch: options.prefetch, onDelivery };
    const consumer = new InMemoryConsumer(this.broker, wants, {
      now: (run) => this.onThisConnection(run),
      ended: () => this.consumers.delete(consumer),
    });
    await this.inEffect((session) => consumer.attach(session));
    this.consumers.add(consumer);
    return consumer;
  }

  async close(): Promise<void> {
    // One round trip: whatever was sent before, acks among it, has then reached the broker.
    await this.onThisConnection(() => undefined);
    if (this.closed) return;
    this.drop();
    this.closed = true;
    this.onClosed(this);
    this.tell();
  }

  /** Loses the connection, as when its socket breaks; what is on the way in either direction is lost. */
  disconnect(): void {
    if (this.session === null) return;
    this.drop();
    this.tell();
  }

  reconnect(): void {
    if (this.session !== null || this.closed || !this.broker.running) return;
    this.establish();
    this.tell();
  }

  private establish(): void {
    const nextTurn = () => this.broker.nextTurn();
    const session: Session = {
      toBroker: new Turns(nextTurn),
      fromBroker: new Turns(nextTurn),
      pending: new Set<(reason: NovellaError) => void>(),
    };
    for (const topology of this.topologies) this.broker.declare(topology);
    for (const consumer of this.consumers) consumer.attach(session);
    this.session = session;
  }

  private drop(): void {
    const session = this.session;
    if (session === null) return;
    this.session = null;
    session.toBroker.cut();
    session.fromBroker.cut();
    for (const consumer of this.consumers) consumer.detach();
    for (const reject of session.pending) reject(unreachable('the link went down before the broker answered'));
    session.pending.clear();
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener(this.state);
  }

  /** Runs at the broker in a later turn and answers in another; rejects when the connection is lost in between. */
  private request<T>(session: Session, run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      session.pending.add(reject);
      const answer = (settle: () => void) =>
        session.fromBroker.push(() => {
          session.pending.delete(reject);
          settle();
        });
      session.toBroker.push(() => {
        try {
          const result = run();
          answer(() => resolve(result));
        } catch (error) {
          const reason = error instanceof Error ? error : new Error(String(error));
          answer(() => reject(reason));
        }
      });
    });
  }

  /** For what shall hold on every connection: asked again after each one that was lost before the answer. */
  private async inEffect(run: (session: Session) => void): Promise<void> {
    for (;;) {
      await this.whenConnected();
      const session = this.session;
      if (session === null) continue;
      try {
        await this.request(session, () => run(session));
        return;
      } catch (error) {
        if (this.session === session) throw error;
      }
    }
  }

  /** For what the next connection begins with anyway: asked only while there is one. */
  private async onThisConnection(run: () => void): Promise<void> {
    const session = this.session;
    if (session === null) return;
    await this.request(session, run).catch((error: unknown) => {
      if (this.session === session) throw error;
    });
  }
}

const unreachable = (message: string): NovellaError => new NovellaError('broker-unreachable', message);

interface Wants {
  readonly queue: string;
  readonly prefetch: number;
  readonly onDelivery: (delivery: Delivery) => void;
}

class InMemoryConsumer implements LinkConsumer {
  private subscription: Subscription | null = null;
  private connection = new AbortController();
  private paused = false;
  private cancelled = false;

  constructor(
    private readonly broker: BrokerSide,
    private readonly wants: Wants,
    private readonly link: { now: (run: () => void) => Promise<void>; ended: () => void },
  ) {}

  async pause(): Promise<void> {
    this.paused = true;
    await this.link.now(() => this.applyFlow());
  }

  async resume(): Promise<void> {
    this.paused = false;
    await this.link.now(() => this.applyFlow());
  }

  async cancel(): Promise<void> {
    this.cancelled = true;
    this.connection.abort();
    this.link.ended();
    await this.link.now(() => this.detach());
  }

  /** At the broker, when the connection is there. */
  attach(session: Session): void {
    if (this.cancelled) return;
    this.connection = new AbortController();
    const { signal } = this.connection;
    const { queue, prefetch, onDelivery } = this.wants;
    const unacked = new Map<number, StoredFrame>();
    const deliver = (tag: number, frame: StoredFrame): void =>
      session.fromBroker.push(() => {
        if (signal.aborted) return;
        const ack = (): void => session.toBroker.push(() => this.broker.ack(subscription, tag));
        const { exchange, routingKey, contentType, contentEncoding, headers, userId, deliveryCount, body } = frame;
        const redelivered = deliveryCount > 0;
        const facts = { exchange, routingKey, contentType, contentEncoding, headers, userId, deliveryCount, body };
        onDelivery({ ...facts, queue, redelivered, lost: signal, ack });
      });
    const subscription: Subscription = { queue, prefetch, unacked, deliver };
    this.subscription = subscription;
    this.applyFlow();
  }

  /** The connection is gone. */
  detach(): void {
    this.connection.abort();
    if (this.subscription !== null) this.broker.release(this.subscription);
    this.subscription = null;
  }

  /** At the broker. */
  private applyFlow(): void {
    if (this.subscription === null) return;
    if (this.paused) this.broker.unsubscribe(this.subscription);
    else this.broker.subscribe(this.subscription);
  }
}
