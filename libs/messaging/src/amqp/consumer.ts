import { type Clock, type Log, NovellaError, type Random } from '@novella/core';
import type { LinkConsumer, QueueLook, Topology } from '../link.js';
import { ConsumerChannel, type Wants } from './consumer-channel.js';
import { ReconnectDelay } from './reconnect-delay.js';
import { unreachable } from '../unreachable.js';
import { failedRequest, REFUSED, replyCode } from './refusals.js';
import type { Session } from './session.js';

export interface ConsumerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What this link declared of the queue; null when it did not. */
  readonly topologyOf: (queue: string) => Topology | null;
  readonly ended: () => void;
}

/** A consumer over all its channels: the link attaches it to each connection, and it gets over the loss of a channel. */
export class AmqpConsumer implements LinkConsumer {
  private channel: ConsumerChannel | null = null;
  private attaching = false;
  private paused = false;
  private readonly end = new AbortController();

  constructor(
    readonly wants: Wants,
    private readonly options: ConsumerOptions,
  ) {}

  async pause(): Promise<void> {
    this.paused = true;
    await this.applyFlow();
  }

  async resume(): Promise<void> {
    this.paused = false;
    await this.applyFlow();
  }

  async look(): Promise<QueueLook> {
    if (this.channel === null) throw unreachable('the consumer has no channel', this.facts);
    try {
      return await this.channel.look();
    } catch (error) {
      throw failedRequest(`look at ${this.wants.queue}`, error);
    }
  }

  async cancel(): Promise<void> {
    if (this.end.signal.aborted) return;
    this.end.abort();
    this.options.ended();
    await this.channel?.close();
  }

  /** Rejects with `rpc-no-route` when there is no such queue, `broker-refused` or `broker-unreachable`. */
  async attach(session: Session): Promise<void> {
    if (this.isOver()) return;
    this.attaching = true;
    try {
      const channel = await ConsumerChannel.open(session.consuming, this.wants, {
        onEnd: (why) => this.onChannelEnd(session, why),
        onFault: (error) => this.options.log.error('a delivery could not be handed on', { ...this.facts, error }),
      });
      this.channel = channel;
      await channel.flow(!this.paused);
      if (channel.isOver) throw unreachable('the channel ended as it was opened', this.facts);
      // Cancelled while it opened.
      if (this.isOver()) await channel.close();
    } catch (error) {
      this.channel = null;
      if (replyCode(error) !== REFUSED.notFound) throw failedRequest(`consume ${this.wants.queue}`, error);
      throw new NovellaError('rpc-no-route', 'there is no such queue', this.facts, { cause: error });
    } finally {
      this.attaching = false;
    }
  }

  private get facts(): { readonly queue: string } {
    return { queue: this.wants.queue };
  }

  private isOver(): boolean {
    return this.end.signal.aborted;
  }

  /** A channel that ends meanwhile is attached again in the state that is wanted then. */
  private async applyFlow(): Promise<void> {
    await this.channel?.flow(!this.paused).catch(() => undefined);
  }

  private onChannelEnd(session: Session, why: Error): void {
    // Whoever opens it is told by a rejection.
    if (this.attaching) return;
    this.channel = null;
    void this.reattach(session, why);
  }

  /** Until it consumes again, or the connection or the consumer is over. */
  private async reattach(session: Session, why: Error): Promise<void> {
    // A connection that ends takes its channels first.
    await Promise.resolve();
    const { clock, random, log } = this.options;
    const over = AbortSignal.any([this.end.signal, session.consuming.ended]);
    if (over.aborted) return;
    log.warn('a consumer lost its channel', { ...this.facts, error: why });
    const delay = new ReconnectDelay(clock, random);
    while (!(await this.attachAgain(session))) {
      try {
        await delay.wait(over);
      } catch {
        return;
      }
    }
  }

  private async attachAgain(session: Session): Promise<boolean> {
    try {
      const topology = this.options.topologyOf(this.wants.queue);
      if (topology !== null) await session.topology.declare(topology);
      await this.attach(session);
      return true;
    } catch (error) {
      this.options.log.error('a consumer has no queue to consume', { ...this.facts, error });
      return false;
    }
  }
}
