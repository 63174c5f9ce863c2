import { NovellaError } from '@novella/core';
import type { Frame } from './link.js';

/** RabbitMQ 4 takes no larger message by default, and closes the channel with all that is under way on it. */
export const LARGEST_BODY = 16 * 2 ** 20;

export function mustFit({ body, routingKey }: Frame): void {
  if (body.length <= LARGEST_BODY) return;
  const facts = { bytes: body.length, limit: LARGEST_BODY, routingKey };
  throw new NovellaError('rpc-message-invalid', 'the message is larger than the broker takes', facts);
}
