import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { call, cast, defineRpc } from '@novella/contracts';
import { type HostName, NovellaError } from '@novella/core';
import { temporaryDirectory, waitUntil } from '@novella/testing';
import { z } from 'zod';
import { definitions } from '../../../../deploy/rabbitmq/definitions.mjs';
import { noLog, systemClock, systemRandom } from '../conformance/amqp-world.js';
import { frameTo, queueOf, rabbitSuite } from '../conformance/rabbit-suite.js';
import { collect, durable, rejectsWith } from '../conformance/world.js';
import { rpcClient } from '../rpc-client.js';
import { RpcServer } from '../rpc-server.js';
import { DEAD_LETTER, deadLetterTopology, serverTopology } from '../topology.js';

/** The users of a deployment as the generator makes them, at a broker that knows nothing else. */
const PASSWORD = 'a-password';
const directory = await temporaryDirectory();
afterAll(() => directory.remove());
const { rabbit, connected } = rabbitSuite(async () => {
  const users = ['nova-api', 'conductor', 'compute-host-1', 'compute-host-2'];
  const passwords = Object.fromEntries(users.map((user) => [user, PASSWORD]));
  const path = join(directory.path, 'definitions.json');
  await writeFile(path, JSON.stringify(definitions({ hosts: ['host-1', 'host-2'], passwords })));
  return { definitions: path };
});
const as = (user: string) => connected({ user: [user, PASSWORD] });

const HOST = 'host-1' as HostName;
const contract = defineRpc({
  topic: 'compute',
  version: '1.0',
  methods: {
    act: cast(z.object({ text: z.string() }), { persistent: true, mandatory: true }),
    ping: call(z.object({}), z.object({ user: z.string().nullable() }), { timeoutMs: 20_000 }),
  },
});
const options = { clock: systemClock, random: systemRandom, log: noLog };

describe("a host's broker user", () => {
  it('finds the exchange that it may not make, makes its own queue, and answers calls through the exchange', async () => {
    const [compute, conductor] = [await as('compute-host-1'), await as('conductor')];
    const seen: string[] = [];
    const server = new RpcServer(
      compute.link,
      contract,
      HOST,
      {
        act: ({ text }) => Promise.resolve(void seen.push(text)),
        ping: (_args, { userId }) => Promise.resolve({ user: userId }),
      },
      { ...options, replyExchange: 'nova' },
    );
    await server.start();
    const client = rpcClient(conductor.link, contract, options).to(HOST);
    await client.act({ text: 'done' });
    await waitUntil(() => seen.length > 0);
    expect(await client.ping({})).toEqual({ user: 'conductor' });
    await server.close({ graceMs: 0 });
  });

  it('proves that it hears: it may send to its own queue and to no other, and ask what waits there', async () => {
    const [compute, conductor] = [await as('compute-host-1'), await as('conductor')];
    for (const host of ['host-1', 'host-2', 'host-1.x']) {
      await conductor.link.declare(serverTopology({ kind: 'host', topic: 'compute', host }, 'unused'));
    }
    const taken = await collect(compute.link, 'compute.host-1');
    expect(await compute.link.publish(frameTo('compute.host-1'), durable)).toBe('confirmed');
    (await taken.next()).ack();
    expect(await taken.consumer.look()).toEqual({ ready: 0, consumers: 1 });
    for (const key of ['compute.host-2', 'compute.host-1.x', 'compute.host-1.lock', 'compute']) {
      await expect(compute.link.publish(frameTo(key), durable)).rejects.toMatchObject({ code: 'broker-refused' });
    }
    await conductor.link.deleteQueue('compute.host-2');
    await conductor.link.deleteQueue('compute.host-1.x');
  });

  it('puts what it can not handle into the dead-letter queue that it may not make', async () => {
    const [compute, conductor] = [await as('compute-host-1'), await as('conductor')];
    const refuse = () => Promise.reject(new NovellaError('disk-cannot-grow', 'never'));
    const server = new RpcServer(compute.link, contract, HOST, { act: refuse, ping: refuse }, options);
    await server.start();
    await rpcClient(conductor.link, contract, options).to(HOST).act({ text: 'impossible' });
    await conductor.link.declare(deadLetterTopology);
    const dead = await (await collect(conductor.link, DEAD_LETTER)).next();
    expect(dead.headers).toMatchObject({ 'x-novella-queue': 'compute.host-1' });
    expect(dead.userId).toBe('compute-host-1');
    dead.ack();
    await server.close({ graceMs: 0 });
  });

  it("may not make another host's queue, nor take it", async () => {
    const [compute, other] = [await as('compute-host-1'), await as('compute-host-2')];
    const topology = serverTopology({ kind: 'host', topic: 'compute', host: 'host-2' }, 'unused');
    await expect(compute.link.declare(topology)).rejects.toMatchObject({
      code: 'broker-refused',
      facts: { what: 'queue compute.host-2' },
    });
    await other.link.declare(topology);
    const consumed = compute.link.consume('compute.host-2', { prefetch: 1 }, () => undefined);
    await expect(consumed).rejects.toMatchObject({ code: 'broker-refused' });
    await expect(compute.link.deleteQueue('compute.host-2')).rejects.toMatchObject({ code: 'broker-refused' });
  });

  it('may not command a host nor use the default exchange, and goes on after it was refused', async () => {
    const { link } = await as('compute-host-1');
    const conductor = await as('conductor');
    await conductor.link.declare(serverTopology({ kind: 'any', topic: 'conductor' }, 'unused'));
    for (const frame of [frameTo('compute.host-2'), { ...frameTo('conductor'), exchange: '' }]) {
      await expect(link.publish(frame, durable)).rejects.toMatchObject({ code: 'broker-refused' });
    }
    expect(await link.publish(frameTo('conductor'), durable)).toBe('confirmed');
    await conductor.link.deleteQueue('conductor');
  });

  it('comes back after a restart of the broker with what it may not make', async () => {
    const { link } = await as('compute-host-1');
    await link.declare(serverTopology({ kind: 'host', topic: 'compute', host: HOST }, 'unused'));
    await link.declare(deadLetterTopology);
    const taken = await collect(link, 'compute.host-1');
    await rabbit().restart();
    const conductor = await as('conductor');
    await waitUntil(async () => {
      await link.whenConnected();
      return (await conductor.link.publish(frameTo('compute.host-1', 'after'), durable)) === 'confirmed';
    });
    (await taken.next()).ack();
  });

  it('is told what is missing and how to mend it when the deployment lacks an exchange', async () => {
    const { link } = await as('compute-host-1');
    const exchange = { name: 'not_there', type: 'topic', durable: true, autoDelete: false } as const;
    const error = await rejectsWith(link.declare({ exchanges: [exchange], queues: [] }), 'broker-refused');
    expect(error).toMatchObject({ grade: 'final', facts: { what: 'exchange not_there' } });
    expect(error.message).toContain('grant the permission');
  });
});

describe('what the broker has in another way', () => {
  it.each([
    { declared: { durable: true, arguments: {} }, argument: 'x-queue-type', found: 'none', wanted: 'quorum' },
    { declared: { durable: false, arguments: {} }, argument: 'durable', found: 'false', wanted: 'true' },
  ])('is refused with $argument, found $found, wanted $wanted', async ({ declared, argument, found, wanted }) => {
    const { link } = await connected();
    const name = `classic-${argument}`;
    const queue = { name, autoDelete: false, bindings: [], ...declared };
    await link.declare({ exchanges: [], queues: [queue] });
    const error = await rejectsWith(link.declare(queueOf(name)), 'broker-refused');
    expect(error.facts).toEqual({ what: `queue ${name}`, argument, found, wanted });
    expect(error.message).toMatch(/delete the queue .* or set what its other users declare/);
    expect(link.state).toBe('connected');
  });
});
