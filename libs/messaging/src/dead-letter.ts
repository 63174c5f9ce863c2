import { NovellaError } from '@novella/core';
import type { Delivery, Link } from './link.js';
import { DEAD_LETTER, deadLetterTopology } from './topology.js';

/**
 * Puts a copy of a delivery that nobody will ever handle into the dead-letter queue, and resolves when the broker has
 * confirmed it: only then may the delivery be acked. Needs no policy at the broker. Rejects with `broker-unreachable`
 * or `rpc-no-route` when the copy was not taken.
 */
export async function deadLetter(link: Link, delivery: Delivery, reason: string): Promise<void> {
  await link.declare(deadLetterTopology);
  const { body, contentType, contentEncoding } = delivery;
  const headers = {
    ...delivery.headers,
    'x-novella-reason': reason.slice(0, 1000),
    'x-novella-queue': delivery.queue,
    'x-novella-exchange': delivery.exchange,
    'x-novella-routing-key': delivery.routingKey,
  };
  const frame = { exchange: DEAD_LETTER, routingKey: '', body, contentType, contentEncoding, headers };
  const outcome = await link.publish(frame, { persistent: true, mandatory: true });
  if (outcome === 'returned') throw new NovellaError('rpc-no-route', 'the dead-letter queue takes no message');
}
