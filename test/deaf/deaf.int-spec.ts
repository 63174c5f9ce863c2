import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { computeRpc } from '@novella/contracts';
import type { HostName, Log } from '@novella/core';
import { type Link, openAmqpLink, rpcClient } from '@novella/messaging';
import { brokerTrouble, systemClock, systemRandom } from '@novella/service-kit';
import { type PrivateRabbit, waitUntil } from '@novella/testing';
import { completed, definitions, usersFor } from '../../deploy/rabbitmq/definitions.mjs';
import { type Program, untilReason } from '../apps/program.js';
import { Stack } from '../apps/stack.js';
import { inTheBroker } from './broker-faults.js';
import { LosingProxy } from './losing-proxy.js';
import { ProbedServer, sender, type ServerOptions } from './probed-server.js';

/** Each case has a host of its own; names that must not be taken for patterns or for other names. */
const HOSTS = ['hears-nothing', 'acks', 'name', 'both', 'forget', 'suspend', 'paused', 'full', 'blocked', 'away'].map(
  (part) => `rack.1_${part}`,
);
const PROGRAM = 'rack.2_a-b';
const NOTICED_WITHIN = 30_000;
const LONG = 120_000;
const PEER = new URL('../wire/oslo-peer.py', import.meta.url).pathname;
const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const io = { clock: systemClock, random: systemRandom, log: silent };

let stack: Stack;
let rabbit: PrivateRabbit;
let conductor: Link;
let passwords: Readonly<Record<string, string>>;
/** Broken in the broker before the first test, all at once: each look into the broker takes a second. */
let broken: Readonly<Record<'forget' | 'suspend' | 'shared' | 'other', Started>>;
let programs: { readonly all: readonly Program[]; readonly brokenAt: number };
const ends: (() => Promise<void>)[] = [];

const urlOf = (user: string, port = rabbit.port): string =>
  rabbit.urlOf(user, passwords[user] ?? '').replace(`:${rabbit.port}/`, `:${port}/`);

interface Started {
  readonly server: ProbedServer;
  readonly send: (n: number) => Promise<void>;
}

async function start(part: string, options: Partial<ServerOptions> = {}): Promise<Started> {
  const host = `rack.1_${part}`;
  const server = await ProbedServer.start({ url: urlOf(`compute-${host}`), host, ...options });
  ends.push(() => server.end());
  return { server, send: sender(conductor, host) };
}

async function startBehindProxy(part: string, options: Partial<ServerOptions> = {}) {
  const proxy = await LosingProxy.to(rabbit.port);
  const started = await start(part, { url: urlOf(`compute-rack.1_${part}`, proxy.port), ...options });
  ends.push(() => proxy.close());
  return { ...started, proxy };
}

/** The numbers of what was done, once all of `numbers` are among them and the probe finds nothing wrong. */
async function onceDone(server: ProbedServer, numbers: readonly number[]): Promise<number[]> {
  const look = () => server.probe.trouble === null && numbers.every((n) => server.numbers.includes(n));
  await waitUntil(look, { what: `${numbers.join()} to be done`, timeout: NOTICED_WITHIN });
  return server.numbers;
}

beforeAll(async () => {
  stack = await Stack.start();
  ({ rabbit } = stack);
  const hosts = [...HOSTS, PROGRAM];
  passwords = completed({}, usersFor(hosts));
  const file = join(stack.dir.path, 'definitions.json');
  await writeFile(file, JSON.stringify(definitions({ hosts, passwords })));
  await Promise.all([rabbit.rabbitmqctl('import_definitions', file), stack.prepare()]);
  conductor = openAmqpLink({ urls: [urlOf('conductor')], connectionName: 'deaf-test', ...io });
  const all = [
    stack.compute(PROGRAM, { NOVELLA_BROKER_URLS: urlOf(`compute-${PROGRAM}`) }),
    stack.conductor('conductor.1', { NOVELLA_BROKER_URLS: urlOf('conductor'), NOVELLA_VERIFY_SENDER: 'true' }),
  ];
  broken = {
    forget: await start('forget', { heartbeatS: 1 }),
    suspend: await start('suspend', { heartbeatS: 1 }),
    shared: await start('', { host: null, url: rabbit.url }),
    other: await start('', { host: null, url: rabbit.url }),
  };
  await Promise.all(all.map((program) => program.says('serving')));
  await inTheBroker(rabbit, {
    'compute.rack.1_forget': 'forget',
    'compute.rack.1_suspend': 'suspend',
    shared: 'forget',
    [`compute.${PROGRAM}`]: 'forget',
    conductor: 'suspend',
  });
  programs = { all, brokenAt: Date.now() };
}, LONG);

afterAll(async () => {
  await Promise.all([...ends.map((end) => end()), conductor.close()]);
  await stack.close();
}, LONG);

describe('a server behind a connection of which one direction is dead', () => {
  it.concurrent(
    'that hears nothing though it can speak connects anew and does what was sent meanwhile, once',
    async () => {
      const { proxy, server, send } = await startBehindProxy('hears-nothing');
      server.probe.start();
      await send(1);
      await onceDone(server, [1]);
      proxy.lose('from-broker', [0]);
      await send(2);
      await send(3);
      expect(await onceDone(server, [1, 2, 3])).toEqual([1, 2, 3]);
      expect(server.probe.counts).toMatchObject({ deaf: 1, unanswered: 0, drops: 1 });
      expect(server.codes).toContain('consumer-deaf');
    },
  );

  it.concurrent('whose acks get lost connects anew, keeps its name, and what it did comes again as such', async () => {
    const { proxy, server, send } = await startBehindProxy('acks', { heartbeatS: 2, holdsName: true });
    server.probe.start();
    proxy.lose('to-broker', [0]);
    await send(1);
    await waitUntil(() => server.numbers.includes(1), { what: 'the command to come' });
    await waitUntil(() => server.probe.counts.drops === 1, { what: 'the probe to notice' });
    await send(2);
    await onceDone(server, [1, 2]);
    expect(server.redelivered).toContain(1);
    expect(server.namesLost).toEqual([]);
    expect(server.probe.counts).toMatchObject({ deaf: 1, drops: 1 });
  });

  it.concurrent('keeps its name when it connects anew long before the broker can know of the loss', async () => {
    const { proxy, server } = await startBehindProxy('name', { heartbeatS: 2, holdsName: true });
    proxy.lose('to-broker');
    server.link.drop('the case');
    await waitUntil(() => server.statesSeen.length > 1, { what: 'the link to come back' });
    expect({ states: server.statesSeen, lost: server.namesLost }).toEqual({
      states: ['disconnected', 'connected'],
      lost: [],
    });
  });

  it.concurrent(
    'both ways and on both its connections connects anew and does what was sent meanwhile, once',
    async () => {
      const { proxy, server, send } = await startBehindProxy('both', { heartbeatS: 2 });
      server.probe.start();
      proxy.lose('from-broker');
      proxy.lose('to-broker');
      await send(1);
      expect(await onceDone(server, [1])).toEqual([1]);
      expect(server.probe.counts).toMatchObject({ deaf: 0, unanswered: 1, drops: 1 });
      expect(server.codes).not.toContain('consumer-deaf');
    },
  );
});

describe('a server whose connection is sound', () => {
  it.concurrent.each(['forget', 'suspend'] as const)(
    'and whose consumer is dead in the broker (%s) is not helped by heartbeats, but by the probe: it does all, once',
    async (fault) => {
      const { server, send } = broken[fault];
      await send(1);
      // More than three of its heartbeats, after which a dead connection is given up.
      await waitUntil(() => Date.now() - programs.brokenAt > 5_000, { what: 'heartbeats to pass' });
      await sleep(500);
      expect({ states: server.statesSeen, done: server.numbers }).toEqual({ states: [], done: [] });
      server.probe.start();
      expect(await onceDone(server, [1])).toEqual([1]);
      expect(server.probe.counts).toMatchObject({ deaf: 1, drops: 1 });
    },
  );

  it.concurrent(
    'and whose consumer stays paused for no reason connects anew and does what was sent, once',
    async () => {
      const { server, send } = await start('paused');
      server.probe.start();
      await server.consumers[0]?.pause();
      await send(1);
      expect(await onceDone(server, [1])).toEqual([1]);
      expect(server.probe.counts).toMatchObject({ deaf: 1, drops: 1 });
    },
  );

  it.concurrent('and which shares its queue is noticed although the other does all the work', async () => {
    const probes = [broken.shared.server.probe, broken.other.server.probe];
    const drops = () => probes.map(({ counts }) => counts.drops).sort();
    for (const probe of probes) probe.start();
    await waitUntil(() => drops()[1] === 1, { what: 'one of the two to notice', timeout: NOTICED_WITHIN });
    const before = probes.map(({ counts }) => counts.rounds);
    const more = () => probes.every(({ counts }, n) => counts.rounds > (before[n] ?? 0) + 2);
    await waitUntil(more, { what: 'more rounds' });
    expect([drops(), ...probes.map(({ trouble }) => trouble)]).toEqual([[0, 1], null, null]);
  });

  it.concurrent('and which has all the work that it may hold is not called deaf while more waits', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { server, send } = await start('full', { prefetch: 2, act: () => gate });
    for (const n of [1, 2, 3, 4]) await send(n);
    server.probe.start();
    await waitUntil(() => server.probe.counts.rounds >= 4, { what: 'four rounds of probing' });
    expect(server.probe.trouble).toBeNull();
    release();
    expect(await onceDone(server, [1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
    expect(server.probe.counts).toMatchObject({ deaf: 0, drops: 0 });
  });

  it.concurrent(
    'and which shares its queue with one of oslo.messaging: neither is harmed, neither called deaf',
    async () => {
      const host = 'shared-with-oslo';
      const peer = osloServer(host);
      await waitUntil(() => peer.said.includes('ready'), { what: 'the server of oslo.messaging' });
      const server = await ProbedServer.start({ url: rabbit.url, host });
      ends.push(() => server.end());
      server.probe.start();
      await waitUntil(() => server.probe.counts.rounds >= 4, { what: 'four rounds of probing' });
      const send = sender(conductor, host);
      for (const n of [1, 2, 3, 4]) await send(n);
      await waitUntil(() => peer.said.length + server.numbers.length === 5, { what: 'both to do their part' });
      expect(peer.said.length).toBeGreaterThan(1);
      expect(server.numbers.length).toBeGreaterThan(0);
      expect(server.probe.counts).toMatchObject({ deaf: 0, unanswered: 0, drops: 0 });
    },
  );
});

describe('a broker', () => {
  it('that takes no messages is said to be blocked, and nobody to be deaf', async () => {
    const { server } = await start('blocked');
    server.probe.start();
    await rabbit.rabbitmqctl('set_vm_memory_high_watermark', '0');
    try {
      await waitUntil(() => server.link.blocked !== null, { what: 'the broker to block' });
      await sleep(2_000);
      expect(brokerTrouble(server.link)).toMatch(/takes no messages/);
    } finally {
      await rabbit.rabbitmqctl('set_vm_memory_high_watermark', '0.6');
    }
    const { rounds } = server.probe.counts;
    await waitUntil(() => server.probe.counts.rounds > rounds + 1, { what: 'rounds after it' });
    expect(server.probe.trouble).toBeNull();
    expect(server.probe.counts).toMatchObject({ deaf: 0, unanswered: 0, drops: 0 });
  });

  it('that is away is said to be away, and nobody to be deaf', async () => {
    const { server, send } = await start('away', { url: urlOf('compute-rack.1_away', stack.toBroker.port) });
    server.probe.start();
    await stack.toBroker.close();
    await waitUntil(() => server.link.state === 'disconnected', { what: 'the link to know' });
    await sleep(2_000);
    expect(brokerTrouble(server.link)).toMatch(/^broker-unreachable/);
    await stack.toBroker.open();
    await send(1);
    expect(await onceDone(server, [1])).toEqual([1]);
    expect(server.probe.counts).toMatchObject({ deaf: 0, unanswered: 0, drops: 0 });
  });
});

it('our programs, with the limits of production, notice within 30 s that they are deaf and hear again', async () => {
  for (const program of programs.all) {
    const hears = await program.says('messages arrive again');
    expect(hears['was']).toBe('consumer-deaf');
    expect(Date.parse(String(hears['time'])) - programs.brokenAt).toBeLessThan(NOTICED_WITHIN);
    const health = program.log.find(({ msg }) => msg === 'the health is served')?.['url'];
    await untilReason(String(health), 'consumer', null);
  }
  const host = rpcClient(conductor, computeRpc, io).to(PROGRAM as HostName);
  expect(await host.ping({})).toMatchObject({ host: PROGRAM });
});

/** What it prints: `ready`, then what it has done. */
function osloServer(host: string): { readonly said: readonly unknown[] } {
  const url = rabbit.url.replace('amqp:', 'rabbit:');
  const peer: ChildProcess = spawn('/usr/bin/python3', [PEER, 'serve', url, host], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const said: unknown[] = [];
  if (peer.stdout !== null) createInterface(peer.stdout).on('line', (line) => said.push(JSON.parse(line)));
  ends.push(async () => {
    const gone = new Promise((resolve) => peer.once('exit', resolve));
    peer.stdin?.end();
    if (peer.exitCode === null) await gone;
  });
  return { said };
}
