import assert from 'node:assert/strict';
import { type Cases, collect, durable, frame, quorum, rejectsWith, textOf, topology } from './world.js';

export const publishing: Cases = {
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

  async 'keeps the order of one publisher'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const texts = Array.from({ length: 20 }, (_, n) => String(n));
    await Promise.all(texts.map((text) => link.publish(frame(world, queue, text), durable)));
    const taken = await collect(link, queue, 20);
    assert.deepEqual((await taken.take(20)).map(textOf), texts);
  },

  async 'drops a frame that waited longer than its expiration, and no other'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    await link.publish(frame(world, queue, 'expires'), { ...durable, expirationMs: 50 });
    await link.publish(frame(world, queue, 'keeps'), durable);
    await world.elapse(500);
    assert.equal(textOf(await (await collect(link, queue)).next()), 'keeps');
  },

  async 'returns a mandatory frame for a queue that was deleted'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    assert.equal(await link.publish(frame(world, queue), durable), 'confirmed');
    await link.deleteQueue(queue);
    assert.equal(await link.publish(frame(world, queue), durable), 'returned');
  },

  async 'refuses a frame that no broker takes, and goes on working'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const large = { ...frame(world, queue), body: Buffer.alloc(2 ** 24 + 1) };
    await rejectsWith(link.publish(large, durable), 'rpc-message-invalid');
    assert.equal(await link.publish(frame(world, queue), durable), 'confirmed');
  },

  async 'is not blocked when nothing is wrong'(world) {
    assert.equal((await world.link()).blocked, null);
  },
};
