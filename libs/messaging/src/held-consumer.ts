import type { Delivery, LinkConsumer } from './link.js';

/**
 * A link's consumer with what is held of it. Paused while at least one message waits for a retry, and for good once
 * stopped.
 */
export class HeldConsumer {
  /** Deliveries that are not acked; a lost one goes when its work ends. */
  readonly held = new Set<Delivery>();
  private consumer: LinkConsumer | null = null;
  private pauses = 0;
  private stopped = false;

  /** Deliveries may have come, and asked for a pause, before the link has answered with its consumer. */
  async start(consumer: LinkConsumer): Promise<void> {
    this.consumer = consumer;
    if (this.pauses > 0 || this.stopped) await consumer.pause();
  }

  get heldNow(): number {
    return [...this.held].filter(({ lost }) => !lost.aborted).length;
  }

  async pause(): Promise<void> {
    this.pauses += 1;
    if (this.pauses === 1) await this.consumer?.pause();
  }

  async resume(): Promise<void> {
    this.pauses -= 1;
    if (this.pauses === 0 && !this.stopped) await this.consumer?.resume();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.consumer?.pause();
  }

  async cancel(): Promise<void> {
    this.held.clear();
    await this.consumer?.cancel();
  }
}
