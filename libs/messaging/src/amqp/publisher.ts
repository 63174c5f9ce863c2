import { type Clock, type Millis, millis, NovellaError } from '@novella/core';
import type { ConfirmChannel, Message } from 'amqplib';
import { mustFit } from '../limits.js';
import type { Frame, PublishOptions } from '../link.js';
import { unreachable } from '../unreachable.js';
import type { AmqpConnection } from './connection.js';
import { REFUSED, replyCode } from './refusals.js';

/** What may wait for confirms: beyond it the broker is slower than we are, and memory would fill. */
const MOST_PENDING = 10_000;
const MOST_PENDING_BYTES = 64 * 2 ** 20;

type Outcome = 'confirmed' | 'returned';

interface Pending {
  readonly frame: Frame;
  readonly deadline: number;
  returned: boolean;
  resolve(outcome: Outcome): void;
  reject(reason: NovellaError): void;
}

export interface PublisherOptions {
  readonly clock: Clock;
  readonly confirmTimeout: Millis;
  /** Our own broker user: the broker checks it and hands it to the consumer. */
  readonly userId: string;
}

/**
 * Publishes on a confirm channel of one connection. The number of a publish on its channel is the broker's delivery tag
 * of the confirm; it also goes along as `message_id`, by which a returned frame (it comes before its confirm) is known.
 */
export class Publisher {
  private channel: ConfirmChannel | null = null;
  private opening: Promise<ConfirmChannel> | null = null;
  /** Publishes of `channel` without an answer, oldest first. */
  private readonly pending = new Map<number, Pending>();
  private pendingBytes = 0;
  private published = 0;
  private watching: AbortController | null = null;
  private idle: (() => void)[] = [];

  constructor(
    private readonly connection: AmqpConnection,
    private readonly options: PublisherOptions,
  ) {}

  /** So that the first publish finds an open channel. */
  async open(): Promise<void> {
    await this.openChannel();
  }

  async publish(frame: Frame, options: PublishOptions): Promise<Outcome> {
    this.mustTake(frame);
    const channel = this.channel ?? (await this.openChannel());
    return new Promise<Outcome>((resolve, reject) => {
      const sequence = this.published + 1;
      this.send(channel, sequence, frame, options);
      this.published = sequence;
      this.pendingBytes += frame.body.length;
      const deadline = this.options.clock.monotonic() + this.options.confirmTimeout;
      this.pending.set(sequence, { frame, deadline, returned: false, resolve, reject });
      if (this.watching === null) void this.watchDeadlines();
    });
  }

  /** Resolves when nothing waits for a confirm; each publish ends by its deadline. */
  async settled(): Promise<void> {
    if (this.pending.size > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** The connection is gone, or goes. */
  end(reason: Error): void {
    this.watching?.abort();
    this.rejectAll((pending) => unknownOutcome(pending, 'the connection ended before the broker confirmed', reason));
  }

  private mustTake(frame: Frame): void {
    mustFit(frame);
    const { body } = frame;
    const { blocked } = this.connection;
    if (blocked !== null) throw unreachable('the broker takes no messages at the moment', { reason: blocked });
    if (this.pending.size >= MOST_PENDING || this.pendingBytes + body.length > MOST_PENDING_BYTES) {
      const facts = { pending: this.pending.size, bytes: this.pendingBytes };
      throw unreachable('too many messages wait for the broker to confirm them', facts);
    }
  }

  private send(channel: ConfirmChannel, sequence: number, frame: Frame, options: PublishOptions): void {
    const { exchange, routingKey, body, contentType, contentEncoding, headers } = frame;
    const { expirationMs, persistent, mandatory } = options;
    const properties = {
      contentType,
      contentEncoding,
      headers,
      persistent,
      mandatory,
      priority: 0,
      messageId: String(sequence),
      userId: this.options.userId,
      ...(expirationMs === undefined ? {} : { expiration: String(Math.max(0, Math.trunc(expirationMs))) }),
    };
    try {
      channel.publish(exchange, routingKey, body, properties);
    } catch (cause) {
      if (this.channel !== channel) throw unreachable('the channel closed', {}, cause);
      throw new NovellaError('rpc-message-invalid', 'the message cannot be encoded', { routingKey }, { cause });
    }
  }

  private openChannel(): Promise<ConfirmChannel> {
    this.opening ??= this.connection
      .confirmChannel()
      .then((channel) => this.use(channel))
      .catch((cause: unknown) => {
        throw unreachable('the broker opened no channel to publish on', {}, cause);
      })
      .finally(() => (this.opening = null));
    return this.opening;
  }

  private use(channel: ConfirmChannel): ConfirmChannel {
    this.published = 0;
    let why: Error = new Error('the channel was closed');
    channel.on('error', (error) => (why = error));
    channel.on('close', () => {
      if (this.channel === channel) this.channel = null;
      this.rejectAll((pending) => refusal(pending, why));
    });
    channel.on('return', (message) => this.onReturn(message));
    channel.on('ack', ({ deliveryTag, multiple }) => this.onAnswer(deliveryTag, multiple, true));
    channel.on('nack', ({ deliveryTag, multiple }) => this.onAnswer(deliveryTag, multiple, false));
    this.channel = channel;
    return channel;
  }

  private onReturn(message: Message): void {
    const pending = this.pending.get(Number(message.properties.messageId));
    if (pending !== undefined) pending.returned = true;
  }

  private onAnswer(tag: number, multiple: boolean, taken: boolean): void {
    if (!multiple) {
      this.settle(tag, taken);
      return;
    }
    for (const sequence of this.pending.keys()) {
      if (sequence > tag) return;
      this.settle(sequence, taken);
    }
  }

  private settle(sequence: number, taken: boolean): void {
    const pending = this.take(sequence);
    if (pending === undefined) return; // it came after its deadline
    if (taken) pending.resolve(pending.returned ? 'returned' : 'confirmed');
    else pending.reject(unreachable('the broker refused the message', { routingKey: pending.frame.routingKey }));
  }

  private take(sequence: number): Pending | undefined {
    const pending = this.pending.get(sequence);
    if (pending === undefined) return undefined;
    this.pending.delete(sequence);
    this.pendingBytes -= pending.frame.body.length;
    if (this.pending.size === 0) {
      for (const resolve of this.idle.splice(0)) resolve();
    }
    return pending;
  }

  private rejectAll(reasonOf: (pending: Pending) => NovellaError): void {
    for (const sequence of [...this.pending.keys()]) {
      const pending = this.take(sequence);
      pending?.reject(reasonOf(pending));
    }
  }

  /** One timer for all: it runs out at the oldest publish's deadline, and then at that of what is oldest by then. */
  private async watchDeadlines(): Promise<void> {
    const stop = new AbortController();
    this.watching = stop;
    const { clock, confirmTimeout } = this.options;
    for (const [sequence, oldest] of this.untilNonePends()) {
      const left = oldest.deadline - clock.monotonic();
      if (left > 0) await clock.sleep(millis(left), stop.signal).catch(() => undefined);
      if (stop.signal.aborted) break;
      // Answered meanwhile, or of a channel that has closed; the number may be another publish's by now.
      if (this.pending.get(sequence) !== oldest || oldest.deadline > clock.monotonic()) continue;
      this.take(sequence);
      oldest.reject(unknownOutcome(oldest, `the broker did not confirm within ${confirmTimeout} ms`));
    }
    if (this.watching === stop) this.watching = null;
  }

  private *untilNonePends(): Generator<[number, Pending]> {
    for (;;) {
      const [oldest] = this.pending;
      if (oldest === undefined) return;
      yield oldest;
    }
  }
}

function unknownOutcome({ frame }: Pending, message: string, cause?: Error): NovellaError {
  return unreachable(message, { routingKey: frame.routingKey }, cause);
}

/** The broker closed the channel over one publish, and never answers the others. */
function refusal(pending: Pending, why: Error): NovellaError {
  const { exchange, routingKey } = pending.frame;
  const code = replyCode(why);
  const named = /(?:no exchange|exchange) '([^']*)'/.exec(why.message)?.[1]?.replace(/^amq\.default$/, '');
  if (named === exchange && code === REFUSED.notFound) {
    return new NovellaError('rpc-no-route', 'there is no such exchange', { exchange }, { cause: why });
  }
  const key = /access to topic '([^']*)'/.exec(why.message)?.[1];
  if (named === exchange && code === REFUSED.access && (key === undefined || key === routingKey)) {
    const facts = { exchange, routingKey };
    return new NovellaError('broker-refused', 'this user may not publish there', facts, { cause: why });
  }
  return unknownOutcome(pending, 'the channel closed before the broker confirmed', why);
}
