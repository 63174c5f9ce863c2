import assert from 'node:assert/strict';
import { NovellaError } from '@novella/core';
import type { Delivery, Frame, Link, PublishOptions, Topology } from '../link.js';

/**
 * What every link must do, asked through the port alone. Each case works on names of its own, so that a real broker
 * can be shared by cases.
 */
export interface LinkWorld {
  /** A connected link of the broker user `user`, which publishes under that name. */
  link(): Promise<Link>;
  readonly user: string;
  /** A name that no other case has. */
  name(part: string): string;
  /** Lets at least so much of the broker's time pass. */
  elapse(ms: number): Promise<void>;
  /** Breaks the link's connection, as a broken socket does; the link comes back by itself. */
  interrupt(link: Link): Promise<void>;
  close(): Promise<void>;
}

/** The test runner's own functions. */
export interface Suite {
  readonly describe: (name: string, body: () => void) => void;
  readonly it: (name: string, body: () => Promise<void>) => void;
}

export function linkConformance({ describe, it }: Suite, name: string, open: () => Promise<LinkWorld>): void {
  describe(`link: ${name}`, () => {
    for (const [title, run] of Object.entries(cases)) {
      it(title, async () => {
        const world = await open();
        try {
          await run(world);
        } finally {
          await world.close();
        }
      });
    }
  });
}

const durable: PublishOptions = { persistent: true, mandatory: true };

const cases: Record<string, (world: LinkWorld) => Promise<void>> = {
  async 'delivers a frame to the queue that is bound with its routing key, as it was published'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue);
    const sent = {
      ...frame(world, queue, 'grüße \u0000 \ud83d\ude00'),
      headers: { 'x-text': 'ü', 'x-number': 7, 'x-flag': true },
    };
    assert.equal(await link.publish(sent, durable), 'confirmed');
    const delivery = await taken.next();
    assert.deepEqual(delivery.body, sent.body);
    assert.equal(delivery.queue, queue);
    assert.equal(delivery.exchange, sent.exchange);
    assert.equal(delivery.routingKey, queue);
    assert.equal(delivery.contentType, 'application/json');
    assert.equal(delivery.contentEncoding, 'utf-8');
    assert.deepEqual({ ...delivery.headers }, sent.headers);
    assert.equal(delivery.userId, world.user);
    assert.equal(delivery.redelivered, false);
    assert.equal(delivery.deliveryCount, 0);
    assert.equal(delivery.lost.aborted, false);
  },

  async 'carries a body of 1 MiB'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue);
    const sent = frame(world, queue, 'x'.repeat(2 ** 20));
    await link.publish(sent, durable);
    assert.ok((await taken.next()).body.equals(sent.body));
  },

  async 'never delivers in the turn in which it was published'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue);
    const published = link.publish(frame(world, queue), durable);
    assert.equal(taken.deliveries.length, 0);
    await published;
    await taken.next();
  },

  async 'reaches a queue by its name through the default exchange'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare({ exchanges: [], queues: [{ ...quorum, name: queue, bindings: [] }] });
    const taken = await collect(link, queue);
    assert.equal(await link.publish({ ...frame(world, queue), exchange: '' }, durable), 'confirmed');
    await taken.next();
  },

  async 'copies a frame to every queue of a fanout exchange'(world) {
    const [link, exchange] = [await world.link(), world.name('fanout')];
    const queues = [world.name('one'), world.name('two')];
    for (const name of queues) {
      const bindings = [{ exchange, routingKey: 'any' }];
      await link.declare({
        exchanges: [{ name: exchange, type: 'fanout', durable: true, autoDelete: false }],
        queues: [{ ...quorum, name, bindings }],
      });
    }
    const taken = await Promise.all(queues.map((queue) => collect(link, queue)));
    await link.publish({ ...frame(world, ''), exchange }, durable);
    for (const each of taken) await each.next();
  },

  async 'returns a mandatory frame that no queue takes'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const lost = frame(world, world.name('nobody'));
    assert.equal(await link.publish(lost, durable), 'returned');
    assert.equal(await link.publish({ ...lost, exchange: '' }, durable), 'returned');
  },

  async 'confirms a frame that no queue takes when it is not mandatory'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const lost = frame(world, world.name('nobody'));
    assert.equal(await link.publish(lost, { persistent: false, mandatory: false }), 'confirmed');
  },

  async 'answers many publishes at once, each with its own outcome'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const keys = Array.from({ length: 50 }, (_, n) => (n % 3 === 0 ? world.name('nobody') : queue));
    const outcomes = await Promise.all(keys.map((key) => link.publish(frame(world, key), durable)));
    assert.deepEqual(
      outcomes,
      keys.map((key) => (key === queue ? 'confirmed' : 'returned')),
    );
  },

  async 'rejects a publish to an exchange that does not exist and goes on working'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const nowhere = { ...frame(world, queue), exchange: world.name('missing') };
    await rejectsWith(link.publish(nowhere, durable), 'rpc-no-route');
    await link.whenConnected();
    assert.equal(await link.publish(frame(world, queue), durable), 'confirmed');
  },

  async 'declares the same twice, and refuses the same queue with other arguments'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    const wanted = topology(world, queue);
    await link.declare(wanted);
    await link.declare(wanted);
    const others = wanted.queues.map((each) => ({ ...each, arguments: { ...each.arguments, 'x-expires': 60_000 } }));
    await rejectsWith(link.declare({ ...wanted, queues: others }), 'internal');
    await link.whenConnected();
    assert.equal(await link.publish(frame(world, queue), durable), 'confirmed');
  },

  async 'keeps the order of one publisher'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const texts = Array.from({ length: 20 }, (_, n) => String(n));
    await Promise.all(texts.map((text) => link.publish(frame(world, queue, text), durable)));
    const taken = await collect(link, queue, 20);
    assert.deepEqual((await taken.take(20)).map(textOf), texts);
  },

  async 'hands out no more than prefetch, and one more for each ack'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    for (const text of ['1', '2', '3', '4']) await link.publish(frame(world, queue, text), durable);
    const taken = await collect(link, queue, 2);
    const [first] = await taken.take(2);
    await world.elapse(100);
    assert.deepEqual(taken.deliveries.map(textOf), ['1', '2']);
    first?.ack();
    await taken.take(3);
    await world.elapse(100);
    assert.deepEqual(taken.deliveries.map(textOf), ['1', '2', '3']);
  },

  async 'counts prefetch for each consumer of a link apart'(world) {
    const link = await world.link();
    const queues = [world.name('one'), world.name('two')];
    const taken = [];
    for (const queue of queues) {
      await link.declare(topology(world, queue));
      taken.push(await collect(link, queue, 1));
      await link.publish(frame(world, queue), durable);
    }
    for (const each of taken) await each.next();
  },

  async 'shares a queue between its consumers'(world) {
    const [one, two, queue] = [await world.link(), await world.link(), world.name('queue')];
    await one.declare(topology(world, queue));
    const taken = [await collect(one, queue, 1), await collect(two, queue, 1)];
    for (const text of ['a', 'b']) await one.publish(frame(world, queue, text), durable);
    const texts = await Promise.all(taken.map(async (each) => textOf(await each.next())));
    assert.deepEqual(texts.sort(), ['a', 'b']);
  },

  async 'does not deliver what was acked again'(world) {
    const [link, other, queue] = [await world.link(), await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue);
    await link.publish(frame(world, queue, 'acked'), durable);
    (await taken.next()).ack();
    await link.close();
    const later = await collect(other, queue);
    await other.publish(frame(world, queue, 'next'), durable);
    assert.equal(textOf(await later.next()), 'next');
  },

  async 'hands unacked frames back to the head of the queue in their order when the link closes'(world) {
    const [link, other, queue] = [await world.link(), await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    for (const text of ['1', '2', '3', '4', '5']) await link.publish(frame(world, queue, text), durable);
    const taken = await collect(link, queue, 3);
    const held = await taken.take(3);
    held[1]?.ack();
    await link.close();
    assert.ok(held.every(({ lost }) => lost.aborted));
    const again = await (await collect(other, queue, 10)).take(4);
    assert.deepEqual(again.map(textOf), ['1', '3', '4', '5']);
    assert.deepEqual(again.map(({ redelivered }) => redelivered).slice(0, 2), [true, true]);
    assert.equal(again[0]?.deliveryCount, 1);
  },

  async 'hands back what a cancelled consumer holds, and ignores its acks'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const first = await collect(link, queue);
    await link.publish(frame(world, queue), durable);
    const delivery = await first.next();
    await first.consumer.cancel();
    assert.equal(delivery.lost.aborted, true);
    delivery.ack();
    const second = await collect(link, queue);
    assert.equal((await second.next()).redelivered, true);
    assert.equal(first.deliveries.length, 1);
  },

  async 'delivers nothing more from the moment that a consumer is cancelled'(world) {
    const [link, other, queue] = [await world.link(), await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue);
    const published = Array.from({ length: 10 }, () => link.publish(frame(world, queue), durable));
    const cancelled = taken.consumer.cancel();
    const before = taken.deliveries.length;
    await Promise.all([...published, cancelled]);
    await world.elapse(100);
    assert.equal(taken.deliveries.length, before);
    await (await collect(other, queue)).take(10);
  },

  async 'delivers nothing while a consumer is paused, takes its acks, and goes on when it resumes'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue, 4);
    await link.publish(frame(world, queue, 'held'), durable);
    const held = await taken.next();
    await taken.consumer.pause();
    await taken.consumer.pause();
    await link.publish(frame(world, queue, 'later'), durable);
    await world.elapse(100);
    assert.equal(taken.deliveries.length, 1);
    held.ack();
    await taken.consumer.resume();
    const [, later] = await taken.take(2);
    assert.equal(later?.redelivered, false);
    assert.deepEqual(taken.deliveries.map(textOf), ['held', 'later']);
  },

  async 'drops a frame that waited longer than its expiration, and no other'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    await link.publish(frame(world, queue, 'expires'), { ...durable, expirationMs: 50 });
    await link.publish(frame(world, queue, 'keeps'), durable);
    await world.elapse(500);
    assert.equal(textOf(await (await collect(link, queue)).next()), 'keeps');
  },

  async 'comes back after its connection broke, with its queues and consumers, and delivers again what was held'(
    world,
  ) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue);
    await link.publish(frame(world, queue), durable);
    const held = await taken.next();
    const states: string[] = [];
    link.onState((state) => states.push(state));
    await world.interrupt(link);
    await link.whenConnected();
    assert.deepEqual(states, ['disconnected', 'connected']);
    assert.equal(held.lost.aborted, true);
    held.ack();
    const [, again] = await taken.take(2);
    assert.equal(again?.redelivered, true);
    assert.deepEqual(again.body, held.body);
    again.ack();
  },

  async 'stays paused over a reconnect'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue);
    await taken.consumer.pause();
    await world.interrupt(link);
    await link.whenConnected();
    await link.publish(frame(world, queue), durable);
    await world.elapse(100);
    assert.equal(taken.deliveries.length, 0);
    await taken.consumer.resume();
    await taken.next();
  },

  async 'settles every publish that was under way when the connection broke'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const published = Array.from({ length: 20 }, () => link.publish(frame(world, queue), durable));
    const settled = Promise.allSettled(published);
    await world.interrupt(link);
    for (const outcome of await settled) {
      if (outcome.status === 'fulfilled') assert.equal(outcome.value, 'confirmed');
      else assert.equal((outcome.reason as NovellaError).code, 'broker-unreachable');
    }
    await link.whenConnected();
    assert.equal(await link.publish(frame(world, queue), durable), 'confirmed');
  },

  async 'confirms what was published before it closes, and refuses everything after'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const published = link.publish(frame(world, queue), durable);
    await link.close();
    await link.close();
    assert.equal(await published, 'confirmed');
    assert.equal(link.state, 'closed');
    await rejectsWith(link.publish(frame(world, queue), durable), 'broker-unreachable');
    await rejectsWith(link.declare(topology(world, queue)), 'broker-unreachable');
    await rejectsWith(link.whenConnected(), 'broker-unreachable');
    await rejectsWith(collect(link, queue), 'broker-unreachable');
  },
};

const quorum = { durable: true, autoDelete: false, arguments: { 'x-queue-type': 'quorum' } } as const;

function topology(world: LinkWorld, queue: string): Topology {
  const exchange = world.name('exchange');
  return {
    exchanges: [{ name: exchange, type: 'topic', durable: true, autoDelete: false }],
    queues: [{ ...quorum, name: queue, bindings: [{ exchange, routingKey: queue }] }],
  };
}

const frame = (world: LinkWorld, routingKey: string, text = '{}'): Frame => ({
  exchange: world.name('exchange'),
  routingKey,
  body: Buffer.from(text),
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  headers: {},
});

const textOf = ({ body }: Delivery): string => body.toString();

/** Consumes without acking. */
async function collect(link: Link, queue: string, prefetch = 16) {
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
  const next = async (): Promise<Delivery> => {
    const [delivery] = await take(1);
    assert.ok(delivery);
    return delivery;
  };
  return { consumer, deliveries, take, next };
}

async function rejectsWith(promise: Promise<unknown>, code: NovellaError['code']): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof NovellaError && error.code === code);
}
