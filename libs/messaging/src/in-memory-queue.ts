import type { QueueDeclaration } from './link.js';

/** A frame as the in-memory broker holds it. */
export interface StoredFrame {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly headers: Readonly<Record<string, string | number | boolean>>;
  readonly persistent: boolean;
  readonly userId: string | null;
  /** On the broker's monotonic clock; null when it keeps for ever. */
  readonly expiresAt: number | null;
  /** How often it has come back unacked. */
  readonly deliveryCount: number;
}

/** One consumer as the broker sees it. `unacked` is in the order of delivery. */
export interface Subscription {
  readonly queue: string;
  readonly prefetch: number;
  readonly unacked: Map<number, StoredFrame>;
  deliver(tag: number, frame: StoredFrame): void;
  /** The queue is gone, with what it held. */
  deleted(): void;
}

export type DropReason = 'expired' | 'delivery_limit';

/** The frames of one queue and who takes them: first in, first out; consumers in turn, each up to its prefetch. */
export class InMemoryQueue {
  private ready: StoredFrame[] = [];
  private readonly subscriptions: Subscription[] = [];
  private readonly held = new Set<Subscription>();
  private nextTag = 1;
  private lastUsed: number;

  constructor(
    readonly declaration: QueueDeclaration,
    /** The connection that it belongs to; null when it is not exclusive. */
    readonly owner: object | null,
    private readonly limits: { deliveryLimit: number | null; now: () => number },
    private readonly onDrop: (frame: StoredFrame, reason: DropReason) => void,
  ) {
    this.lastUsed = limits.now();
  }

  get depth(): number {
    this.dropExpired();
    return this.ready.length;
  }

  get consumers(): number {
    return this.subscriptions.length;
  }

  /** x-expires: nobody consumed or declared it for so long. */
  get unused(): boolean {
    const ttl = this.declaration.arguments['x-expires'];
    if (typeof ttl !== 'number' || this.subscriptions.length > 0 || this.held.size > 0) return false;
    return this.limits.now() - this.lastUsed >= ttl;
  }

  frames(): readonly StoredFrame[] {
    this.dropExpired();
    return this.ready;
  }

  touch(): void {
    this.lastUsed = this.limits.now();
  }

  push(frame: StoredFrame): void {
    this.ready.push(frame);
    this.dispatch();
  }

  dropOldest(): void {
    this.ready.shift();
  }

  /** Repeating it changes nothing. */
  subscribe(subscription: Subscription): void {
    if (this.subscriptions.includes(subscription)) return;
    this.subscriptions.push(subscription);
    this.held.add(subscription);
    this.dispatch();
  }

  /** No further delivery; what it holds stays held. */
  unsubscribe(subscription: Subscription): void {
    const index = this.subscriptions.indexOf(subscription);
    if (index >= 0) this.subscriptions.splice(index, 1);
    this.touch();
  }

  /** Ends it; what it holds goes back to the head in the old order, or away when it has come back too often. */
  release(subscription: Subscription): void {
    this.unsubscribe(subscription);
    this.held.delete(subscription);
    const { deliveryLimit } = this.limits;
    const back: StoredFrame[] = [];
    for (const frame of subscription.unacked.values()) {
      const returned = { ...frame, deliveryCount: frame.deliveryCount + 1 };
      if (deliveryLimit !== null && returned.deliveryCount > deliveryLimit) this.onDrop(returned, 'delivery_limit');
      else back.push(returned);
    }
    subscription.unacked.clear();
    this.ready = [...back, ...this.ready];
    this.dispatch();
  }

  ack(subscription: Subscription, tag: number): void {
    if (subscription.unacked.delete(tag)) this.dispatch();
  }

  /** It goes with all that is in it. */
  delete(): void {
    this.ready = [];
    for (const subscription of this.held) subscription.deleted();
  }

  /** A restart of the broker keeps only what is persistent. */
  forgetTransient(): void {
    this.ready = this.ready.filter((frame) => frame.persistent);
  }

  private dispatch(): void {
    for (;;) {
      this.dropExpired();
      const taker = this.subscriptions.find(({ unacked, prefetch }) => unacked.size < prefetch);
      if (taker === undefined) return;
      const frame = this.ready.shift();
      if (frame === undefined) return;
      const tag = this.nextTag++;
      taker.unacked.set(tag, frame);
      this.subscriptions.push(...this.subscriptions.splice(this.subscriptions.indexOf(taker), 1));
      taker.deliver(tag, frame);
    }
  }

  /** As the broker does: only at the head. */
  private dropExpired(): void {
    const now = this.limits.now();
    for (;;) {
      const head = this.ready[0];
      if (head === undefined || head.expiresAt === null || head.expiresAt > now) return;
      this.ready.shift();
      this.onDrop(head, 'expired');
    }
  }
}
