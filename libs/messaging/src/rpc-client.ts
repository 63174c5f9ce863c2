import type { ClientOf, MethodDefinition, RpcContract } from '@novella/contracts';
import { type Clock, type ErrorFacts, type HostName, type Log, millis, NovellaError, type Random } from '@novella/core';
import { z } from 'zod';
import { decodeReply, encodeRequest, FRAME_PROPERTIES, type ReplyAddress, type RpcContext } from './envelope.js';
import { decodeFailure } from './failure.js';
import type { Delivery, Link, LinkConsumer } from './link.js';
import { ReplyWaiters } from './reply-waiters.js';
import { publisherTopology, replyTopology, routeTo, type Target } from './topology.js';

/** The methods of a contract that are casts: what a fanout can carry. */
export type CastsOf<C extends RpcContract> = {
  readonly [
    Name in keyof C['methods'] as C['methods'][Name] extends { kind: 'cast' } ? Name : never
  ]: ClientOf<C>[Name];
};

/**
 * The client of one contract. A method rejects with
 * - `rpc-message-invalid`: the arguments do not fit the contract and nothing was sent, or the result does not fit
 * - `broker-unreachable`: the link is down or went down; the message may have been taken or not
 * - `rpc-no-route`: no queue takes it (mandatory casts, and calls)
 * - `rpc-timeout`: a call had no reply within the contract's `timeoutMs`
 * - the remote error's own code, or `rpc-remote-failure`
 */
export interface RpcClient<C extends RpcContract> {
  to(host: HostName): ClientOf<C>;
  any(): ClientOf<C>;
  fanout(): CastsOf<C>;
  /** The same client, whose messages name the request that they belong to. */
  with(context: Partial<RpcContext>): RpcClient<C>;
  /** Rejects what still waits with `broker-unreachable` and stops taking replies; the link stays open. */
  close(): Promise<void>;
}

export interface RpcClientOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** oslo.messaging's control exchange; `nova` unless given. */
  readonly exchange?: string;
}

const NO_CONTEXT: RpcContext = { requestId: null, userId: null, projectId: null };
/** Replies are acked at once, so this bounds only what is on the way. */
const REPLY_PREFETCH = 64;

export function rpcClient<C extends RpcContract>(link: Link, contract: C, options: RpcClientOptions): RpcClient<C> {
  const sender = new RpcSender(link, contract, options);
  const inContext = (context: RpcContext): RpcClient<C> => {
    const methodsAt = (target: Target): ClientOf<C> => {
      const methods = Object.keys(contract.methods).map((name) => {
        return [name, (args: unknown) => sender.send(target, name, args, context)];
      });
      return Object.fromEntries(methods) as ClientOf<C>;
    };
    const { topic } = contract;
    return {
      to: (host) => methodsAt({ kind: 'host', topic, host }),
      any: () => methodsAt({ kind: 'any', topic }),
      fanout: () => methodsAt({ kind: 'fanout', topic }) as unknown as CastsOf<C>,
      with: (more) => inContext({ ...context, ...more }),
      close: () => sender.close(),
    };
  };
  return inContext(NO_CONTEXT);
}

class RpcSender<C extends RpcContract> {
  private readonly waiters = new ReplyWaiters();
  private readonly declared = new Map<string, Once<void>>();
  private readonly replyQueue = new Once(() => this.openReplyQueue());
  private readonly forgetLink: () => void;

  constructor(
    private readonly link: Link,
    private readonly contract: C,
    private readonly options: RpcClientOptions,
  ) {
    this.forgetLink = link.onState((state) => {
      if (state !== 'connected') this.waiters.rejectAll(unreachable(`the link is ${state}`));
    });
  }

  async send(target: Target, name: string, rawArgs: unknown, context: RpcContext): Promise<unknown> {
    const method = this.contract.methods[name];
    if (method === undefined) throw invalid('the contract has no such method', { method: name });
    const parsed = method.args.safeParse(rawArgs);
    if (!parsed.success) {
      throw invalid(`arguments of ${name}: ${z.prettifyError(parsed.error)}`, { method: name });
    }
    const args = parsed.data as Record<string, unknown>;
    const message: Outgoing = { target, name, args, context };
    if (method.kind === 'cast') return this.cast(message, method);
    return this.call(message, method);
  }

  async close(): Promise<void> {
    this.forgetLink();
    this.waiters.rejectAll(unreachable('the client is closed'));
    const replies = await this.replyQueue.begun?.catch(() => null);
    await replies?.consumer.cancel();
  }

  private async cast(message: Outgoing, method: MethodDefinition & { kind: 'cast' }): Promise<void> {
    const { persistent, mandatory, expiresMs } = method;
    const expiry = expiresMs === undefined ? {} : { expirationMs: expiresMs };
    await this.publish(message, null, { persistent, mandatory, ...expiry });
  }

  /** The deadline covers everything from here on; the waiter stands before the request is published. */
  private async call(message: Outgoing, method: MethodDefinition & { kind: 'call' }): Promise<unknown> {
    const { clock, random } = this.options;
    const msgId = hexId(random);
    const stop = new AbortController();
    const answer = this.waiters.register(msgId);
    const sent = this.sendCall(message, msgId, method.timeoutMs);
    const late = clock.sleep(millis(method.timeoutMs), stop.signal).then(() => {
      throw new NovellaError('rpc-timeout', `no reply to ${message.name}`, {
        ...factsOf(message),
        timeoutMs: method.timeoutMs,
      });
    });
    try {
      const reply = await Promise.race([sent.then(() => answer), answer, late]);
      if (reply.failure !== null) throw decodeFailure(reply.failure);
      const result = method.result.safeParse(reply.result);
      if (result.success) return result.data;
      throw invalid(`result of ${message.name}: ${z.prettifyError(result.error)}`, factsOf(message));
    } finally {
      stop.abort();
      this.waiters.forget(msgId);
    }
  }

  private async sendCall(message: Outgoing, msgId: string, timeoutMs: number): Promise<void> {
    this.mustBeConnected();
    const { name } = await this.whileConnected(this.replyQueue.done());
    const reply: ReplyAddress = { msgId, queue: name, monitorTimeoutS: null };
    await this.publish(message, reply, { persistent: false, mandatory: true, expirationMs: timeoutMs });
  }

  private async publish(
    message: Outgoing,
    reply: ReplyAddress | null,
    options: { persistent: boolean; mandatory: boolean; expirationMs?: number },
  ): Promise<void> {
    const { target, name: method, args, context } = message;
    this.mustBeConnected();
    await this.whileConnected(this.declareFor(target));
    const uniqueId = hexId(this.options.random);
    const { version } = this.contract;
    const body = encodeRequest({ method, args, version, namespace: null, uniqueId, context, reply });
    const frame = { ...routeTo(target, this.options.exchange), ...FRAME_PROPERTIES, body };
    const outcome = await this.link.publish(frame, options);
    if (outcome === 'returned') {
      throw new NovellaError('rpc-no-route', `no queue takes ${method}`, factsOf(message));
    }
  }

  /** Once per exchange; the link keeps it over reconnects. */
  private declareFor(target: Target): Promise<void> {
    const { exchange } = routeTo(target, this.options.exchange);
    const topology = publisherTopology(target, this.options.exchange);
    const declaration = this.declared.get(exchange) ?? new Once(() => this.link.declare(topology));
    this.declared.set(exchange, declaration);
    return declaration.done();
  }

  private async openReplyQueue(): Promise<{ readonly name: string; readonly consumer: LinkConsumer }> {
    const name = `reply_${hexId(this.options.random)}`;
    await this.link.declare(replyTopology(name, this.options.exchange));
    const consumer = await this.link.consume(name, { prefetch: REPLY_PREFETCH }, (delivery) => this.onReply(delivery));
    return { name, consumer };
  }

  private onReply(delivery: Delivery): void {
    const { log } = this.options;
    delivery.ack();
    try {
      const reply = decodeReply(delivery.body);
      if (!this.waiters.settle(reply)) log.info('dropped a reply that nobody waits for', { msgId: reply.msgId });
    } catch (error) {
      log.warn('dropped a malformed reply', { queue: delivery.queue, error });
    }
  }

  private mustBeConnected(): void {
    if (this.link.state !== 'connected') throw unreachable(`the link is ${this.link.state}`);
  }

  /** A link waits for its next connection with what it declares; whoever sends a message does not. */
  private async whileConnected<T>(promise: Promise<T>): Promise<T> {
    let forget: () => void = () => undefined;
    const dropped = new Promise<never>((_resolve, reject) => {
      forget = this.link.onState((state) => reject(unreachable(`the link is ${state}`)));
    });
    try {
      return await Promise.race([promise, dropped]);
    } finally {
      forget();
    }
  }
}

interface Outgoing {
  readonly target: Target;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly context: RpcContext;
}

/** Something that is done once; when it fails, whoever asks next begins it again. */
class Once<T> {
  begun: Promise<T> | null = null;

  constructor(private readonly start: () => Promise<T>) {}

  done(): Promise<T> {
    if (this.begun !== null) return this.begun;
    const begun = this.start();
    begun.catch(() => {
      this.begun = null;
    });
    this.begun = begun;
    return begun;
  }
}

const hexId = (random: Random): string => random.uuid().replaceAll('-', '');

const unreachable = (message: string): NovellaError => new NovellaError('broker-unreachable', message);

const invalid = (message: string, facts: ErrorFacts): NovellaError =>
  new NovellaError('rpc-message-invalid', message, facts);

function factsOf({ target, name, context }: Outgoing): ErrorFacts {
  const host = target.kind === 'host' ? target.host : null;
  return { method: name, topic: target.topic, host, requestId: context.requestId };
}
