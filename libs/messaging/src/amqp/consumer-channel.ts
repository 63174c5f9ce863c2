import type { Channel, ConsumeMessage } from 'amqplib';
import type { Delivery, QueueLook } from '../link.js';
import type { AmqpConnection } from './connection.js';
import { AmqpDelivery } from './delivery.js';

export interface Wants {
  readonly queue: string;
  readonly prefetch: number;
  readonly onDelivery: (delivery: Delivery) => void;
}

/** One basic.consume: the broker counts `size` unacked deliveries for it alone. */
interface Window {
  readonly tag: string;
  readonly size: number;
  held: number;
}

/**
 * A consumer's channel, from its opening to its end.
 *
 * To pause is basic.cancel: what is held stays held and can be acked, and other consumers of the queue go on. To resume is
 * basic.consume, which opens a new prefetch window: a quorum queue does not count for it what the cancelled consumer still
 * holds. (It would with the old consumer tag, but RabbitMQ 3.10 then closes the connection with 541.) So the new window is
 * smaller by what is held, and one more is opened beside it for what of that has been acked. Together they are never larger
 * than the prefetch; the next pause closes them all.
 */
export class ConsumerChannel {
  private readonly gone = new AbortController();
  private readonly windows = new Set<Window>();
  private opened = 0;
  /** Deliveries of closed windows that are not acked. */
  private heldBefore = 0;
  private flowing = false;
  private turn: Promise<void> = Promise.resolve();

  private constructor(
    private readonly channel: Channel,
    private readonly wants: Wants,
    private readonly onFault: (error: unknown) => void,
  ) {}

  /**
   * `onEnd` is called once, with the reason, when the channel is over and nobody here asked for that: its connection is
   * gone, the broker closed it or the queue was deleted.
   */
  static async open(
    connection: AmqpConnection,
    wants: Wants,
    { onEnd, onFault }: { onEnd: (why: Error) => void; onFault: (error: unknown) => void },
  ): Promise<ConsumerChannel> {
    const channel = await connection.channel();
    const opened = new ConsumerChannel(channel, wants, onFault);
    let why = new Error('the channel was closed');
    channel.on('error', (error) => (why = error));
    channel.on('cancel', () => {
      opened.over(new Error('the queue was deleted'), onEnd);
      channel.close().catch(() => undefined);
    });
    channel.on('close', () => opened.over(why, onEnd));
    return opened;
  }

  get isOver(): boolean {
    return this.gone.signal.aborted;
  }

  /** Consumes or pauses; after a pause resolves no delivery comes. Rejects with what amqplib rejects with. */
  flow(flowing: boolean): Promise<void> {
    this.flowing = flowing;
    return this.inTurn(() => this.settleFlow());
  }

  /** A passive declare, which needs no permission. Rejects with what amqplib rejects with. */
  async look(): Promise<QueueLook> {
    const { messageCount, consumerCount } = await this.channel.checkQueue(this.wants.queue);
    return { ready: messageCount, consumers: consumerCount };
  }

  /** Ends it; what is not acked goes back to the queue. */
  async close(): Promise<void> {
    this.gone.abort();
    // Behind the acks on the same channel, which the broker has then taken.
    await this.channel.close().catch(() => undefined);
  }

  private over(why: Error, onEnd: (why: Error) => void): void {
    if (this.gone.signal.aborted) return;
    this.gone.abort();
    onEnd(why);
  }

  private inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.turn.then(run);
    this.turn = turn.catch(() => undefined);
    return turn;
  }

  private async settleFlow(): Promise<void> {
    if (this.gone.signal.aborted) return;
    if (this.flowing) await this.openWindow();
    else await this.closeWindows();
  }

  private async openWindow(): Promise<void> {
    const open = [...this.windows].reduce((sum, { size }) => sum + size, 0);
    const size = this.wants.prefetch - open - this.heldBefore;
    if (size <= 0) return;
    const window: Window = { tag: `${this.wants.queue}.${++this.opened}`, size, held: 0 };
    this.windows.add(window);
    await this.channel.prefetch(size);
    const options = { consumerTag: window.tag, noAck: false };
    await this.channel.consume(this.wants.queue, (message) => this.onMessage(message, window), options);
  }

  private async closeWindows(): Promise<void> {
    for (const window of this.windows) {
      await this.channel.cancel(window.tag);
      this.windows.delete(window);
      this.heldBefore += window.held;
    }
  }

  private onMessage(message: ConsumeMessage | null, window: Window): void {
    if (message === null || this.gone.signal.aborted) return;
    window.held += 1;
    const delivery = new AmqpDelivery(message, this.wants.queue, this.gone.signal, (acked) => this.ack(acked, window));
    try {
      this.wants.onDelivery(delivery);
    } catch (error) {
      // amqplib would close the channel over it.
      this.onFault(error);
    }
  }

  private ack(message: ConsumeMessage, window: Window): void {
    if (this.gone.signal.aborted) return;
    this.channel.ack(message);
    window.held -= 1;
    if (this.windows.has(window)) return;
    this.heldBefore -= 1;
    if (!this.flowing) return;
    this.inTurn(() => this.settleFlow()).catch((error: unknown) => (this.isOver ? undefined : this.onFault(error)));
  }
}
