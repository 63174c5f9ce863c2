import { type Clock, type Millis, millis } from '@novella/core';
import type { Delivery, LinkConsumer, QueueLook } from './link.js';
import { unreachable } from './unreachable.js';

/**
 * Whether the broker should hand a consumer its next message at once.
 *
 * free      it should
 * full      all that may be unacked is held
 * paused    a message waits for its retry, and others wait for it
 * idle      it does not consume yet
 * stopped   it does not consume any more
 */
export type ConsumerRoom = 'free' | 'full' | 'paused' | 'idle' | 'stopped';

/** A pause that has not ended so long after its time is nobody's any more. */
const PAUSE_SLACK = millis(5_000);

/**
 * A link's consumer with what is held of it. Paused while at least one message waits for a retry, and for good once
 * stopped.
 */
export class HeldConsumer {
  /** Deliveries that are not acked; a lost one goes when its work ends. */
  private readonly held = new Set<Delivery>();
  private consumer: LinkConsumer | null = null;
  /** Of each pause the moment when it should end. */
  private readonly pauses = new Map<symbol, number>();
  private readonly listeners = new Set<() => void>();
  private stopped = false;
  private pausesBegun = 0;

  constructor(
    readonly prefetch: number,
    private readonly clock: Clock,
  ) {}

  /** Deliveries may have come, and asked for a pause, before the link has answered with its consumer. */
  async start(consumer: LinkConsumer): Promise<void> {
    this.consumer = consumer;
    if (!this.flows) await consumer.pause();
  }

  get heldNow(): number {
    return [...this.held].filter(({ lost }) => !lost.aborted).length;
  }

  /** How many pauses have begun: when it is the same as before, there was none in between. */
  get pauseCount(): number {
    return this.pausesBegun;
  }

  get room(): ConsumerRoom {
    if (this.stopped) return 'stopped';
    if (this.consumer === null) return 'idle';
    if ([...this.pauses.values()].some((end) => !this.isOverdue(end))) return 'paused';
    return this.heldNow >= this.prefetch ? 'full' : 'free';
  }

  take(delivery: Delivery): void {
    this.held.add(delivery);
    for (const listener of [...this.listeners]) listener();
  }

  /** It was acked, or its work ended after it was lost. */
  release(delivery: Delivery): void {
    this.held.delete(delivery);
  }

  /** Calls `listener` at each delivery; the function that comes back ends it. */
  onDelivery(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Ends with the function that comes back, which shall be called after about `length`. */
  async pause(length: Millis): Promise<() => Promise<void>> {
    const pause = Symbol('pause');
    const flowed = this.flows;
    this.pausesBegun += 1;
    this.pauses.set(pause, this.clock.monotonic() + length);
    if (flowed) await this.consumer?.pause();
    return async () => {
      if (this.pauses.delete(pause) && this.flows) await this.consumer?.resume();
    };
  }

  /** Forgets pauses that should have ended long ago, and tells the link again what is wanted. */
  async restore(): Promise<void> {
    for (const [pause, end] of this.pauses) {
      if (this.isOverdue(end)) this.pauses.delete(pause);
    }
    await (this.flows ? this.consumer?.resume() : this.consumer?.pause());
  }

  /** As `LinkConsumer.look`. */
  async look(): Promise<QueueLook> {
    if (this.consumer === null) throw unreachable('the queue is not consumed');
    return this.consumer.look();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.consumer?.pause();
  }

  async cancel(): Promise<void> {
    this.held.clear();
    await this.consumer?.cancel();
  }

  private get flows(): boolean {
    return this.pauses.size === 0 && !this.stopped;
  }

  private isOverdue(end: number): boolean {
    return this.clock.monotonic() > end + PAUSE_SLACK;
  }
}
