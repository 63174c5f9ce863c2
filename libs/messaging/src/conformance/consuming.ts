import assert from 'node:assert/strict';
import { at, type Cases, collect, durable, frame, textOf, topology } from './world.js';

export const consuming: Cases = {
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

  async 'counts what is held while paused against the prefetch after it resumes'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    for (const text of ['1', '2', '3', '4', '5', '6', '7']) await link.publish(frame(world, queue, text), durable);
    const taken = await collect(link, queue, 3);
    const held = await taken.take(3);
    await taken.consumer.pause();
    at(held, 0).ack();
    await taken.consumer.resume();
    await taken.take(4);
    await world.elapse(100);
    assert.deepEqual(taken.deliveries.map(textOf), ['1', '2', '3', '4']);
    at(held, 1).ack();
    await taken.take(5);
    await world.elapse(100);
    assert.deepEqual(taken.deliveries.map(textOf), ['1', '2', '3', '4', '5']);
    at(held, 2).ack();
    await taken.take(6);
    await world.elapse(100);
    assert.deepEqual(taken.deliveries.map(textOf), ['1', '2', '3', '4', '5', '6']);
    for (const delivery of taken.deliveries.slice(3)) delivery.ack();
    assert.equal(textOf(at(await taken.take(7), 6)), '7');
  },

  async 'takes nothing after it resumes while all of the prefetch is held'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    for (const text of ['1', '2', '3']) await link.publish(frame(world, queue, text), durable);
    const taken = await collect(link, queue, 2);
    const held = await taken.take(2);
    for (let round = 0; round < 3; round += 1) {
      await taken.consumer.pause();
      await taken.consumer.resume();
    }
    await world.elapse(100);
    assert.equal(taken.deliveries.length, 2);
    at(held, 1).ack();
    const third = at(await taken.take(3), 2);
    assert.deepEqual([textOf(third), third.redelivered], ['3', false]);
  },

  async 'loses nothing and repeats nothing when it pauses and resumes under load'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const seen: string[] = [];
    const consumer = await link.consume(queue, { prefetch: 4 }, (delivery) => {
      seen.push(textOf(delivery));
      void world.elapse(1).then(() => delivery.ack());
    });
    const texts = Array.from({ length: 200 }, (_, n) => String(n));
    const published = Promise.all(texts.map((text) => link.publish(frame(world, queue, text), durable)));
    for (let round = 0; round < 10; round += 1) {
      await consumer.pause();
      await world.elapse(5);
      await consumer.resume();
      await world.elapse(5);
    }
    await published;
    while (seen.length < texts.length) await world.elapse(10);
    await world.elapse(50);
    assert.deepEqual(seen.sort(), texts.sort());
  },

  async 'leaves a queue to other consumers while it is paused'(world) {
    const [link, other, queue] = [await world.link(), await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const paused = await collect(link, queue);
    await paused.consumer.pause();
    const taken = await collect(other, queue);
    for (const text of ['1', '2', '3']) await link.publish(frame(world, queue, text), durable);
    assert.deepEqual((await taken.take(3)).map(textOf), ['1', '2', '3']);
    assert.equal(paused.deliveries.length, 0);
  },

  async 'hands back what is held over a pause, and what came after it, when a consumer is cancelled'(world) {
    const [link, other, queue] = [await world.link(), await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    for (const text of ['1', '2', '3']) await link.publish(frame(world, queue, text), durable);
    const taken = await collect(link, queue, 2);
    at(await taken.take(2), 0).ack();
    await taken.consumer.pause();
    await taken.consumer.resume();
    await taken.take(3);
    await taken.consumer.cancel();
    await taken.consumer.cancel();
    const again = await (await collect(other, queue)).take(2);
    assert.deepEqual(again.map(textOf).sort(), ['2', '3']);
  },

  async 'counts how often a frame has come back'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    await link.publish(frame(world, queue), durable);
    for (const expected of [0, 1, 2, 3]) {
      const taken = await collect(link, queue);
      assert.equal((await taken.next()).deliveryCount, expected);
      await taken.consumer.cancel();
    }
  },

  async 'tells what waits in the queue and how many consume it, behind the acks of who asks'(world) {
    const [link, other, queue] = [await world.link(), await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    for (const text of ['1', '2', '3', '4']) await link.publish(frame(world, queue, text), durable);
    const taken = await collect(link, queue, 1);
    at(await taken.take(1), 0).ack();
    const look = await taken.consumer.look();
    assert.equal(look.consumers, 1);
    await taken.take(2);
    const shared = await collect(other, queue, 1);
    await shared.take(1);
    assert.deepEqual(await taken.consumer.look(), { ready: 1, consumers: 2 });
    await taken.consumer.pause();
    assert.equal((await taken.consumer.look()).ready, 1);
  },

  async 'ignores a second ack of the same delivery'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    for (const text of ['1', '2', '3']) await link.publish(frame(world, queue, text), durable);
    const taken = await collect(link, queue, 1);
    const first = await taken.next();
    first.ack();
    first.ack();
    await taken.take(2);
    await world.elapse(100);
    assert.deepEqual(taken.deliveries.map(textOf), ['1', '2']);
  },
};
