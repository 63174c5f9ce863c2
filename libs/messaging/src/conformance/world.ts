import assert from 'node:assert/strict';
import { NovellaError } from '@novella/core';
import type { Delivery, Frame, Link, PublishOptions, Topology } from '../link.js';

/** What a case is given. It works on names of its own, so that a real broker can be shared by cases. */
export interface LinkWorld {
  /** A connected link of the broker user `user`, which publishes under that name. */
  link(): Promise<Link>;
  readonly user: string;
  /** A name that no other case has. */
  name(part: string): string;
  /** Lets at least so much of the broker's time pass. */
  elapse(ms: number): Promise<void>;
  /**
   * Breaks the link's connection, as a broken socket does, and resolves when the link knows; it comes back by itself, but
   * not before `meanwhile` has ended.
   */
  interrupt(link: Link, meanwhile?: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export type Cases = Readonly<Record<string, (world: LinkWorld) => Promise<void>>>;

export const durable: PublishOptions = { persistent: true, mandatory: true };

export const quorum = { durable: true, autoDelete: false, arguments: { 'x-queue-type': 'quorum' } } as const;

export function topology(world: LinkWorld, queue: string): Topology {
  const exchange = world.name('exchange');
  return {
    exchanges: [{ name: exchange, type: 'topic', durable: true, autoDelete: false }],
    queues: [{ ...quorum, name: queue, bindings: [{ exchange, routingKey: queue }] }],
  };
}

export const frame = (world: LinkWorld, routingKey: string, text = '{}'): Frame => ({
  exchange: world.name('exchange'),
  routingKey,
  body: Buffer.from(text),
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  headers: {},
});

export const textOf = ({ body }: Delivery): string => body.toString();

/** The delivery of that number. */
export function at(deliveries: readonly Delivery[], index: number): Delivery {
  const delivery = deliveries[index];
  assert.ok(delivery);
  return delivery;
}

/** Consumes without acking. */
export async function collect(link: Link, queue: string, prefetch = 16) {
  const deliveries: Delivery[] = [];
  let wake: () => void = () => undefined;
  const consumer = await link.consume(queue, { prefetch }, (delivery) => {
    deliveries.push(delivery);
    wake();
  });
  const take = async (count: number): Promise<Delivery[]> => {
    while (deliveries.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return deliveries.slice(0, count);
  };
  const next = async (): Promise<Delivery> => at(await take(1), 0);
  return { consumer, deliveries, take, next };
}

/** Answers the error, for its facts. */
export async function rejectsWith(promise: Promise<unknown>, code: NovellaError['code']): Promise<NovellaError> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof NovellaError, `it rejects with ${code}`);
  assert.equal(error.code, code);
  return error;
}
