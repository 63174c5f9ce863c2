import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { type PrivateRabbit, type PrivateRabbitOptions, startPrivateRabbit } from '@novella/testing';
import type { Frame, Link, Topology } from '../link.js';
import { type BreakableLink, breakableLink, type BreakableLinkOptions } from './amqp-world.js';
import { durable } from './world.js';

/** The first start of version 4 downloads it. */
export const START_LIMIT_MS = 600_000;

/** One broker for a file of tests, and links to it that close after each test. */
export function rabbitSuite(options: () => Promise<PrivateRabbitOptions> = () => Promise.resolve({})) {
  let started: PrivateRabbit | null = null;
  beforeAll(async () => {
    started = await startPrivateRabbit(await options());
  }, START_LIMIT_MS);
  afterAll(() => started?.stop());

  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  const rabbit = (): PrivateRabbit => {
    if (started === null) throw new Error('the broker has not started');
    return started;
  };
  const connected = async (how: BreakableLinkOptions = {}): Promise<BreakableLink> => {
    const breakable = await breakableLink(rabbit(), how);
    ends.push(async () => {
      breakable.proxy.set('pass');
      await breakable.link.close();
      await breakable.proxy.close();
    });
    await breakable.link.whenConnected();
    return breakable;
  };
  let names = 0;
  return {
    rabbit,
    connected,
    /** A name that no other test of the file has. */
    newName: (part: string): string => `test-${++names}-${part}`,
    atEnd: (end: () => Promise<void>): void => void ends.push(end),
  };
}

/** A quorum queue that is bound to exchange `nova` with its own name. */
export const queueOf = (name: string): Topology => ({
  exchanges: [{ name: 'nova', type: 'topic', durable: true, autoDelete: false }],
  queues: [
    {
      name,
      durable: true,
      autoDelete: false,
      arguments: { 'x-queue-type': 'quorum' },
      bindings: [{ exchange: 'nova', routingKey: name }],
    },
  ],
});

export const frameTo = (routingKey: string, text = '{}'): Frame => ({
  exchange: 'nova',
  routingKey,
  body: Buffer.from(text),
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  headers: {},
});

/** Publishes one frame after the other to each queue until it is stopped. */
export function publishing(link: Link, queues: readonly string[]) {
  const confirmed = new Set<string>();
  const otherFaults: unknown[] = [];
  let going = true;
  const loops = queues.map(async (queue) => {
    for (let n = 0; going; n += 1) {
      const text = `${queue}-${n}`;
      try {
        if ((await link.publish(frameTo(queue, text), durable)) === 'confirmed') confirmed.add(text);
      } catch (error) {
        if ((error as { code?: string }).code !== 'broker-unreachable') otherFaults.push(error);
        await link.whenConnected();
      }
    }
  });
  const stop = async (): Promise<void> => {
    going = false;
    await Promise.all(loops);
  };
  return { confirmed, otherFaults, stop };
}
