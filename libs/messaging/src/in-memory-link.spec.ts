import { describe, expect, it } from '@jest/globals';
import { millis } from '@novella/core';
import { virtualClock } from '@novella/testing';
import { linkConformance } from './conformance/link-conformance.js';
import type { LinkWorld } from './conformance/world.js';
import { InMemoryBroker, type InMemoryBrokerOptions } from './in-memory-broker.js';
import type { InMemoryLink } from './in-memory-link.js';
import type { Delivery, Frame, Link } from './link.js';
import { DEAD_LETTER, deadLetterTopology, serverTopology } from './topology.js';

/** Time moves on by itself while a case runs. */
const openWorld = (options: Partial<InMemoryBrokerOptions>) => (): Promise<LinkWorld> => {
  const clock = virtualClock();
  const broker = new InMemoryBroker({ clock, ...options });
  const links: InMemoryLink[] = [];
  let moving = true;
  const move = async (): Promise<void> => {
    while (moving) {
      await new Promise((resolve) => setImmediate(resolve));
      if (clock.sleeping > 0) await clock.advanceToNext();
    }
  };
  const moved = move();
  return Promise.resolve({
    user: 'compute-a',
    link: () => {
      const link = broker.connect('compute-a');
      links.push(link);
      return Promise.resolve(link);
    },
    name: (part: string) => part,
    elapse: (ms: number) => clock.sleep(millis(ms)),
    interrupt: async (link, meanwhile) => {
      const own = links.find((each) => each === link);
      own?.disconnect();
      await meanwhile?.();
      own?.reconnect();
    },
    close: async () => {
      await Promise.all(links.map((link) => link.close()));
      moving = false;
      await moved;
    },
  });
};

let hops = 0;
linkConformance({ describe, it }, 'in memory, each hop in the next turn', openWorld({}));
linkConformance(
  { describe, it },
  'in memory, with hops of changing length',
  openWorld({ latency: () => millis((hops += 7) % 5) }),
);

const topology = serverTopology({ kind: 'host', topic: 'compute', host: 'a' }, 'unused');
const frame = (text = '{}'): Frame => ({
  exchange: 'nova',
  routingKey: 'compute.a',
  body: Buffer.from(text),
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  headers: {},
});

async function consuming(link: Link, prefetch = 1): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  await link.consume('compute.a', { prefetch }, (delivery) => deliveries.push(delivery));
  return deliveries;
}

const turns = async (count = 20): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('in-memory broker', () => {
  it('keeps persistent frames over a restart, loses the others, and brings its links back', async () => {
    const broker = new InMemoryBroker({ clock: virtualClock() });
    const link = broker.connect();
    await link.declare(topology);
    await link.publish(frame('kept'), { persistent: true, mandatory: true });
    await link.publish(frame('lost'), { persistent: false, mandatory: true });
    broker.restart();
    expect(link.state).toBe('connected');
    const deliveries = await consuming(link, 5);
    await turns();
    expect(deliveries.map(({ body }) => body.toString())).toEqual(['kept']);
  });

  it('refuses to publish and waits with what is declared while it is stopped', async () => {
    const broker = new InMemoryBroker({ clock: virtualClock() });
    const link = broker.connect();
    broker.stop();
    expect(link.state).toBe('disconnected');
    await expect(link.publish(frame(), { persistent: true, mandatory: true })).rejects.toMatchObject({
      code: 'broker-unreachable',
    });
    const declared = link.declare(topology);
    await turns();
    expect(broker.hasQueue('compute.a')).toBe(false);
    broker.start();
    await declared;
    expect(broker.hasQueue('compute.a')).toBe(true);
  });

  it.each([
    { given: 'a limit of 2', deliveryLimit: 2, deliveries: 3, dead: 1 },
    { given: 'no limit', deliveryLimit: null, deliveries: 8, dead: 0 },
  ])('with $given, a frame that always comes back is delivered $deliveries times in 8 reconnects', async (given) => {
    const broker = new InMemoryBroker({ clock: virtualClock(), deliveryLimit: given.deliveryLimit });
    const link = broker.connect();
    await link.declare(deadLetterTopology);
    await link.declare(topology);
    await link.publish(frame(), { persistent: true, mandatory: true });
    const deliveries = await consuming(link);
    for (let reconnects = 0; reconnects < 7; reconnects += 1) {
      await turns();
      link.disconnect();
      link.reconnect();
    }
    await turns();
    expect(deliveries.map(({ deliveryCount }) => deliveryCount)).toEqual([...Array(given.deliveries).keys()]);
    expect(broker.frames(DEAD_LETTER).map(({ headers }) => headers['x-first-death-reason'])).toEqual(
      Array(given.dead).fill('delivery_limit'),
    );
  });

  it('does not keep a frame that came back too often when no policy sends it to the dead letters', async () => {
    const broker = new InMemoryBroker({ clock: virtualClock(), deliveryLimit: 0, deadLetterPolicy: false });
    const link = broker.connect();
    await link.declare(deadLetterTopology);
    await link.declare(topology);
    await link.publish(frame(), { persistent: true, mandatory: true });
    await consuming(link);
    await turns();
    link.disconnect();
    expect([broker.depth('compute.a'), broker.depth(DEAD_LETTER)]).toEqual([0, 0]);
  });

  it('drops a frame at its expiry on the clock, not before', async () => {
    const clock = virtualClock();
    const broker = new InMemoryBroker({ clock });
    const link = broker.connect();
    await link.declare(topology);
    await link.publish(frame(), { persistent: false, mandatory: true, expirationMs: 1_000 });
    await clock.advance(millis(999));
    expect(broker.depth('compute.a')).toBe(1);
    await clock.advance(millis(1));
    expect(broker.depth('compute.a')).toBe(0);
  });

  it('drops a queue that nobody used for its x-expires, and keeps one that is consumed', async () => {
    const clock = virtualClock();
    const broker = new InMemoryBroker({ clock });
    const link = broker.connect();
    const queue = (name: string) => ({
      name,
      durable: true,
      autoDelete: false,
      arguments: { 'x-expires': 60_000 },
      bindings: [],
    });
    await link.declare({ exchanges: [], queues: [queue('reply_used'), queue('reply_unused')] });
    await link.consume('reply_used', { prefetch: 1 }, () => undefined);
    await clock.advance(millis(60_000));
    const to = (routingKey: string) => ({ ...frame(), exchange: '', routingKey });
    expect(await link.publish(to('reply_used'), { persistent: false, mandatory: true })).toBe('confirmed');
    expect(await link.publish(to('reply_unused'), { persistent: false, mandatory: true })).toBe('returned');
  });

  it('refuses a frame for a full queue', async () => {
    const broker = new InMemoryBroker({ clock: virtualClock(), maxLength: 1 });
    const link = broker.connect();
    await link.declare(topology);
    await link.publish(frame(), { persistent: true, mandatory: true });
    await expect(link.publish(frame(), { persistent: true, mandatory: true })).rejects.toMatchObject({
      code: 'broker-unreachable',
    });
    expect(broker.depth('compute.a')).toBe(1);
  });

  it('is not touched by a body that its publisher changes later', async () => {
    const broker = new InMemoryBroker({ clock: virtualClock() });
    const link = broker.connect();
    await link.declare(topology);
    const sent = frame('before');
    await link.publish(sent, { persistent: true, mandatory: true });
    sent.body.write('after!');
    const deliveries = await consuming(link);
    await turns();
    expect(deliveries[0]?.body.toString()).toBe('before');
  });

  it('stops waiting for a connection when the signal is aborted', async () => {
    const broker = new InMemoryBroker({ clock: virtualClock() });
    const link = broker.connect();
    broker.stop();
    const stop = new AbortController();
    const waiting = link.whenConnected(stop.signal);
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});
