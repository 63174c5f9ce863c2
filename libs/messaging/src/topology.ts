import type { ExchangeDeclaration, QueueDeclaration, Topology } from './link.js';

/**
 * Names, flags and arguments of everything that is declared at the broker.
 * Mirrors oslo.messaging:oslo_messaging/_drivers/impl_rabbit.py with rabbit_quorum_queue and
 * rabbit_transient_quorum_queue on: all queues are durable quorum queues. Arguments must equal those of every peer, or
 * the broker answers 406: nothing else (delivery limit, dead-letter exchange) is ever an argument; it is broker policy.
 */
export const NOVA_EXCHANGE = 'nova';
/** rabbit_transient_queues_ttl: a reply or fanout queue that nobody uses for so long is dropped by the broker. */
export const TRANSIENT_QUEUE_TTL_MS = 1_800_000;
/** Where refused messages are kept; the broker's policy for dead letters names the same exchange. */
export const DEAD_LETTER = 'nova_dead_letter';

const quorum = { durable: true, autoDelete: false, arguments: { 'x-queue-type': 'quorum' } } as const;
const transientQuorum = {
  ...quorum,
  arguments: { ...quorum.arguments, 'x-expires': TRANSIENT_QUEUE_TTL_MS },
} as const;

/** Whom a message is for: any server of the topic, the one on a host, or all of them. */
export type Target =
  | { readonly kind: 'any'; readonly topic: string }
  | { readonly kind: 'host'; readonly topic: string; readonly host: string }
  | { readonly kind: 'fanout'; readonly topic: string };

export interface Route {
  readonly exchange: string;
  readonly routingKey: string;
}

export function routeTo(target: Target, exchange = NOVA_EXCHANGE): Route {
  switch (target.kind) {
    case 'any':
      return { exchange, routingKey: target.topic };
    case 'host':
      return { exchange, routingKey: `${target.topic}.${target.host}` };
    case 'fanout':
      return { exchange: `${target.topic}_fanout`, routingKey: '' };
  }
}

/**
 * A reply goes to the queue that the request names: through the default exchange as oslo.messaging sends it, or through
 * the control exchange from a server whose user may not write to the default one.
 */
export const routeToReply = (replyQueue: string, exchange = ''): Route => ({ exchange, routingKey: replyQueue });

export const topicExchange = (exchange = NOVA_EXCHANGE): ExchangeDeclaration => ({
  name: exchange,
  type: 'topic',
  durable: true,
  autoDelete: false,
});

/** Named after the topic alone, whatever the control exchange is called. */
export const fanoutExchange = (topic: string): ExchangeDeclaration => ({
  name: `${topic}_fanout`,
  type: 'fanout',
  durable: true,
  autoDelete: true,
});

/** What a publisher declares before it sends to `target`. */
export const publisherTopology = (target: Target, exchange = NOVA_EXCHANGE): Topology => ({
  exchanges: [target.kind === 'fanout' ? fanoutExchange(target.topic) : topicExchange(exchange)],
  queues: [],
});

/** The one queue that a server of `target` consumes; `uniqueId` (uuid as 32 hex digits) names a fanout queue. */
export function serverTopology(target: Target, uniqueId: string, exchange = NOVA_EXCHANGE): Topology {
  if (target.kind === 'fanout') {
    const declared = fanoutExchange(target.topic);
    const name = `${declared.name}_${uniqueId}`;
    const bindings = [{ exchange: declared.name, routingKey: target.topic }];
    return { exchanges: [declared], queues: [{ name, ...transientQuorum, bindings }] };
  }
  const { routingKey } = routeTo(target, exchange);
  const queue: QueueDeclaration = { name: routingKey, ...quorum, bindings: [{ exchange, routingKey }] };
  return { exchanges: [topicExchange(exchange)], queues: [queue] };
}

/** One per client, made at its first call; bound with its own name, for the servers that answer through the exchange. */
export const replyTopology = (replyQueue: string, exchange = NOVA_EXCHANGE): Topology => ({
  exchanges: [topicExchange(exchange)],
  queues: [{ name: replyQueue, ...transientQuorum, bindings: [{ exchange, routingKey: replyQueue }] }],
});

export const deadLetterTopology: Topology = {
  exchanges: [{ name: DEAD_LETTER, type: 'fanout', durable: true, autoDelete: false }],
  queues: [{ name: DEAD_LETTER, ...quorum, bindings: [{ exchange: DEAD_LETTER, routingKey: '' }] }],
};
