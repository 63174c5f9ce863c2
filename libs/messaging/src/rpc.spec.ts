import { describe, expect, it } from '@jest/globals';
import { call, cast, type ClientOf, defineRpc, type HandlersOf, type MessageFacts } from '@novella/contracts';
import { type HostName, type Log, type LogFacts, millis, NovellaError } from '@novella/core';
import { z } from 'zod';
import { seededRandom, virtualClock } from '@novella/testing';
import { decodeReply, encodeReply, encodeRequest, FRAME_PROPERTIES } from './envelope.js';
import { InMemoryBroker } from './in-memory-broker.js';
import type { Link } from './link.js';
import { RETRY_LIMITS } from './retry.js';
import { rpcClient } from './rpc-client.js';
import { RpcServer } from './rpc-server.js';
import { DEAD_LETTER } from './topology.js';

const contract = defineRpc({
  topic: 'compute',
  version: '1.2',
  methods: {
    grow: cast(z.object({ volume: z.string(), size: z.number().int() }), { persistent: true, mandatory: true }),
    hint: cast(z.object({}), { persistent: false, mandatory: false, expiresMs: 1_000 }),
    ping: call(z.object({ text: z.string() }), z.object({ text: z.string() }), { timeoutMs: 10_000 }),
  },
});
type Handlers = HandlersOf<typeof contract>;

const HOST = 'host-1' as HostName;
const QUEUE = 'compute.host-1';

const turns = async (count = 30): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

interface Deferred {
  promise: Promise<void>;
  resolve: () => void;
  reject: (reason: unknown) => void;
}
function deferred(): Deferred {
  let settle: Omit<Deferred, 'promise'> | undefined;
  const promise = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle! };
}

/** A broker, a server's link and a client's; handlers that a test does not give are never reached in it. */
async function world(handlers: Partial<Handlers> = {}, options: { prefetch?: number; fanout?: boolean } = {}) {
  const clock = virtualClock();
  const random = seededRandom(7);
  const lines: { level: string; message: string; facts: LogFacts | undefined }[] = [];
  const write = (level: string) => (message: string, facts?: LogFacts) => void lines.push({ level, message, facts });
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const broker = new InMemoryBroker({ clock });
  const serverLink = broker.connect('compute-host-1');
  const clientLink = broker.connect('conductor');
  const unexpected = () => Promise.reject(new NovellaError('event-unsupported', 'not in this test'));
  const all: Handlers = { grow: unexpected, hint: unexpected, ping: unexpected, ...handlers };
  const server = new RpcServer(serverLink, contract, HOST, all, { clock, random, log, ...options });
  await server.start();
  const client = rpcClient(clientLink, contract, { clock, random, log });
  return { clock, random, log, lines, broker, serverLink, clientLink, server, client, all };
}

async function publishRaw(link: Link, body: Buffer): Promise<void> {
  await link.publish(
    { exchange: '', routingKey: QUEUE, ...FRAME_PROPERTIES, body },
    { persistent: true, mandatory: true },
  );
}

const request = (method: string, args: Record<string, unknown>, version = '1.0') =>
  encodeRequest({
    method,
    args,
    version,
    namespace: null,
    uniqueId: 'a'.repeat(32),
    context: { requestId: null, userId: null, projectId: null },
    reply: null,
  });

describe('cast', () => {
  it('reaches the handler with its arguments, the request it belongs to and the user that sent it', async () => {
    const seen: unknown[] = [];
    const { client, server } = await world({ grow: (args, facts) => Promise.resolve(void seen.push({ args, facts })) });
    await client.with({ requestId: 'req-1' }).to(HOST).grow({ volume: 'v', size: 2 });
    await turns();
    const facts: MessageFacts = { requestId: 'req-1', redelivered: false, userId: 'conductor' };
    expect(seen).toEqual([{ args: { volume: 'v', size: 2 }, facts }]);
    expect(server.counts).toMatchObject({ received: 1, handled: 1 });
  });

  it('is acked only after the handler has resolved', async () => {
    const gate = deferred();
    const { client, broker, serverLink } = await world({ grow: () => gate.promise });
    await client.to(HOST).grow({ volume: 'v', size: 2 });
    await turns();
    serverLink.disconnect();
    expect(broker.depth(QUEUE)).toBe(1);
    serverLink.reconnect();
    await turns();
    gate.resolve();
    await turns();
    serverLink.disconnect();
    expect(broker.depth(QUEUE)).toBe(0);
  });

  it('sends nothing when an argument does not fit the contract', async () => {
    const { client, broker, server } = await world();
    await server.close({ graceMs: 0 });
    await expect(client.to(HOST).grow({ volume: 'v', size: 1.5 })).rejects.toMatchObject({
      code: 'rpc-message-invalid',
    });
    expect(broker.depth(QUEUE)).toBe(0);
  });

  it('answers rpc-no-route when it is mandatory and the host has no queue', async () => {
    const { client } = await world();
    await expect(client.to('elsewhere' as HostName).grow({ volume: 'v', size: 1 })).rejects.toMatchObject({
      code: 'rpc-no-route',
      facts: { host: 'elsewhere', method: 'grow' },
    });
  });

  it('settles on the confirm when it is not mandatory and nobody takes it', async () => {
    const { client } = await world();
    await expect(client.any().hint({})).resolves.toBeUndefined();
  });

  it('answers broker-unreachable while the link is down, without waiting for it', async () => {
    const { client, clientLink } = await world();
    clientLink.disconnect();
    await expect(client.to(HOST).grow({ volume: 'v', size: 1 })).rejects.toMatchObject({ code: 'broker-unreachable' });
  });

  it('carries its expiry to the broker', async () => {
    const { client, broker, server, clock } = await world();
    await server.close({ graceMs: 0 });
    await client.to(HOST).hint({});
    expect(broker.depth(QUEUE)).toBe(1);
    await clock.advance(millis(1_000));
    expect(broker.depth(QUEUE)).toBe(0);
  });

  it('goes to every server of the topic as a fanout', async () => {
    const seen: string[] = [];
    const first = await world({ hint: () => Promise.resolve(void seen.push('host-1')) }, { fanout: true });
    const { clock, random, log, broker, all } = first;
    const handlers = { ...all, hint: () => Promise.resolve(void seen.push('host-2')) };
    const options = { clock, random, log, fanout: true };
    await new RpcServer(broker.connect(), contract, 'host-2' as HostName, handlers, options).start();
    await first.client.fanout().hint({});
    await turns();
    expect(seen.sort()).toEqual(['host-1', 'host-2']);
  });
});

describe('a cast whose handler fails', () => {
  it('stays unacked and is repeated in place after 1 s, 2 s, 4 s while the consumer is paused', async () => {
    const tries: number[] = [];
    const { client, clock, broker, server } = await world({
      grow: () => {
        tries.push(clock.monotonic());
        if (tries.length < 4) throw new NovellaError('database-unreachable', 'down');
        return Promise.resolve();
      },
      hint: () => Promise.resolve(),
    });
    await client.to(HOST).grow({ volume: 'v', size: 1 });
    await turns();
    await client.to(HOST).hint({});
    await turns();
    expect([tries.length, broker.depth(QUEUE), server.counts.handled]).toEqual([1, 1, 0]);
    await clock.advance(millis(7_000));
    expect(tries).toEqual([0, 1_000, 3_000, 7_000]);
    await turns();
    expect(server.counts).toMatchObject({ retries: 3, deadLettered: 0 });
  });

  it('lets the consumer go on once the repeated handler has resolved', async () => {
    let down = true;
    const { client, clock, server, broker } = await world({
      grow: () => (down ? Promise.reject(new Error('unknown')) : Promise.resolve()),
    });
    await client.to(HOST).grow({ volume: 'a', size: 1 });
    await turns();
    await client.to(HOST).grow({ volume: 'b', size: 1 });
    down = false;
    await clock.advance(millis(1_000));
    await turns();
    expect(server.counts.handled).toBe(2);
    expect(broker.depth(QUEUE)).toBe(0);
  });

  it('does not hold up the messages that were delivered with it', async () => {
    const done: string[] = [];
    const gate = deferred();
    const { client } = await world({
      grow: async ({ volume }) => {
        if (volume === 'bad') throw new NovellaError('paths-down', 'down');
        await gate.promise;
        done.push(volume);
      },
    });
    await client.to(HOST).grow({ volume: 'good', size: 1 });
    await client.to(HOST).grow({ volume: 'bad', size: 1 });
    await turns();
    gate.resolve();
    await turns();
    expect(done).toEqual(['good']);
  });

  it('never waits longer than 30 s between two tries', async () => {
    const tries: number[] = [];
    const { client, clock } = await world({
      grow: () => {
        tries.push(clock.monotonic());
        return Promise.reject(new NovellaError('database-unreachable', 'down'));
      },
    });
    await client.to(HOST).grow({ volume: 'v', size: 1 });
    await clock.advance(millis(200_000));
    const waits = tries.slice(1).map((time, index) => time - tries[index]!);
    expect(waits.slice(0, 7)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it.each([
    { fault: 'a final error', thrown: new NovellaError('volume-not-found', 'gone'), tries: 1 },
    { fault: 'an infeasible error', thrown: new NovellaError('extend-unsupported', 'no'), tries: 1 },
  ])('is dead-lettered at once after $fault', async ({ thrown, tries }) => {
    let count = 0;
    const { client, server, broker } = await world({
      grow: () => {
        count += 1;
        return Promise.reject(thrown);
      },
    });
    await client.to(HOST).grow({ volume: 'v', size: 1 });
    await turns();
    expect([count, server.counts.deadLettered, broker.depth(DEAD_LETTER)]).toEqual([tries, 1, 1]);
    expect(broker.frames(DEAD_LETTER)[0]?.headers['x-novella-reason']).toContain(thrown.code);
  });

  it.each([
    { fault: 'an unsure error', thrown: new NovellaError('paths-down', 'down'), limit: RETRY_LIMITS.unsureForMs },
    { fault: 'an unknown error', thrown: new TypeError('defect'), limit: RETRY_LIMITS.unknownForMs },
  ])('is dead-lettered when $fault lasts longer than its limit', async ({ thrown, limit }) => {
    const { client, server, clock, broker } = await world({ grow: () => Promise.reject(thrown) });
    await client.to(HOST).grow({ volume: 'v', size: 1 });
    await clock.advance(millis(limit - 1_000));
    await turns();
    expect(server.counts.deadLettered).toBe(0);
    await clock.advance(millis(RETRY_LIMITS.longestMs * 2));
    await turns();
    expect([server.counts.deadLettered, broker.depth(DEAD_LETTER)]).toEqual([1, 1]);
  });

  it('is given up here when the link drops during the wait, and starts again with its redelivery', async () => {
    const redelivered: boolean[] = [];
    const { client, serverLink, server, broker } = await world({
      grow: (_args, facts) => {
        redelivered.push(facts.redelivered);
        return facts.redelivered ? Promise.resolve() : Promise.reject(new NovellaError('paths-down', 'down'));
      },
    });
    await client.to(HOST).grow({ volume: 'v', size: 1 });
    await turns();
    serverLink.disconnect();
    serverLink.reconnect();
    await turns();
    expect(redelivered).toEqual([false, true]);
    expect([server.counts.handled, broker.depth(QUEUE)]).toEqual([1, 0]);
  });
});

describe('a message that comes again', () => {
  it('joins the handler that still runs instead of starting a second one', async () => {
    const gate = deferred();
    let runs = 0;
    const { client, serverLink, broker, server } = await world({
      grow: () => {
        runs += 1;
        return gate.promise;
      },
    });
    await client.to(HOST).grow({ volume: 'v', size: 1 });
    await turns();
    serverLink.disconnect();
    serverLink.reconnect();
    await turns();
    gate.resolve();
    await turns();
    expect([runs, server.counts.handled]).toEqual([1, 1]);
    serverLink.disconnect();
    expect(broker.depth(QUEUE)).toBe(0);
  });
});

describe('what cannot be dispatched', () => {
  it.each([
    { given: 'no JSON', body: Buffer.from('{') },
    { given: 'no UTF-8', body: Buffer.from([0xff, 0xfe]) },
    { given: 'another envelope version', body: Buffer.from('{"oslo.version":"3.0","oslo.message":"{}"}') },
    { given: 'an unknown method', body: request('shrink', {}) },
    { given: 'a method of the prototype', body: request('constructor', {}) },
    { given: 'invalid arguments', body: request('grow', { volume: 7, size: 1 }) },
    { given: 'a newer version', body: request('grow', { volume: 'v', size: 1 }, '1.3') },
    { given: 'another major version', body: request('grow', { volume: 'v', size: 1 }, '2.0') },
  ])('$given: goes to the dead letters as it came, and leaves the queue', async ({ body }) => {
    const { clientLink, broker, server, serverLink, lines } = await world();
    await publishRaw(clientLink, body);
    await turns();
    expect(server.counts).toMatchObject({ received: 1, handled: 0, deadLettered: 1 });
    const [letter] = broker.frames(DEAD_LETTER);
    expect(letter?.body).toEqual(body);
    expect(letter?.headers).toMatchObject({ 'x-novella-queue': QUEUE });
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    serverLink.disconnect();
    expect(broker.depth(QUEUE)).toBe(0);
  });

  it('stays unacked while the dead letters cannot take it', async () => {
    const { clientLink, serverLink, broker, server, clock } = await world();
    const refuse = serverLink.publish.bind(serverLink);
    serverLink.publish = () => Promise.resolve('returned');
    await publishRaw(clientLink, Buffer.from('{'));
    await turns();
    expect([server.counts.deadLettered, broker.depth(DEAD_LETTER)]).toEqual([0, 0]);
    serverLink.publish = refuse;
    await clock.advance(millis(1_000));
    await turns();
    expect([server.counts.deadLettered, broker.depth(DEAD_LETTER)]).toEqual([1, 1]);
  });
});

describe('call', () => {
  const ping: Handlers['ping'] = ({ text }) => Promise.resolve({ text: `${text}!` });

  it('resolves with the result', async () => {
    const { client } = await world({ ping });
    await expect(client.to(HOST).ping({ text: 'grüße' })).resolves.toEqual({ text: 'grüße!' });
  });

  it('keeps concurrent calls apart', async () => {
    const { client } = await world({ ping });
    const texts = Array.from({ length: 40 }, (_, n) => `${n}`);
    const answers = await Promise.all(texts.map((text) => client.to(HOST).ping({ text })));
    expect(answers.map(({ text }) => text)).toEqual(texts.map((text) => `${text}!`));
  });

  it('takes a reply that comes before the confirm of its request', async () => {
    const { client, clientLink } = await world({ ping });
    const publish = clientLink.publish.bind(clientLink);
    clientLink.publish = async (frame, options) => {
      const outcome = await publish(frame, options);
      await turns(50);
      return outcome;
    };
    await expect(client.to(HOST).ping({ text: 'a' })).resolves.toEqual({ text: 'a!' });
  });

  it('rejects with the code, grade and facts of the remote error, and does not repeat the handler', async () => {
    let tries = 0;
    const { client, server } = await world({
      ping: () => {
        tries += 1;
        throw new NovellaError('host-device-missing', 'no device', { path: '/dev/x' }, { grade: 'final' });
      },
    });
    await expect(client.to(HOST).ping({ text: 'a' })).rejects.toMatchObject({
      code: 'host-device-missing',
      grade: 'final',
      message: 'no device',
      facts: { path: '/dev/x' },
    });
    expect([tries, server.counts.failedCalls]).toEqual([1, 1]);
  });

  it('tells the caller that its version is not served', async () => {
    const { broker, clock, random, log } = await world({ ping });
    const newer = defineRpc({ ...contract, version: '1.9' });
    const client = rpcClient(broker.connect(), newer, { clock, random, log });
    await expect(client.to(HOST).ping({ text: 'a' })).rejects.toMatchObject({
      code: 'rpc-message-invalid',
      facts: { remoteClass: 'UnsupportedVersion' },
    });
    expect(broker.depth(DEAD_LETTER)).toBe(0);
  });

  it('tells the caller when the result does not fit the contract of the server', async () => {
    const { client } = await world({ ping: () => Promise.resolve({ text: 7 as unknown as string }) });
    await expect(client.to(HOST).ping({ text: 'a' })).rejects.toMatchObject({ code: 'internal' });
  });

  it('answers rpc-timeout after the time of the contract, and drops the late reply', async () => {
    const gate = deferred();
    const { client, clock, lines } = await world({ ping: (args) => gate.promise.then(() => args) });
    const answer = client.to(HOST).ping({ text: 'a' });
    const rejected = expect(answer).rejects.toMatchObject({ code: 'rpc-timeout', facts: { timeoutMs: 10_000 } });
    await turns();
    await clock.advance(millis(10_000));
    await rejected;
    expect(clock.sleeping).toBe(0);
    gate.resolve();
    await turns();
    expect(lines.filter(({ level }) => level === 'info')).toHaveLength(1);
  });

  it('answers rpc-no-route at once when the host has no queue', async () => {
    const { client, clock } = await world({ ping });
    await expect(client.to('elsewhere' as HostName).ping({ text: 'a' })).rejects.toMatchObject({
      code: 'rpc-no-route',
    });
    expect(clock.sleeping).toBe(0);
  });

  it('rejects everyone who waits when the link drops, and works again after it is back', async () => {
    const gate = deferred();
    const { client, clientLink, clock } = await world({ ping: (args) => gate.promise.then(() => args) });
    const waiting = Promise.allSettled([client.to(HOST).ping({ text: 'a' }), client.to(HOST).ping({ text: 'b' })]);
    await turns();
    clientLink.disconnect();
    for (const outcome of await waiting) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'broker-unreachable' } });
    }
    expect(clock.sleeping).toBe(0);
    clientLink.reconnect();
    gate.resolve();
    await expect(client.to(HOST).ping({ text: 'c' })).resolves.toEqual({ text: 'c' });
  });

  it('rejects who waits when the client closes', async () => {
    const gate = deferred();
    const { client } = await world({ ping: (args) => gate.promise.then(() => args) });
    const waiting = expect(client.to(HOST).ping({ text: 'a' })).rejects.toMatchObject({ code: 'broker-unreachable' });
    await turns();
    await client.close();
    await waiting;
  });

  it('does not take a sign of life for the answer, and drops what is no reply', async () => {
    const { client, serverLink, lines, broker, random } = await world({ ping });
    const replies = () => [...replyQueues];
    const replyQueues = new Set<string>();
    const publish = serverLink.publish.bind(serverLink);
    serverLink.publish = async (frame, options) => {
      replyQueues.add(frame.routingKey);
      const { msgId } = decodeReply(frame.body);
      const life = encodeReply({ msgId, uniqueId: random.uuid(), result: null, failure: null, ending: false });
      await publish({ ...frame, body: life }, options);
      await publish({ ...frame, body: Buffer.from('no reply') }, options);
      return publish(frame, options);
    };
    await expect(client.to(HOST).ping({ text: 'a' })).resolves.toEqual({ text: 'a!' });
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    await turns();
    expect(replies().map((queue) => broker.depth(queue))).toEqual([0]);
  });

  it('ends with its message acked when the reply queue is gone', async () => {
    const { clientLink, serverLink, broker, server } = await world({ ping });
    const reply = { msgId: 'b'.repeat(32), queue: 'reply_gone', monitorTimeoutS: null };
    const context = { requestId: null, userId: null, projectId: null };
    const common = { version: '1.0', namespace: null, uniqueId: null, context };
    await publishRaw(clientLink, encodeRequest({ ...common, method: 'ping', args: { text: 'a' }, reply }));
    await turns();
    expect(server.counts.handled).toBe(1);
    serverLink.disconnect();
    expect(broker.depth(QUEUE)).toBe(0);
  });
});

describe('closing a server', () => {
  it('waits for the handler that runs, acks it and leaves later messages in the queue', async () => {
    const gate = deferred();
    const { client, server, broker, serverLink } = await world({ grow: () => gate.promise });
    await client.to(HOST).grow({ volume: 'v', size: 1 });
    await turns();
    const closed = server.close({ graceMs: 60_000 });
    await turns();
    await client.to(HOST).grow({ volume: 'later', size: 1 });
    gate.resolve();
    expect(await closed).toEqual({ handedBack: 0 });
    await serverLink.close();
    expect(broker.depth(QUEUE)).toBe(1);
  });

  it('hands back what is not finished within the grace, at the head of the queue', async () => {
    const { client, server, broker, clock } = await world({ grow: () => deferred().promise });
    await client.to(HOST).grow({ volume: 'v', size: 1 });
    await turns();
    const closed = server.close({ graceMs: 5_000 });
    await clock.advance(millis(5_000));
    expect(await closed).toEqual({ handedBack: 1 });
    expect(broker.frames(QUEUE).map(({ deliveryCount }) => deliveryCount)).toEqual([1]);
  });

  it('hands back at once what waits for a retry', async () => {
    const { client, server, broker, clock } = await world({
      grow: () => Promise.reject(new NovellaError('paths-down', 'down')),
    });
    await client.to(HOST).grow({ volume: 'v', size: 1 });
    await turns();
    expect(await server.close({ graceMs: 60_000 })).toEqual({ handedBack: 1 });
    expect([broker.depth(QUEUE), clock.sleeping]).toEqual([1, 0]);
  });

  it('ends although the link is down', async () => {
    const { server, serverLink } = await world();
    serverLink.disconnect();
    expect(await server.close({ graceMs: 1_000 })).toEqual({ handedBack: 0 });
  });
});

describe('the types of a client', () => {
  it('are those of the contract', () => {
    const typed: ClientOf<typeof contract>['ping'] = ({ text }) => Promise.resolve({ text });
    const fitting: (args: { text: string }) => Promise<{ text: string }> = typed;
    expect(typeof fitting).toBe('function');
  });
});
