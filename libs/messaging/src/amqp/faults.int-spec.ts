import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { type Log, type LogFacts, type Millis, millis } from '@novella/core';
import { cuttingProxy, waitUntil } from '@novella/testing';
import { noLog, systemClock, systemRandom } from '../conformance/amqp-world.js';
import { frameTo, publishing, queueOf, rabbitSuite, START_LIMIT_MS } from '../conformance/rabbit-suite.js';
import { collect, durable, textOf } from '../conformance/world.js';
import { openAmqpLink } from './amqp-link.js';

const { rabbit, connected, newName, atEnd } = rabbitSuite();

describe('a broker that restarts under load', () => {
  it.each([
    { how: 'in the proper way', restart: () => rabbit().restart() },
    {
      how: 'by kill -9',
      restart: () =>
        rabbit()
          .kill()
          .then(() => rabbit().start()),
    },
  ])(
    'loses nothing that it had confirmed, and all consumers come back, when it is ended $how',
    async ({ restart }) => {
      const [publisher, one, two] = [await connected(), await connected(), await connected()];
      const queues = [newName('a'), newName('b')];
      const seen = new Set<string>();
      for (const queue of queues) {
        await publisher.link.declare(queueOf(queue));
        for (const { link } of [one, two]) {
          await link.declare(queueOf(queue));
          await link.consume(queue, { prefetch: 16 }, (delivery) => {
            seen.add(delivery.body.toString());
            delivery.ack();
          });
        }
      }
      // Which queues there are is on the disk half a second after one was made; killed before, the broker never serves it.
      await sleep(2_000);
      const load = publishing(publisher.link, queues);
      await waitUntil(() => load.confirmed.size > 200);
      await restart();
      await Promise.all([publisher, one, two].map(({ link }) => link.whenConnected()));
      const before = load.confirmed.size;
      await waitUntil(() => load.confirmed.size > before + 200);
      await load.stop();
      await waitUntil(() => [...load.confirmed].every((text) => seen.has(text)));
      expect(load.otherFaults).toEqual([]);
      const consumers = await rabbit().rabbitmqctl('list_consumers', 'queue_name', '--no-table-headers');
      for (const queue of queues) expect(consumers.split('\n').filter((name) => name === queue)).toHaveLength(2);
    },
    START_LIMIT_MS,
  );
});

describe('a broker that runs out of memory', () => {
  it('blocks publishing and says why, while deliveries are acked and queues declared', async () => {
    const { link } = await connected({ confirmTimeout: millis(500) });
    const queue = newName('memory');
    await link.declare(queueOf(queue));
    for (const text of ['1', '2']) await link.publish(frameTo(queue, text), durable);
    const taken = await collect(link, queue, 1);
    const first = await taken.next();
    await rabbit().rabbitmqctl('set_vm_memory_high_watermark', '0.00001');
    try {
      await waitUntil(async () => {
        // RabbitMQ tells a publisher at its next publish.
        await link.publish(frameTo(queue, 'blocked'), durable).catch(() => undefined);
        return link.blocked !== null;
      });
      expect(link.blocked).toMatch(/memory/);
      expect(link.state).toBe('connected');
      await expect(link.publish(frameTo(queue), durable)).rejects.toMatchObject({
        code: 'broker-unreachable',
        facts: { reason: link.blocked },
      });
      first.ack();
      expect((await taken.take(2)).map(({ body }) => body.toString())).toEqual(['1', '2']);
      await link.declare(queueOf(newName('declared')));
    } finally {
      await rabbit().rabbitmqctl('set_vm_memory_high_watermark', '0.4');
    }
    await waitUntil(() => link.blocked === null);
    expect(await link.publish(frameTo(queue), durable)).toBe('confirmed');
  });
});

describe('a network that fails', () => {
  it('is noticed by missing heartbeats when the other end is gone without a word', async () => {
    const { link, proxy } = await connected({ heartbeatS: 1 });
    const states: string[] = [];
    link.onState((state) => states.push(state));
    proxy.set('half-open');
    await waitUntil(() => states.includes('disconnected'));
    proxy.set('pass');
    await link.whenConnected();
    expect(states).toEqual(['disconnected', 'connected']);
    const queue = newName('after');
    await link.declare(queueOf(queue));
    expect(await link.publish(frameTo(queue), durable)).toBe('confirmed');
  });

  it('leaves a publish without a confirm unknown at its deadline, and the link goes on', async () => {
    const { link, proxy } = await connected({ confirmTimeout: millis(300) });
    const queue = newName('slow');
    await link.declare(queueOf(queue));
    proxy.set('hang');
    const all = Array.from({ length: 3 }, () => link.publish(frameTo(queue), durable));
    for (const outcome of await Promise.allSettled(all)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'broker-unreachable' } });
    }
    proxy.set('pass');
    expect(await link.publish(frameTo(queue, 'after'), durable)).toBe('confirmed');
    const taken = await collect(link, queue);
    expect((await taken.take(4)).map(({ body }) => body.toString())).toEqual(['{}', '{}', '{}', 'after']);
  });

  it('does not keep the link from closing', async () => {
    const { link, proxy } = await connected({ confirmTimeout: millis(300) });
    const queue = newName('stuck');
    await link.declare(queueOf(queue));
    await collect(link, queue);
    proxy.set('hang');
    const published = link.publish(frameTo(queue), durable).catch((error: unknown) => error);
    await link.close();
    expect(await published).toMatchObject({ code: 'broker-unreachable' });
    expect(link.state).toBe('closed');
  });

  it('is got round by the next URL, and a name that the broker still gives to our lost connection is taken again', async () => {
    const [first, second] = [await cuttingProxy({ port: rabbit().port }), await cuttingProxy({ port: rabbit().port })];
    const urls = [first, second].map(({ port }) => rabbit().url.replace(`:${rabbit().port}/`, `:${port}/`));
    const common = { connectionName: 'test', clock: systemClock, random: systemRandom, log: noLog };
    const link = openAmqpLink({ urls, heartbeatS: 2, ...common });
    atEnd(async () => {
      await link.close();
      await Promise.all([first.close(), second.close()]);
    });
    const lost: string[] = [];
    link.onNameLost((queue) => lost.push(queue));
    const name = newName('lock');
    await link.declare({
      exchanges: [],
      queues: [{ name, durable: false, autoDelete: false, exclusive: true, arguments: {}, bindings: [] }],
    });
    expect([first.connections, second.connections]).toEqual([2, 0]);
    const gone = new Promise<void>((resolve) => link.onState(() => resolve()));
    first.set('hang');
    await gone;
    await link.whenConnected();
    expect(second.connections).toBe(2);
    expect(lost).toEqual([]);
    expect(await rabbit().rabbitmqctl('list_queues', 'name', 'exclusive', '--no-table-headers')).toContain(
      `${name}\ttrue`,
    );
  });
});

describe('a channel that the broker closes', () => {
  it('is opened again when an ack took too long, and what was held comes again', async () => {
    const env = (name: string, ms: string): Promise<string> =>
      rabbit().rabbitmqctl('eval', `application:set_env(rabbit, ${name}, ${ms}).`);
    await env('consumer_timeout', '1000');
    await env('channel_tick_interval', '500');
    try {
      const { link } = await connected();
      const queue = newName('late');
      await link.declare(queueOf(queue));
      await link.publish(frameTo(queue), durable);
      const taken = await collect(link, queue);
      const held = await taken.next();
      const [, again] = await taken.take(2);
      expect(held.lost.aborted).toBe(true);
      held.ack();
      expect(again?.redelivered).toBe(true);
      again?.ack();
      expect(link.state).toBe('connected');
    } finally {
      await env('consumer_timeout', '1800000');
      await env('channel_tick_interval', '60000');
    }
  });

  it('fails only the publishes that were under way on it', async () => {
    const { link } = await connected();
    const queue = newName('other');
    await link.declare(queueOf(queue));
    const taken = await collect(link, queue);
    const wrong = link.publish({ ...frameTo(queue), exchange: 'no-such-exchange' }, durable);
    await expect(wrong).rejects.toMatchObject({ code: 'rpc-no-route', facts: { exchange: 'no-such-exchange' } });
    expect(await link.publish(frameTo(queue), durable)).toBe('confirmed');
    expect((await taken.next()).lost.aborted).toBe(false);
  });
});

describe('a queue that the broker cannot bring up', () => {
  const erlang = (queue: string, what: string) =>
    rabbit().rabbitmqctl('eval', `ra:${what}(quorum_queues, {'%2F_${queue}', node()}).`);

  /** Consumed and with a message, before the broker cannot bring it up any more; `received` tells each delivery. */
  async function deadQueue(brokenQueuePatience: Millis) {
    const [publisher, { link }] = [await connected(), await connected({ brokenQueuePatience })];
    const queue = newName('dead');
    const received: string[] = [];
    await link.declare(queueOf(queue));
    await link.consume(queue, { prefetch: 4 }, (delivery) => void received.push(textOf(delivery)));
    const publish = (text: string) => publisher.link.publish(frameTo(queue, text), durable);
    await publish('before');
    await waitUntil(() => received.length === 1, { what: 'the first delivery' });
    await erlang(queue, 'stop_server');
    for (const each of [link, publisher.link]) each.drop('as if the broker had been started again');
    return { queue, publish, received };
  }

  it('is made anew after a while, and consumed', async () => {
    const { publish, received } = await deadQueue(millis(500));
    const isTaken = () => publish('after').then((end) => end === 'confirmed');
    await waitUntil(isTaken, { what: 'the queue to take messages', every: 100 });
    await waitUntil(() => received.includes('after'), { what: 'the message' });
  });

  it('keeps what is in it when it comes up by itself', async () => {
    const { queue, received } = await deadQueue(millis(120_000));
    await sleep(3_000);
    await erlang(queue, 'restart_server');
    await waitUntil(() => received.length > 1, { what: 'the message to come again' });
    expect(new Set(received)).toEqual(new Set(['before']));
  });
});

describe('a link', () => {
  it('has two connections, named after its process, whatever it does', async () => {
    const { link } = await connected({ connectionName: 'nova-compute:host-1' });
    const queue = newName('two');
    await link.declare(queueOf(queue));
    for (let n = 0; n < 3; n += 1) await collect(link, queue);
    await link.publish(frameTo(queue), durable);
    const listed = await rabbit().rabbitmqctl('list_connections', 'client_properties', '--no-table-headers');
    const ours = listed.split('\n').filter((line) => line.includes('nova-compute:host-1'));
    expect(ours).toHaveLength(2);
    expect(ours.join()).toMatch(/host-1:consume.*host-1:publish|host-1:publish.*host-1:consume/s);
  });

  it('says why it is not let in, and never how it tried', async () => {
    const lines: LogFacts[] = [];
    const write = (_message: string, facts?: LogFacts): void => void lines.push(facts ?? {});
    const log: Log = { debug: write, info: write, warn: write, error: write };
    const url = rabbit().urlOf('novella', 'not-the-password');
    const link = openAmqpLink({ urls: [url], connectionName: 'test', clock: systemClock, random: systemRandom, log });
    atEnd(() => link.close());
    await waitUntil(() => lines.length > 0);
    expect(String((lines[0]?.['error'] as Error).cause)).toMatch(/ACCESS.REFUSED/);
    expect(JSON.stringify(lines)).not.toContain('not-the-password');
    expect(link.state).toBe('disconnected');
  });

  it.each([[[]], [['http://localhost/']], [['amqp://']], [['not a url']]])('is not opened with the URLs %j', (urls) => {
    const common = { connectionName: 'test', clock: systemClock, random: systemRandom, log: noLog };
    expect(() => openAmqpLink({ urls, ...common })).toThrow(
      expect.objectContaining({ code: 'internal', grade: 'final' }),
    );
  });

  it('goes on when the code that takes a delivery throws', async () => {
    const { link } = await connected();
    const queue = newName('throws');
    await link.declare(queueOf(queue));
    const seen: string[] = [];
    await link.consume(queue, { prefetch: 4 }, (delivery) => {
      seen.push(delivery.body.toString());
      delivery.ack();
      throw new Error('a defect of the taker');
    });
    for (const text of ['1', '2']) await link.publish(frameTo(queue, text), durable);
    await waitUntil(() => seen.length === 2);
    expect(seen).toEqual(['1', '2']);
  });
});
