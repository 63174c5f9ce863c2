import type { BrokerSide, Session } from './in-memory-broker-side.js';
import type { StoredFrame, Subscription } from './in-memory-queue.js';
import type { Delivery, LinkConsumer, QueueLook } from './link.js';

export interface Wants {
  readonly queue: string;
  readonly prefetch: number;
  readonly onDelivery: (delivery: Delivery) => void;
}

/** A consumer over all connections of its link. */
export class InMemoryConsumer implements LinkConsumer {
  private subscription: Subscription | null = null;
  private connection = new AbortController();
  private paused = false;
  private cancelled = false;

  constructor(
    private readonly broker: BrokerSide,
    private readonly wants: Wants,
    private readonly link: {
      readonly now: (run: () => void) => Promise<void>;
      readonly ask: <T>(run: () => T) => Promise<T>;
      readonly queueDeleted: () => Promise<void>;
      readonly ended: () => void;
    },
  ) {}

  get queue(): string {
    return this.wants.queue;
  }

  async pause(): Promise<void> {
    this.paused = true;
    await this.link.now(() => this.applyFlow());
  }

  async resume(): Promise<void> {
    this.paused = false;
    await this.link.now(() => this.applyFlow());
  }

  look(): Promise<QueueLook> {
    return this.link.ask(() => this.broker.look(this.wants.queue));
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
    const deleted = (): void =>
      session.fromBroker.push(() => {
        if (signal.aborted) return;
        this.connection.abort();
        this.subscription = null;
        void this.link.queueDeleted();
      });
    const subscription: Subscription = { queue, prefetch, unacked, deliver, deleted };
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
