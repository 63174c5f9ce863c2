import { type Clock, type Log, type Millis, NovellaError, type Random } from '@novella/core';
import type { LinkConsumer, QueueLook, Topology } from '../link.js';
import { ConsumerChannel, type Wants } from './consumer-channel.js';
import { ReconnectDelay } from './reconnect-delay.js';
import { unreachable } from '../unreachable.js';
import { failedRequest, INTERNAL_ERROR, REFUSED, replyCode } from './refusals.js';
import type { Session } from './session.js';

export interface ConsumerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What this link declared of the queue; null when it did not. */
  readonly topologyOf: (queue: string) => Topology | null;
  /** How long a queue may be out of order at the broker before it is made anew. */
  readonly brokenQueuePatience: Millis;
  readonly ended: () => void;
}

/** Another consumer of the connection may be the one at fault. */
const LEAST_FAILURES = 3;

/** A consumer over all its channels: the link attaches it to each connection, and it gets over the loss of a channel. */
export class AmqpConsumer implements LinkConsumer {
  private channel: ConsumerChannel | null = null;
  private attaching = false;
  private paused = false;
  /** The broker's own failures to let us consume, one after the other. */
  private failures: { readonly since: number; count: number } | null = null;
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
      if (await this.isOutOfOrder(channel)) await this.makeAnew(session);
      await channel.flow(!this.paused);
      if (channel.isOver) throw unreachable('the channel ended as it was opened', this.facts);
      // Cancelled while it opened.
      if (this.isOver()) await channel.close();
      this.failures = null;
    } catch (thrown) {
      this.channel = null;
      const error = await this.whatEnded(session, thrown);
      if (replyCode(error) !== REFUSED.notFound) throw failedRequest(`consume ${this.wants.queue}`, error);
      throw new NovellaError('rpc-no-route', 'there is no such queue', this.facts, { cause: error });
    } finally {
      this.attaching = false;
    }
  }

  /** The broker may end the whole connection over a request, and the request then says nothing of why. */
  private async whatEnded(session: Session, thrown: unknown): Promise<unknown> {
    const error = session.consuming.isOver && replyCode(thrown) === null ? await session.consuming.gone : thrown;
    if (replyCode(error) === INTERNAL_ERROR) {
      this.failures ??= { since: this.options.clock.monotonic(), count: 0 };
      this.failures.count += 1;
    }
    return error;
  }

  /**
   * A quorum queue whose log did not survive a full disk (RabbitMQ 3.10: `corrupt_log`) can be declared, and whoever
   * consumes it is thrown out, for ever. Who consumes it shows that it works.
   */
  private async isOutOfOrder(channel: ConsumerChannel): Promise<boolean> {
    const { failures } = this;
    if (failures === null || failures.count < LEAST_FAILURES) return false;
    const since = this.options.clock.monotonic() - failures.since;
    return since >= this.options.brokenQueuePatience && (await channel.look()).consumers === 0;
  }

  /** Nothing is lost with it: a queue has no more than hints of what is on record, and what has no answer is sent again. */
  private async makeAnew(session: Session): Promise<void> {
    const topology = this.options.topologyOf(this.wants.queue);
    if (topology === null) return;
    this.options.log.error('the broker cannot bring a queue up again: it is deleted and made anew', this.facts);
    await session.topology.deleteQueue(this.wants.queue);
    await session.topology.declare(topology);
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
