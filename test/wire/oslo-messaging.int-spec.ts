import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { call, cast, defineRpc, type HandlersOf } from '@novella/contracts';
import { type Clock, type HostName, type Log, millis, NovellaError, type Random } from '@novella/core';
import { type Link, openAmqpLink, rpcClient, RpcServer } from '@novella/messaging';
import { type PrivateRabbit, startPrivateRabbit, waitUntil } from '@novella/testing';
import { z } from 'zod';

/** Debian's python3-oslo.messaging at a real broker, as the other side of each of our ends. */
const PEER = new URL('./oslo-peer.py', import.meta.url).pathname;
const HOST = 'host-1' as HostName;

const contract = defineRpc({
  topic: 'compute',
  version: '1.0',
  methods: {
    act: cast(z.object({ n: z.number() }), { persistent: true, mandatory: true }),
    ping: call(z.object({ text: z.string() }), z.object({ text: z.string(), requestId: z.string().nullable() }), {
      timeoutMs: 30_000,
    }),
    refuse: call(z.object({}), z.object({}), { timeoutMs: 30_000 }),
    slow: call(z.object({ seconds: z.number() }), z.object({ text: z.string() }), { timeoutMs: 30_000 }),
    nothing: call(z.object({}), z.object({}), { timeoutMs: 30_000 }),
  },
});

const clock: Clock = {
  monotonic: () => millis(Math.trunc(performance.now())),
  wallTime: () => new Date(),
  sleep: async (delay, signal) => {
    await sleep(delay, undefined, { signal });
  },
};
const random: Random = { fraction: () => Math.random(), uuid: () => crypto.randomUUID() };
const silent = (): void => undefined;
const log: Log = { debug: silent, info: silent, warn: silent, error: silent };

let rabbit: PrivateRabbit;
let link: Link;
beforeAll(async () => {
  rabbit = await startPrivateRabbit();
  link = openAmqpLink({ urls: [rabbit.url], connectionName: 'wire', clock, random, log });
  await link.whenConnected();
}, 120_000);
afterAll(async () => {
  await link.close();
  await rabbit.stop();
});

const peers: ChildProcess[] = [];
afterEach(async () => {
  for (const child of peers.splice(0)) {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end();
    if (child.exitCode === null) await gone;
  }
});

/** Starts the Python program; `lines` is what it has printed. */
function peer(role: 'serve' | 'call'): { readonly lines: unknown[]; readonly exited: () => number | null } {
  const url = rabbit.url.replace('amqp:', 'rabbit:');
  const child = spawn('/usr/bin/python3', [PEER, role, url, HOST], { stdio: ['pipe', 'pipe', 'inherit'] });
  peers.push(child);
  const lines: unknown[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line)));
  return { lines, exited: () => child.exitCode };
}

describe('our server and a client of oslo.messaging', () => {
  it('understand each other: call, cast, errors, versions and the call monitor', async () => {
    const acted: number[] = [];
    const handlers: HandlersOf<typeof contract> = {
      act: ({ n }) => Promise.resolve(void acted.push(n)),
      ping: ({ text }, { requestId }) => Promise.resolve({ text: `${text}!`, requestId }),
      refuse: () => Promise.reject(new NovellaError('domain-not-found', 'no such guest')),
      slow: async ({ seconds }) => {
        await sleep(seconds * 1_000);
        return { text: 'slow' };
      },
      nothing: () => Promise.reject(new Error('never asked for')),
    };
    // One method less than the contract has names, for a client that asks for what is not there.
    const { nothing: _nothing, ...methods } = contract.methods;
    const served = { ...contract, methods } as typeof contract;
    const server = new RpcServer(link, served, HOST, handlers, { clock, random, log });
    await server.start();
    const client = peer('call');
    await waitUntil(() => client.exited() !== null, { timeout: 50_000 });
    await server.close({ graceMs: 0 });

    expect(acted).toEqual([7]);
    expect(client.lines).toEqual([
      {
        case: 'ping',
        result: { text: 'grüße \u{1f600}!', requestId: 'req-11111111-1111-1111-1111-111111111111' },
      },
      { case: 'act', result: null },
      { case: 'refuse', error: 'NovellaError', message: 'no such guest' },
      { case: 'no such method', error: 'NoSuchMethod', message: 'Endpoint does not support RPC method nothing' },
      {
        case: 'later version',
        error: 'UnsupportedVersion',
        message: 'Endpoint does not support RPC version 9.0. Attempted method: ping',
      },
      { case: 'wrong argument', error: 'NovellaError', message: expect.stringContaining('arguments of act') },
      { case: 'slow', result: { text: 'slow' } },
    ]);
  });
});

describe('our client and a server of oslo.messaging', () => {
  it('understand each other: call, cast and errors', async () => {
    const server = peer('serve');
    await waitUntil(() => server.lines.includes('ready'));
    const plain = rpcClient(link, contract, { clock, random, log });
    const requestId = 'req-22222222-2222-2222-2222-222222222222';
    const client = plain.with({ requestId }).to(HOST);

    expect(await client.ping({ text: 'grüße \u{1f600}' })).toEqual({ text: 'grüße \u{1f600}!', requestId });
    await client.act({ n: 7 });
    await waitUntil(() => server.lines.length > 1);
    expect(server.lines).toEqual(['ready', { act: 7 }]);
    await expect(client.refuse({})).rejects.toMatchObject({
      code: 'rpc-remote-failure',
      message: 'not like this',
      facts: { remoteModule: 'builtins', remoteClass: 'ValueError' },
    });
    await expect(client.nothing({})).rejects.toMatchObject({ code: 'rpc-message-invalid' });
    await plain.close();
  });
});
