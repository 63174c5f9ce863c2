import { type Clock, type Millis, NovellaError } from '@novella/core';
import { type DropReason, InMemoryQueue, type StoredFrame, type Subscription } from './in-memory-queue.js';
import type { BrokerSide } from './in-memory-broker-side.js';
import { InMemoryLink } from './in-memory-link.js';
import type { ExchangeDeclaration, Frame, PublishOptions, QueueDeclaration, QueueLook, Topology } from './link.js';
import { DEAD_LETTER } from './topology.js';
import { unreachable } from './unreachable.js';

export interface InMemoryBrokerOptions {
  readonly clock: Clock;
  /** How long each hop between a link and the broker takes; without it the next turn of the event loop. */
  readonly latency?: () => Millis;
  /** How often a frame may come back before it is dead-lettered; null: without limit. RabbitMQ 4's default is 20. */
  readonly deliveryLimit?: number | null;
  /** Whether a policy sends expired and too often returned frames to the dead-letter exchange; else they are gone. */
  readonly deadLetterPolicy?: boolean;
  /** Frames that one queue holds at most; a publish beyond it is refused, and a full dead-letter queue drops its oldest. */
  readonly maxLength?: number;
}

interface Exchange {
  readonly declaration: ExchangeDeclaration;
  /** Routing key -> queues; a fanout exchange ignores the key. */
  readonly bindings: Map<string, Set<string>>;
}

/**
 * A broker in this process, with the semantics that our code relies on in RabbitMQ: topic (without wildcards), fanout
 * and default exchange, confirms, mandatory returns, prefetch, requeue at the head, delivery limit, expiry of frames and
 * queues. Links come from `connect`. For the standalone process, simulations and tests.
 */
export class InMemoryBroker implements BrokerSide {
  private readonly exchanges = new Map<string, Exchange>();
  private readonly queues = new Map<string, InMemoryQueue>();
  private readonly links = new Set<InMemoryLink>();
  private up = true;
  private blockedBecause: string | null = null;

  constructor(private readonly options: InMemoryBrokerOptions) {}

  /** A new link of the broker user `user`; it is connected at once. */
  connect(user: string | null = null): InMemoryLink {
    const link = new InMemoryLink(this, user, (gone) => this.links.delete(gone));
    this.links.add(link);
    return link;
  }

  get running(): boolean {
    return this.up;
  }

  get blocked(): string | null {
    return this.blockedBecause;
  }

  /** Takes no publishes until it is called with null, as a broker that runs out of memory. */
  block(reason: string | null): void {
    this.blockedBecause = reason;
  }

  /** Drops all links; they come back by themselves after `start`. */
  stop(): void {
    this.up = false;
    for (const link of this.links) link.disconnect();
  }

  start(): void {
    this.up = true;
    for (const link of this.links) link.reconnect();
  }

  /** What is not persistent is lost. */
  restart(): void {
    this.stop();
    for (const queue of this.queues.values()) queue.forgetTransient();
    this.start();
  }

  /** Frames that wait in the queue, without those that are held by consumers; 0 for a queue that does not exist. */
  depth(queue: string): number {
    return this.queues.get(queue)?.depth ?? 0;
  }

  /** The waiting frames, oldest first. */
  frames(queue: string): readonly StoredFrame[] {
    return this.queues.get(queue)?.frames() ?? [];
  }

  hasQueue(queue: string): boolean {
    return this.queues.has(queue);
  }

  /** One hop; used by links. */
  async nextTurn(): Promise<void> {
    if (this.options.latency !== undefined) return this.options.clock.sleep(this.options.latency());
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Used by links, as is all below. */
  declare({ exchanges, queues }: Topology, connection: object): void {
    this.dropUnusedQueues();
    for (const exchange of exchanges) this.declareExchange(exchange);
    for (const queue of queues) this.declareQueue(queue, connection);
  }

  deleteQueue(name: string, connection: object): void {
    const queue = this.queues.get(name);
    if (queue === undefined) return;
    mustOwn(queue, connection);
    this.remove(name);
    queue.delete();
  }

  connectionEnded(connection: object): void {
    for (const [name, { owner }] of this.queues) {
      if (owner === connection) this.remove(name);
    }
  }

  publish(frame: Frame, options: PublishOptions, userId: string | null): 'confirmed' | 'returned' {
    if (this.blockedBecause !== null) {
      throw unreachable('the broker takes no messages at the moment', { reason: this.blockedBecause });
    }
    this.dropUnusedQueues();
    const queues = this.route(frame);
    if (queues.length === 0) return options.mandatory ? 'returned' : 'confirmed';
    const { maxLength = 100_000, clock } = this.options;
    if (queues.some((queue) => queue.depth >= maxLength)) {
      throw unreachable('the queue is full and the broker refused the message', { routingKey: frame.routingKey });
    }
    const expiresAt = options.expirationMs === undefined ? null : clock.monotonic() + options.expirationMs;
    const { exchange, routingKey, contentType, contentEncoding, headers } = frame;
    const fixed = { exchange, routingKey, contentType, contentEncoding, persistent: options.persistent };
    for (const queue of queues) {
      const body = Buffer.from(frame.body);
      queue.push({ ...fixed, headers: { ...headers }, body, userId, expiresAt, deliveryCount: 0 });
    }
    return 'confirmed';
  }

  subscribe(subscription: Subscription): void {
    const queue = this.queues.get(subscription.queue);
    if (queue === undefined) {
      throw new NovellaError('rpc-no-route', 'there is no such queue', { queue: subscription.queue });
    }
    queue.subscribe(subscription);
  }

  unsubscribe(subscription: Subscription): void {
    this.queues.get(subscription.queue)?.unsubscribe(subscription);
  }

  release(subscription: Subscription): void {
    this.queues.get(subscription.queue)?.release(subscription);
  }

  ack(subscription: Subscription, tag: number): void {
    this.queues.get(subscription.queue)?.ack(subscription, tag);
  }

  look(name: string): QueueLook {
    const queue = this.queues.get(name);
    if (queue === undefined) throw unreachable('there is no such queue to look at', { queue: name });
    return { ready: queue.depth, consumers: queue.consumers };
  }

  private route({ exchange, routingKey }: Frame): InMemoryQueue[] {
    const names = exchange === '' ? [routingKey] : this.boundTo(exchange, routingKey);
    return names.flatMap((name) => this.queues.get(name) ?? []);
  }

  private boundTo(exchange: string, routingKey: string): string[] {
    const found = this.exchanges.get(exchange);
    if (found === undefined) throw new NovellaError('rpc-no-route', 'there is no such exchange', { exchange });
    if (found.declaration.type === 'topic') return [...(found.bindings.get(routingKey) ?? [])];
    return [...new Set([...found.bindings.values()].flatMap((queues) => [...queues]))];
  }

  private declareExchange(wanted: ExchangeDeclaration): void {
    const existing = this.exchanges.get(wanted.name);
    if (existing === undefined) {
      this.exchanges.set(wanted.name, { declaration: wanted, bindings: new Map() });
      return;
    }
    const { type, durable, autoDelete } = existing.declaration;
    refuseOther(`exchange ${wanted.name}`, { type, durable, autoDelete }, { ...wanted, name: undefined });
  }

  private declareQueue(wanted: QueueDeclaration, connection: object): void {
    const existing = this.queues.get(wanted.name);
    if (existing === undefined) {
      const limits = {
        deliveryLimit: this.options.deliveryLimit === undefined ? 20 : this.options.deliveryLimit,
        now: () => this.options.clock.monotonic(),
      };
      this.queues.set(
        wanted.name,
        new InMemoryQueue(wanted, wanted.exclusive === true ? connection : null, limits, (frame, reason) =>
          this.dropped(wanted.name, frame, reason),
        ),
      );
    } else {
      mustOwn(existing, connection);
      const { durable, autoDelete, arguments: args } = existing.declaration;
      refuseOther(
        `queue ${wanted.name}`,
        { durable, autoDelete, ...args },
        { durable: wanted.durable, autoDelete: wanted.autoDelete, ...wanted.arguments },
      );
      existing.touch();
    }
    for (const { exchange, routingKey } of wanted.bindings) this.bind(wanted.name, exchange, routingKey);
  }

  private bind(queue: string, exchange: string, routingKey: string): void {
    const found = this.exchanges.get(exchange);
    if (found === undefined) throw new NovellaError('rpc-no-route', 'there is no such exchange', { exchange });
    const queues = found.bindings.get(routingKey) ?? new Set();
    found.bindings.set(routingKey, queues.add(queue));
  }

  /** A frame that left a queue without an ack, under the broker's policy for dead letters. */
  private dropped(queue: string, frame: StoredFrame, reason: DropReason): void {
    const letters = this.queues.get(DEAD_LETTER);
    if (this.options.deadLetterPolicy === false || letters === undefined || queue === DEAD_LETTER) return;
    if (letters.depth >= (this.options.maxLength ?? 100_000)) letters.dropOldest();
    const headers = { ...frame.headers, 'x-first-death-reason': reason, 'x-first-death-queue': queue };
    letters.push({ ...frame, exchange: DEAD_LETTER, headers, expiresAt: null, deliveryCount: 0 });
  }

  private dropUnusedQueues(): void {
    for (const [name, queue] of this.queues) {
      if (queue.unused) this.remove(name);
    }
  }

  private remove(name: string): void {
    this.queues.delete(name);
    for (const { bindings } of this.exchanges.values()) {
      for (const bound of bindings.values()) bound.delete(name);
    }
  }
}

/** What AMQP answers with 405. */
function mustOwn({ owner, declaration }: InMemoryQueue, connection: object): void {
  if (owner === null || owner === connection) return;
  const { name } = declaration;
  throw new NovellaError('host-name-taken', `another connection holds ${name}`, { queue: name });
}

/** What AMQP answers with 406. */
function refuseOther(what: string, has: Record<string, unknown>, wanted: Record<string, unknown>): void {
  for (const name of new Set([...Object.keys(has), ...Object.keys(wanted)])) {
    if (has[name] === wanted[name]) continue;
    const facts = { what, argument: name, found: String(has[name]), wanted: String(wanted[name]) };
    throw new NovellaError('broker-refused', `the broker has the ${what} with another ${name}`, facts);
  }
}
