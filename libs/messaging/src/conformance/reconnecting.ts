import assert from 'node:assert/strict';
import type { NovellaError } from '@novella/core';
import { at, type Cases, collect, durable, frame, rejectsWith, textOf, topology } from './world.js';

export const reconnecting: Cases = {
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

  async 'connects anew when it is dropped, and delivers again what was held'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue);
    await link.publish(frame(world, queue), durable);
    const held = await taken.next();
    const states: string[] = [];
    link.onState((state) => states.push(state));
    link.drop('the case');
    link.drop('the case');
    const [, again] = await taken.take(2);
    await link.whenConnected();
    assert.deepEqual(states, ['disconnected', 'connected']);
    assert.equal(held.lost.aborted, true);
    assert.equal(again?.redelivered, true);
    again.ack();
    assert.equal(await link.publish(frame(world, queue), durable), 'confirmed');
  },

  async 'tells nothing of a queue while it is disconnected'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue);
    await world.interrupt(link, async () => {
      await rejectsWith(taken.consumer.look(), 'broker-unreachable');
      link.drop('there is nothing to drop');
    });
    await link.whenConnected();
    assert.equal((await taken.consumer.look()).ready, 0);
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

  async 'waits with what is declared and consumed while it is disconnected'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    const begun: Promise<void>[] = [];
    let delivered: (text: string) => void = () => undefined;
    const taken = new Promise<string>((resolve) => (delivered = resolve));
    await world.interrupt(link, () => {
      const begin = async (): Promise<void> => {
        await link.declare(topology(world, queue));
        await link.consume(queue, { prefetch: 1 }, (delivery) => delivered(textOf(delivery)));
      };
      begun.push(begin());
      return Promise.resolve();
    });
    await Promise.all(begun);
    await link.publish(frame(world, queue, 'waited for'), durable);
    assert.equal(await taken, 'waited for');
  },

  async 'refuses to publish while it is disconnected'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    await world.interrupt(link, async () => {
      assert.equal(link.state, 'disconnected');
      await rejectsWith(link.publish(frame(world, queue), durable), 'broker-unreachable');
    });
    await link.whenConnected();
    assert.equal(await link.publish(frame(world, queue), durable), 'confirmed');
  },

  async 'begins the next connection as it was told on none: paused, resumed or cancelled'(world) {
    const link = await world.link();
    const queues = ['paused', 'resumed', 'cancelled'].map((part) => world.name(part));
    const all = [];
    for (const queue of queues) {
      await link.declare(topology(world, queue));
      all.push(await collect(link, queue));
    }
    const [paused, resumed, cancelled] = all;
    assert.ok(paused && resumed && cancelled);
    await resumed.consumer.pause();
    await world.interrupt(link, async () => {
      await paused.consumer.pause();
      await resumed.consumer.resume();
      await cancelled.consumer.cancel();
    });
    await link.whenConnected();
    for (const queue of queues) await link.publish(frame(world, queue), durable);
    await resumed.next();
    await world.elapse(100);
    assert.deepEqual([paused.deliveries.length, cancelled.deliveries.length], [0, 0]);
    await paused.consumer.resume();
    await paused.next();
  },

  async 'closes while it is disconnected, and ends what waits for a connection'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    const states: string[] = [];
    await link.declare(topology(world, queue));
    await collect(link, queue);
    link.onState((state) => states.push(state));
    await world.interrupt(link, async () => {
      const waiting = [link.whenConnected(), link.declare(topology(world, queue)), collect(link, queue)];
      const settled = Promise.allSettled(waiting);
      await link.close();
      for (const outcome of await settled) {
        assert.equal(outcome.status, 'rejected');
        assert.equal((outcome.reason as NovellaError).code, 'broker-unreachable');
      }
    });
    assert.deepEqual(states, ['disconnected', 'closed']);
  },

  async 'delivers each frame that was held again, in the old order, after its connection broke'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue, 3);
    for (const text of ['1', '2', '3', '4']) await link.publish(frame(world, queue, text), durable);
    at(await taken.take(3), 1).ack();
    await taken.take(4);
    await world.interrupt(link);
    const again = (await taken.take(7)).slice(4);
    assert.deepEqual(again.map(textOf), ['1', '3', '4']);
    assert.deepEqual(
      again.map(({ deliveryCount }) => deliveryCount),
      [1, 1, 1],
    );
  },
};
