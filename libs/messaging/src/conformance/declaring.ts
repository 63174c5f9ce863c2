import assert from 'node:assert/strict';
import type { Topology } from '../link.js';
import { type Cases, collect, durable, frame, quorum, rejectsWith, textOf, topology } from './world.js';

export const declaring: Cases = {
  async 'declares the same twice, and refuses the same queue with other arguments'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    const wanted = topology(world, queue);
    await link.declare(wanted);
    await link.declare(wanted);
    const others = wanted.queues.map((each) => ({ ...each, arguments: { ...each.arguments, 'x-expires': 60_000 } }));
    await rejectsWith(link.declare({ ...wanted, queues: others }), 'broker-refused');
    await link.whenConnected();
    assert.equal(await link.publish(frame(world, queue), durable), 'confirmed');
  },

  async 'names the argument that differs, what the broker has and what was wanted'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    const declared = (ms: number): Topology => ({
      exchanges: [],
      queues: [{ ...quorum, name: queue, arguments: { ...quorum.arguments, 'x-expires': ms }, bindings: [] }],
    });
    await link.declare(declared(60_000));
    const { facts } = await rejectsWith(link.declare(declared(90_000)), 'broker-refused');
    assert.deepEqual(facts, { what: `queue ${queue}`, argument: 'x-expires', found: '60000', wanted: '90000' });
  },

  async 'refuses an exchange of another type'(world) {
    const [link, name] = [await world.link(), world.name('exchange')];
    const exchange = (type: 'topic' | 'fanout'): Topology => ({
      exchanges: [{ name, type, durable: true, autoDelete: false }],
      queues: [],
    });
    await link.declare(exchange('topic'));
    const { facts } = await rejectsWith(link.declare(exchange('fanout')), 'broker-refused');
    assert.deepEqual(facts, { what: `exchange ${name}`, argument: 'type', found: 'topic', wanted: 'fanout' });
  },

  async 'refuses to bind to an exchange that does not exist'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    const { queues } = topology(world, queue);
    await rejectsWith(link.declare({ exchanges: [], queues }), 'rpc-no-route');
  },

  async 'refuses to consume a queue that does not exist'(world) {
    await rejectsWith(collect(await world.link(), world.name('missing')), 'rpc-no-route');
  },

  async 'deletes a queue with what is in it, and one that is not there'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.deleteQueue(queue);
    await link.declare(topology(world, queue));
    await link.publish(frame(world, queue, 'gone'), durable);
    await link.deleteQueue(queue);
    await link.declare(topology(world, queue));
    await link.publish(frame(world, queue, 'new'), durable);
    assert.equal(textOf(await (await collect(link, queue)).next()), 'new');
  },

  async 'does not make a queue again that it has deleted'(world) {
    const [link, queue] = [await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    await collect(link, queue);
    await link.deleteQueue(queue);
    await world.interrupt(link);
    await link.whenConnected();
    assert.equal(await link.publish(frame(world, queue), durable), 'returned');
  },

  async 'makes a queue again that another link deletes under its consumer'(world) {
    const [link, other, queue] = [await world.link(), await world.link(), world.name('queue')];
    await link.declare(topology(world, queue));
    const taken = await collect(link, queue);
    await link.publish(frame(world, queue, 'held'), durable);
    const held = await taken.next();
    await other.deleteQueue(queue);
    while ((await other.publish(frame(world, queue, 'after'), durable)) === 'returned') await world.elapse(20);
    const [, after] = await taken.take(2);
    assert.equal(held.lost.aborted, true);
    held.ack();
    assert.equal(after?.body.toString(), 'after');
    after.ack();
  },

  async 'lets one link alone hold an exclusive queue, until it closes'(world) {
    const [link, other, name] = [await world.link(), await world.link(), world.name('lock')];
    await link.declare(lock(name));
    await link.declare(lock(name));
    const { facts } = await rejectsWith(other.declare(lock(name)), 'host-name-taken');
    assert.equal(facts['queue'], name);
    await link.close();
    // The broker deletes the queue after the connection, and a busy one not at once.
    while ((await other.declare(lock(name)).catch(() => 'taken')) === 'taken') await world.elapse(20);
  },

  async 'holds an exclusive queue again after a reconnect'(world) {
    const [link, other, name] = [await world.link(), await world.link(), world.name('lock')];
    const lost: string[] = [];
    link.onNameLost((queue) => lost.push(queue));
    await link.declare(lock(name));
    await world.interrupt(link);
    await link.whenConnected();
    await rejectsWith(other.declare(lock(name)), 'host-name-taken');
    assert.deepEqual(lost, []);
  },

  async 'says that its name is lost when another link took it meanwhile, and closes'(world) {
    const [link, other, name] = [await world.link(), await world.link(), world.name('lock')];
    const lost = new Promise<string>((resolve) => link.onNameLost(resolve));
    await link.declare(lock(name));
    const waiting = link.whenConnected();
    await world.interrupt(link, async () => {
      while ((await other.declare(lock(name)).catch(() => 'taken')) === 'taken') await world.elapse(20);
    });
    assert.equal(await lost, name);
    await waiting;
    await rejectsWith(link.whenConnected(), 'broker-unreachable');
    assert.equal(link.state, 'closed');
    await link.close();
  },
};

/** How a host's name is held. */
const lock = (name: string): Topology => ({
  exchanges: [],
  queues: [{ name, durable: false, autoDelete: false, exclusive: true, arguments: {}, bindings: [] }],
});
