import { describe, expect, it } from '@jest/globals';
import { call, defineRpc } from '@novella/contracts';
import { type HostName, type Log, millis } from '@novella/core';
import { seededRandom, virtualClock } from '@novella/testing';
import { z } from 'zod';
import { decodeReply, encodeRequest, FRAME_PROPERTIES, type ReplyAddress } from './envelope.js';
import { InMemoryBroker } from './in-memory-broker.js';
import { rpcClient } from './rpc-client.js';
import { RpcServer, type RpcServerOptions } from './rpc-server.js';
import { replyTopology } from './topology.js';

const contract = defineRpc({
  topic: 'compute',
  version: '1.0',
  methods: { ping: call(z.object({}), z.object({ text: z.string() }), { timeoutMs: 60_000 }) },
});
const HOST = 'host-1' as HostName;
const REPLY_QUEUE = `reply_${'c'.repeat(32)}`;
const silent = (): void => undefined;
const log: Log = { debug: silent, info: silent, warn: silent, error: silent };

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** A server whose only call answers after `takesMs`. */
async function world(takesMs: number, options: Partial<RpcServerOptions> = {}) {
  const clock = virtualClock();
  const random = seededRandom(3);
  const broker = new InMemoryBroker({ clock });
  const link = broker.connect('compute-host-1');
  const ping = async () => {
    if (takesMs > 0) await clock.sleep(millis(takesMs));
    return { text: 'pong' };
  };
  await new RpcServer(link, contract, HOST, { ping }, { clock, random, log, ...options }).start();
  const caller = broker.connect('caller');
  await caller.declare(replyTopology(REPLY_QUEUE));
  const send = async (monitorTimeoutS: number | null): Promise<void> => {
    const reply: ReplyAddress = { msgId: 'b'.repeat(32), queue: REPLY_QUEUE, monitorTimeoutS };
    const context = { requestId: null, userId: null, projectId: null };
    const request = { method: 'ping', args: {}, version: '1.0', namespace: null, uniqueId: null, context, reply };
    const frame = { exchange: 'nova', routingKey: 'compute.host-1', ...FRAME_PROPERTIES };
    await caller.publish({ ...frame, body: encodeRequest(request) }, { persistent: false, mandatory: true });
    await turns();
  };
  return { clock, broker, caller, random, send };
}

describe('replies', () => {
  it.each([
    { asked: 4, after: [0, 1, 2, 3], why: 'every half of what it asked for' },
    { asked: 2, after: [1, 3, 5, 7], why: 'at most once a second' },
    { asked: 1, after: [0, 0, 0, 0], why: 'not when it asked for less than two seconds' },
    { asked: null, after: [0, 0, 0, 0], why: 'not when it did not ask' },
  ])('shows a caller that asked for $asked s that its call is alive: $why', async ({ asked, after }) => {
    const { clock, broker, send } = await world(20_000);
    await send(asked);
    const seen: number[] = [];
    for (const ms of [1_000, 2_000, 2_000, 2_000]) {
      await clock.advance(millis(ms));
      await turns();
      seen.push(broker.depth(REPLY_QUEUE));
    }
    expect(seen).toEqual(after);
    const signs = broker.frames(REPLY_QUEUE).map(({ body }) => decodeReply(body));
    expect(signs.every(({ ending, result, failure }) => !ending && result === null && failure === null)).toBe(true);
  });

  it('ends with the answer, and nothing comes after it', async () => {
    const { clock, broker, send } = await world(5_000);
    await send(4);
    await clock.advance(millis(60_000));
    await turns();
    expect(broker.frames(REPLY_QUEUE).map(({ body }) => decodeReply(body).ending)).toEqual([false, false, true]);
  });

  it.each([
    { given: 'nothing else', options: {}, exchange: '' },
    { given: 'the control exchange', options: { replyExchange: 'nova' }, exchange: 'nova' },
  ])('go in at exchange "$exchange" when the server is told $given, and reach the caller', async (given) => {
    const { clock, broker, caller, random, send } = await world(0, given.options);
    await send(null);
    expect(broker.frames(REPLY_QUEUE).map(({ exchange }) => exchange)).toEqual([given.exchange]);
    const answer = rpcClient(caller, contract, { clock, random, log }).to(HOST).ping({});
    await turns();
    await clock.advance(millis(1));
    await expect(answer).resolves.toEqual({ text: 'pong' });
  });
});
