import { NovellaError } from '@novella/core';
import type { Channel } from 'amqplib';
import type { ExchangeDeclaration, QueueDeclaration, Topology } from '../link.js';
import type { AmqpConnection } from './connection.js';
import { failedRequest, missing, nameTaken, REFUSED, refusedArgument, replyCode } from './refusals.js';

/**
 * Declares and deletes, one request after the other, on a channel of its own that is opened again when a refusal has
 * closed it. It belongs to the consuming connection: a broker that takes no publishes still lets it declare.
 */
export class TopologyChannel {
  private channel: Channel | null = null;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly connection: AmqpConnection) {}

  declare({ exchanges, queues }: Topology): Promise<void> {
    return this.inTurn(async () => {
      for (const exchange of exchanges) await this.declareExchange(exchange);
      for (const queue of queues) await this.declareQueue(queue);
    });
  }

  deleteQueue(name: string): Promise<void> {
    return this.inTurn(async () => {
      try {
        await this.ask((channel) => channel.deleteQueue(name));
      } catch (error) {
        if (replyCode(error) === REFUSED.notFound) return;
        if (replyCode(error) === REFUSED.locked) throw nameTaken(name, error);
        throw failedRequest(`delete queue ${name}`, error);
      }
    });
  }

  private inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.last.then(run);
    this.last = turn.catch(() => undefined);
    return turn;
  }

  private async declareExchange({ name, type, durable, autoDelete }: ExchangeDeclaration): Promise<void> {
    const what = `exchange ${name}`;
    try {
      await this.ask((channel) => channel.assertExchange(name, type, { durable, autoDelete }));
    } catch (error) {
      await this.settleRefusal(what, error, (channel) => channel.checkExchange(name));
    }
  }

  private async declareQueue(queue: QueueDeclaration): Promise<void> {
    const { name, durable, autoDelete, arguments: args, exclusive = false } = queue;
    try {
      await this.ask((channel) => channel.assertQueue(name, { durable, autoDelete, exclusive, arguments: args }));
    } catch (error) {
      if (exclusive && replyCode(error) === REFUSED.locked) throw nameTaken(name, error);
      await this.settleRefusal(`queue ${name}`, error, (channel) => channel.checkQueue(name));
    }
    for (const { exchange, routingKey } of queue.bindings) await this.bind(name, exchange, routingKey);
  }

  /** A binding cannot be looked up: who may not bind relies on whoever made the queue. */
  private async bind(queue: string, exchange: string, routingKey: string): Promise<void> {
    try {
      await this.ask((channel) => channel.bindQueue(queue, exchange, routingKey));
    } catch (error) {
      if (replyCode(error) === REFUSED.access) return;
      if (replyCode(error) === REFUSED.notFound) {
        const facts = { exchange, queue };
        throw new NovellaError('rpc-no-route', 'there is no such exchange to bind to', facts, { cause: error });
      }
      throw failedRequest(`bind queue ${queue}`, error);
    }
  }

  /** What this user may not make must be there: asked passively, which needs no permission. */
  private async settleRefusal(
    what: string,
    thrown: unknown,
    check: (channel: Channel) => Promise<unknown>,
  ): Promise<void> {
    const code = replyCode(thrown);
    if (code === REFUSED.precondition && thrown instanceof Error) throw refusedArgument(what, thrown);
    if (code !== REFUSED.access) throw failedRequest(`declare ${what}`, thrown);
    try {
      await this.ask(check);
    } catch (error) {
      if (replyCode(error) === REFUSED.notFound) throw missing(what, thrown);
      throw failedRequest(`look up ${what}`, error);
    }
  }

  private async ask<T>(request: (channel: Channel) => Promise<T>): Promise<T> {
    if (this.channel === null) {
      const opened = await this.connection.channel();
      opened.on('close', () => (this.channel = null));
      this.channel = opened;
    }
    return request(this.channel);
  }
}
