import type { HandlersOf, MessageFacts, MethodDefinition, RpcContract } from '@novella/contracts';
import { type Clock, type HostName, type Log, millis, type Millis, NovellaError, type Random } from '@novella/core';
import { z } from 'zod';
import { deadLetter } from './dead-letter.js';
import { decodeRequest, type ReplyAddress, type RpcRequest } from './envelope.js';
import { encodeFailure, noSuchMethod, type OsloFailure, unsupportedVersion } from './failure.js';
import { HeldConsumer } from './held-consumer.js';
import { isProbe } from './probe-message.js';
import { ReplySender } from './reply-sender.js';
import { backoff, RETRY_LIMITS, retryDelay, type RetryLimits } from './retry.js';
import type { Delivery, Link } from './link.js';
import { type Route, routeTo, serverTopology, type Target } from './topology.js';
import { versionIsCompatible } from './versions.js';

export interface RpcServerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Deliveries that are worked on at once, on each queue; 16 unless given. */
  readonly prefetch?: number;
  /** Also take what is sent to all servers of the topic. */
  readonly fanout?: boolean;
  readonly exchange?: string;
  /**
   * Where replies go in, with the reply queue's name as the key: '' (the default exchange, as oslo.messaging does) unless
   * given. The control exchange for a user who may write only there; callers bind their reply queues to both.
   */
  readonly replyExchange?: string;
  readonly retry?: RetryLimits;
}

export interface RpcServerCounts {
  /** Probes among them. */
  received: number;
  /** Handlers that resolved. */
  handled: number;
  /** Tries after the first. */
  retries: number;
  /** Calls that were answered with a failure. */
  failedCalls: number;
  deadLettered: number;
}

/** One message that is being worked on. A redelivery of it, after the link dropped, takes the old delivery's place. */
interface Work {
  delivery: Delivery;
  settled: boolean;
  readonly consumer: HeldConsumer;
}

type Handler = (args: unknown, facts: MessageFacts) => Promise<unknown>;
interface Accepted {
  readonly method: MethodDefinition;
  readonly args: unknown;
  readonly handler: Handler;
}

/**
 * Serves one contract, for any server of the topic (`host` null) or as the one on a host.
 *
 * cast   acked after its handler resolved. A transient fault (grade `unsure`, or anything that is no NovellaError) keeps
 *        it unacked, pauses the consumer and repeats the handler in place with backoff; other faults, and a fault that
 *        outlasts `RetryLimits`, are dead-lettered. Nothing is ever requeued on purpose.
 * call   answered with the result or the failure, then acked; never repeated.
 * What cannot be decoded, or fits no method, version or argument schema is dead-lettered; a caller is told instead.
 */
export class RpcServer<C extends RpcContract> {
  readonly counts: RpcServerCounts = { received: 0, handled: 0, retries: 0, failedCalls: 0, deadLettered: 0 };
  /** Of the queue that is this server's own, or its topic's: what a probe watches, and the way to it. */
  readonly consumer: HeldConsumer;
  readonly route: Route;
  private readonly own: Target;
  private readonly consumers: HeldConsumer[] = [];
  private readonly running = new Set<Promise<void>>();
  private readonly workById = new Map<string, Work>();
  private readonly closing = new AbortController();
  private readonly replies: ReplySender;

  constructor(
    private readonly link: Link,
    private readonly contract: C,
    host: HostName | null,
    private readonly handlers: HandlersOf<C>,
    private readonly options: RpcServerOptions,
  ) {
    const { clock, random, log, exchange, replyExchange = '' } = options;
    this.own = host === null ? { kind: 'any', topic: contract.topic } : { kind: 'host', topic: contract.topic, host };
    this.route = routeTo(this.own, exchange);
    this.consumer = this.newConsumer();
    this.replies = new ReplySender(link, { clock, random, log, exchange: replyExchange });
  }

  /** Resolves when the queues are consumed; waits for a connection when there is none. */
  async start(): Promise<void> {
    try {
      await this.consume(this.own, this.consumer);
      if (this.options.fanout !== true) return;
      await this.consume({ kind: 'fanout', topic: this.contract.topic }, this.newConsumer());
    } catch (error) {
      if (!this.closing.signal.aborted) throw error;
    }
  }

  /**
   * Stops taking, waits up to `graceMs` for the handlers that run, and hands back what is still held: it goes to the
   * head of its queue. Messages that wait for a retry are handed back at once. The link stays open.
   */
  async close({ graceMs }: { graceMs: number }): Promise<{ readonly handedBack: number }> {
    this.closing.abort();
    await Promise.all(this.consumers.map((consumer) => consumer.stop()));
    const graceOver = new AbortController();
    const finished = Promise.all(this.running);
    const tooLong = this.options.clock.sleep(millis(graceMs), graceOver.signal).catch(() => undefined);
    await Promise.race([finished, tooLong]);
    graceOver.abort();
    const handedBack = this.consumers.reduce((sum, consumer) => sum + consumer.heldNow, 0);
    await Promise.all(this.consumers.map((consumer) => consumer.cancel()));
    return { handedBack };
  }

  private newConsumer(): HeldConsumer {
    const consumer = new HeldConsumer(this.options.prefetch ?? 16, this.options.clock);
    this.consumers.push(consumer);
    return consumer;
  }

  private async consume(target: Target, consumer: HeldConsumer): Promise<void> {
    const { random, exchange } = this.options;
    const topology = serverTopology(target, random.uuid().replaceAll('-', ''), exchange);
    await this.link.declare(topology);
    for (const { name } of topology.queues) {
      const take = (delivery: Delivery): void => this.take(delivery, consumer);
      await consumer.start(await this.link.consume(name, { prefetch: consumer.prefetch }, take));
    }
    if (this.closing.signal.aborted) await consumer.cancel();
  }

  private take(delivery: Delivery, consumer: HeldConsumer): void {
    consumer.take(delivery);
    if (this.closing.signal.aborted) return;
    this.counts.received += 1;
    const done = this.serve(delivery, consumer)
      .catch((error: unknown) => this.options.log.error('a message is left unacked', { queue: delivery.queue, error }))
      .finally(() => {
        this.running.delete(done);
        if (delivery.lost.aborted) consumer.release(delivery);
      });
    this.running.add(done);
  }

  private async serve(delivery: Delivery, consumer: HeldConsumer): Promise<void> {
    const work: Work = { delivery, consumer, settled: false };
    let request: RpcRequest;
    try {
      request = decodeRequest(delivery.body);
    } catch (error) {
      return this.discard(work, error);
    }
    if (isProbe(request)) {
      settle(work);
      return;
    }
    const id = request.uniqueId;
    const running = id === null || !delivery.redelivered ? undefined : this.workById.get(id);
    if (running?.settled === false) {
      running.delivery = delivery;
      return;
    }
    if (id !== null) this.workById.set(id, work);
    try {
      await this.dispatch(work, request);
    } finally {
      if (id !== null && this.workById.get(id) === work) this.workById.delete(id);
    }
    // Given up for the old delivery, just when the new one had joined.
    const again = work.delivery !== delivery && !work.settled && !this.closing.signal.aborted;
    if (again) await this.serve(work.delivery, consumer);
  }

  private async dispatch(work: Work, request: RpcRequest): Promise<void> {
    const accepted = this.accept(request);
    if ('refusal' in accepted) {
      const { refusal } = accepted;
      if (request.reply === null) return this.discard(work, new NovellaError('rpc-message-invalid', refusal.message));
      return this.answer(work, request.reply, null, refusal);
    }
    if (request.reply === null) return this.cast(work, request, accepted);
    return this.call(work, request, request.reply, accepted);
  }

  private accept(request: RpcRequest): Accepted | { readonly refusal: OsloFailure } {
    const { method: name, version, namespace } = request;
    if (namespace !== null || !versionIsCompatible(this.contract.version, version)) {
      return { refusal: unsupportedVersion(version, name) };
    }
    const method = Object.hasOwn(this.contract.methods, name) ? this.contract.methods[name] : undefined;
    if (method === undefined) return { refusal: noSuchMethod(name) };
    const args = method.args.safeParse(request.args);
    if (!args.success) {
      const text = `arguments of ${name}: ${z.prettifyError(args.error)}`;
      return { refusal: encodeFailure(new NovellaError('rpc-message-invalid', text, { method: name })) };
    }
    const handlers = this.handlers as unknown as Readonly<Record<string, Handler>>;
    const handler: Handler = async (parsed, facts) => handlers[name]?.(parsed, facts);
    return { method, args: args.data, handler };
  }

  private async cast(work: Work, request: RpcRequest, { args, handler }: Accepted): Promise<void> {
    const { clock, log, retry: limits = RETRY_LIMITS } = this.options;
    const facts = { method: request.method, requestId: request.context.requestId };
    const started = clock.monotonic();
    for (let tries = 1; ; tries += 1) {
      try {
        await handler(args, factsOf(work, request));
      } catch (error) {
        const delay = retryDelay(error, { tries, elapsedMs: clock.monotonic() - started }, limits);
        if (delay === null) return this.discard(work, error);
        log.warn('a handler failed and is repeated', { ...facts, tries, delayMs: delay, error });
        if (!(await this.waitPaused(work, delay))) return;
        this.counts.retries += 1;
        continue;
      }
      this.counts.handled += 1;
      settle(work);
      return;
    }
  }

  /** False when the message is no longer ours to repeat: the server closes, or the broker will deliver it again. */
  private async waitPaused(work: Work, delay: Millis): Promise<boolean> {
    const stop = AbortSignal.any([this.closing.signal, work.delivery.lost]);
    if (stop.aborted) return false;
    const resume = await work.consumer.pause(delay);
    try {
      await this.options.clock.sleep(delay, stop);
      return true;
    } catch {
      // Only its signal ends a sleep early.
      return false;
    } finally {
      await resume();
    }
  }

  private async call(work: Work, request: RpcRequest, reply: ReplyAddress, accepted: Accepted): Promise<void> {
    try {
      const handled = accepted.handler(accepted.args, factsOf(work, request));
      const result = resultOf(accepted.method, await this.replies.alive(reply, handled));
      this.counts.handled += 1;
      await this.answer(work, reply, result, null);
    } catch (error) {
      await this.answer(work, reply, null, encodeFailure(error));
    }
  }

  private async answer(work: Work, to: ReplyAddress, result: unknown, failure: OsloFailure | null): Promise<void> {
    if (failure !== null) this.counts.failedCalls += 1;
    await this.replies.answer(to, result, failure);
    settle(work);
  }

  /** Repeated until the dead-letter queue has it: while the link stands, there is nowhere else to go with it. */
  private async discard(work: Work, error: unknown): Promise<void> {
    const { log, retry: limits = RETRY_LIMITS } = this.options;
    const { queue } = work.delivery;
    const reason = error instanceof NovellaError ? `${error.code}: ${error.message}` : String(error);
    for (let tries = 1; ; tries += 1) {
      try {
        await deadLetter(this.link, work.delivery, reason);
        settle(work);
        this.counts.deadLettered += 1;
        log.error('a message is dead-lettered', { queue, error });
        return;
      } catch (refused) {
        log.error('a message could not be dead-lettered', { queue, tries, error: refused });
        if (!(await this.waitPaused(work, backoff(tries, limits)))) return;
      }
    }
  }
}

function settle(work: Work): void {
  work.settled = true;
  work.delivery.ack();
  work.consumer.release(work.delivery);
}

const factsOf = ({ delivery }: Work, request: RpcRequest): MessageFacts => ({
  requestId: request.context.requestId,
  redelivered: delivery.redelivered,
  userId: delivery.userId,
});

/** What a peer gets of a handler's result; a cast that somebody calls is answered with null. */
function resultOf(method: MethodDefinition, result: unknown): unknown {
  if (method.kind === 'cast') return null;
  const parsed = method.result.safeParse(result);
  if (parsed.success) return parsed.data;
  throw new NovellaError('internal', `a handler's result does not fit its contract: ${z.prettifyError(parsed.error)}`);
}
