import { describe, expect, it } from '@jest/globals';
import { call, cast, defineRpc, type HandlersOf } from '@novella/contracts';
import { type HostName, millis, NovellaError } from '@novella/core';
import { waitUntil } from '@novella/testing';
import { z } from 'zod';
import { noLog, systemClock, systemRandom } from '../conformance/amqp-world.js';
import { frameTo, rabbitSuite } from '../conformance/rabbit-suite.js';
import { collect, durable } from '../conformance/world.js';
import { RETRY_LIMITS } from '../retry.js';
import { rpcClient } from '../rpc-client.js';
import { RpcServer, type RpcServerOptions } from '../rpc-server.js';
import { DEAD_LETTER, deadLetterTopology } from '../topology.js';

const { rabbit, connected } = rabbitSuite();

const contract = defineRpc({
  topic: 'compute',
  version: '1.0',
  methods: {
    act: cast(z.object({ n: z.number() }), { persistent: true, mandatory: true }),
    hint: cast(z.object({ n: z.number() }), { persistent: false, mandatory: false, expiresMs: 200 }),
    ping: call(z.object({ text: z.string() }), z.object({ text: z.string() }), { timeoutMs: 20_000 }),
    impatient: call(z.object({}), z.object({}), { timeoutMs: 200 }),
  },
});
type Handlers = HandlersOf<typeof contract>;
const common = { clock: systemClock, random: systemRandom, log: noLog };
const unexpected = () => Promise.reject(new NovellaError('event-unsupported', 'not in this test'));

let hosts = 0;

/** A server on a host of its own and a client, each with a link; `proxy` is the server's. */
async function world(handlers: Partial<Handlers>, options: Partial<RpcServerOptions> = {}) {
  const host = `host-${++hosts}` as HostName;
  const [{ link: serverLink, proxy }, { link }] = [await connected(), await connected()];
  const all: Handlers = { act: unexpected, hint: unexpected, ping: unexpected, impatient: unexpected, ...handlers };
  const start = async (): Promise<RpcServer<typeof contract>> => {
    const server = new RpcServer(serverLink, contract, host, all, { ...common, ...options });
    await server.start();
    return server;
  };
  const client = rpcClient(link, contract, common);
  return { host, queue: `compute.${host}`, serverLink, proxy, link, start, server: await start(), client };
}

const counted = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe('casts over RabbitMQ', () => {
  it('are handled in the order in which one client sent them', async () => {
    const seen: number[] = [];
    const { client, host } = await world({ act: ({ n }) => Promise.resolve(void seen.push(n)) });
    for (const n of counted(50)) await client.to(host).act({ n });
    await waitUntil(() => seen.length === 50);
    expect(seen).toEqual(counted(50));
  });

  it('are worked on sixteen at once, and no more', async () => {
    const waiting: (() => void)[] = [];
    let most = 0;
    const act = async (): Promise<void> => {
      most = Math.max(most, waiting.length + 1);
      await new Promise<void>((resolve) => waiting.push(resolve));
    };
    const { client, host, server } = await world({ act });
    await Promise.all(counted(40).map((n) => client.to(host).act({ n })));
    await waitUntil(() => waiting.length === 16);
    await waitUntil(() => {
      waiting.shift()?.();
      return server.counts.handled === 40;
    });
    expect(most).toBe(16);
  });

  it('are refused with rpc-no-route for a host that has no queue', async () => {
    const { client } = await world({});
    await expect(client.to('nowhere' as HostName).act({ n: 1 })).rejects.toMatchObject({ code: 'rpc-no-route' });
  });

  it('expire when nobody took them in time', async () => {
    const seen: number[] = [];
    const handlers = { hint: ({ n }: { n: number }) => Promise.resolve(void seen.push(n)) };
    const { client, host, server, start } = await world({
      ...handlers,
      act: () => Promise.resolve(void seen.push(-1)),
    });
    await server.close({ graceMs: 0 });
    await client.to(host).hint({ n: 1 });
    await systemClock.sleep(millis(400));
    await start();
    await client.to(host).act({ n: 2 });
    await waitUntil(() => seen.length > 0);
    expect(seen).toEqual([-1]);
  });

  it('that fail for the moment stay with the server and are repeated there; others are handled after them', async () => {
    const seen: string[] = [];
    let failures = 3;
    const act = ({ n }: { n: number }, { redelivered }: { redelivered: boolean }): Promise<void> => {
      seen.push(`${n}${redelivered ? ' again' : ''}`);
      if (n === 1 && failures-- > 0) return Promise.reject(new NovellaError('paths-down', 'down'));
      return Promise.resolve();
    };
    const retry = { ...RETRY_LIMITS, firstMs: 20, longestMs: 50 };
    const { client, host, server } = await world({ act }, { retry, prefetch: 1 });
    for (const n of [1, 2]) await client.to(host).act({ n });
    await waitUntil(() => server.counts.handled === 2);
    expect(seen).toEqual(['1', '1', '1', '1', '2']);
    expect(server.counts).toMatchObject({ received: 2, retries: 3, deadLettered: 0 });
  });

  it('come again, marked so, when the connection broke before they were acked, and run once at a time', async () => {
    let [running, most, runs] = [0, 0, 0];
    let finish: () => void = () => undefined;
    const act = async (): Promise<void> => {
      runs += 1;
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => (finish = resolve));
      running -= 1;
    };
    const { client, host, server, serverLink, proxy } = await world({ act });
    await client.to(host).act({ n: 1 });
    await waitUntil(() => runs === 1);
    proxy.set('cut');
    await waitUntil(() => serverLink.state === 'disconnected');
    proxy.set('pass');
    await serverLink.whenConnected();
    await waitUntil(() => server.counts.received === 2);
    finish();
    await waitUntil(() => server.counts.handled === 1);
    expect([runs, most]).toEqual([1, 1]);
    const left = await rabbit().rabbitmqctl('list_queues', 'name', '--no-table-headers');
    expect(left).toContain(`compute.${host}`);
  });

  it('are handed back when the server closes before they are done, and the next server has them first', async () => {
    const seen: number[] = [];
    let stuck = true;
    const act = ({ n }: { n: number }): Promise<void> => {
      if (stuck) return new Promise(() => undefined);
      seen.push(n);
      return Promise.resolve();
    };
    const { client, host, server, start } = await world({ act }, { prefetch: 2 });
    for (const n of [1, 2, 3]) await client.to(host).act({ n });
    await waitUntil(() => server.counts.received === 2);
    expect(await server.close({ graceMs: 0 })).toEqual({ handedBack: 2 });
    stuck = false;
    await start();
    await waitUntil(() => seen.length === 3);
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe('dead letters at RabbitMQ', () => {
  const policy = [
    'set_policy',
    'dead',
    '^compute\\.',
    '{"dead-letter-exchange":"nova_dead_letter","delivery-limit":2}',
  ];

  it.each([
    {
      given: 'with a policy that sends them there',
      set: () => rabbit().rabbitmqctl(...policy, '--apply-to', 'queues'),
    },
    { given: 'without any policy', set: () => Promise.resolve('') },
  ])('have what no handler will ever take, $given', async ({ set }) => {
    await set();
    const { client, host, link, queue, server } = await world({
      act: () => Promise.reject(new NovellaError('disk-cannot-grow', 'never')),
    });
    await link.declare(deadLetterTopology);
    const dead = await collect(link, DEAD_LETTER);
    await client.to(host).act({ n: 1 });
    const malformed = { ...frameTo(queue), body: Buffer.from('no JSON') };
    await link.publish(malformed, durable);
    await waitUntil(() => server.counts.deadLettered === 2);
    const letters = await dead.take(2);
    const reasons = letters.map(({ headers }) => String(headers['x-novella-reason'])).sort();
    expect(reasons[0]).toMatch(/^disk-cannot-grow/);
    expect(reasons[1]).toMatch(/^rpc-message-invalid/);
    for (const letter of letters) letter.ack();
    await dead.consumer.cancel();
    await rabbit()
      .rabbitmqctl('clear_policy', 'dead')
      .catch(() => '');
  });

  it('have what came back too often, with a policy that says so', async () => {
    await rabbit().rabbitmqctl(...policy, '--apply-to', 'queues');
    const { client, host, server, link, queue } = await world({});
    await server.close({ graceMs: 0 });
    await link.declare(deadLetterTopology);
    await client.to(host).act({ n: 1 });
    for (let round = 0; round < 3; round += 1) {
      const taken = await collect(link, queue);
      await taken.next();
      await taken.consumer.cancel();
    }
    const letter = await (await collect(link, DEAD_LETTER)).next();
    expect(letter.headers).toMatchObject({ 'x-first-death-reason': 'delivery_limit', 'x-first-death-queue': queue });
    letter.ack();
    await rabbit().rabbitmqctl('clear_policy', 'dead');
  });
});

describe('calls over RabbitMQ', () => {
  const ping = ({ text }: { text: string }) => Promise.resolve({ text: `${text}!` });

  it.each(['', 'nova'])('are answered through exchange "%s", each with its own result', async (replyExchange) => {
    const { client, host } = await world({ ping }, { replyExchange });
    const answers = await Promise.all(counted(30).map((n) => client.to(host).ping({ text: String(n) })));
    expect(answers).toEqual(counted(30).map((n) => ({ text: `${n}!` })));
  });

  it("are answered with the handler's own error", async () => {
    const refuse = () => Promise.reject(new NovellaError('domain-not-found', 'no such guest', { server: 'x' }));
    const { client, host } = await world({ ping: refuse });
    await expect(client.to(host).ping({ text: '' })).rejects.toMatchObject({
      code: 'domain-not-found',
      message: 'no such guest',
      facts: { server: 'x' },
    });
  });

  it('end at their deadline when no answer came', async () => {
    const { client, host } = await world({ impatient: () => new Promise(() => undefined) });
    await expect(client.to(host).impatient({})).rejects.toMatchObject({ code: 'rpc-timeout' });
  });

  it('are answered after the broker has restarted', async () => {
    const { client, host, link, serverLink } = await world({ ping });
    expect(await client.to(host).ping({ text: 'before' })).toEqual({ text: 'before!' });
    await rabbit().restart();
    await Promise.all([link.whenConnected(), serverLink.whenConnected()]);
    expect(await client.to(host).ping({ text: 'after' })).toEqual({ text: 'after!' });
  });
});
