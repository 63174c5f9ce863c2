import { afterEach, describe, expect, it } from '@jest/globals';
import { cast, defineRpc } from '@novella/contracts';
import { type Clock, type HostName, type Log, type LogFacts, millis, NovellaError, seconds } from '@novella/core';
import { seededRandom, virtualClock } from '@novella/testing';
import { z } from 'zod';
import { ConsumerProbe, PROBE_LIMITS } from './consumer-probe.js';
import { InMemoryBroker } from './in-memory-broker.js';
import type { InMemoryLink } from './in-memory-link.js';
import type { Link, LinkConsumer } from './link.js';
import { RETRY_LIMITS } from './retry.js';
import { rpcClient } from './rpc-client.js';
import { RpcServer } from './rpc-server.js';
import { DEAD_LETTER, deadLetterTopology } from './topology.js';

const HOST = 'rack.1_a-b' as HostName;
const contract = defineRpc({
  topic: 'compute',
  version: '1.0',
  methods: { grow: cast(z.object({ n: z.number() }), { persistent: true, mandatory: true }) },
});
const NOTICED = millis(PROBE_LIMITS.every + 2 * PROBE_LIMITS.arriveWithin);
const HEALED = millis(NOTICED + seconds(2));

/** A link with faults that no listener is told of. They end with the connection when `heals`. */
class FaultyLink {
  faults: ('publish' | 'refuse' | 'look' | 'deliver')[] = [];
  drops: number[] = [];
  /** Until when answers to `look` wait. */
  answers: Promise<void> = Promise.resolve();
  published = 0;
  beforePublish: () => Promise<void> = () => Promise.resolve();
  readonly consumers: LinkConsumer[] = [];
  readonly link: Link;

  constructor(inner: InMemoryLink, clock: Clock, heals = true) {
    const has = (fault: FaultyLink['faults'][number]): boolean => this.faults.includes(fault);
    const never = new Promise<never>(() => undefined);
    this.link = {
      get state() {
        return inner.state;
      },
      get blocked() {
        return inner.blocked;
      },
      onState: (listener) => inner.onState(listener),
      onNameLost: (listener) => inner.onNameLost(listener),
      whenConnected: (signal) => inner.whenConnected(signal),
      declare: (topology) => inner.declare(topology),
      deleteQueue: (name) => inner.deleteQueue(name),
      publish: async (frame, options) => {
        this.published += 1;
        await this.beforePublish();
        if (has('refuse')) throw new NovellaError('broker-refused', 'not there');
        return has('publish') ? never : inner.publish(frame, options);
      },
      consume: async (queue, options, onDelivery) => {
        const consumer = await inner.consume(queue, options, (delivery) => {
          if (!has('deliver')) onDelivery(delivery);
        });
        this.consumers.push(consumer);
        const faulty: LinkConsumer = {
          pause: () => consumer.pause(),
          resume: () => consumer.resume(),
          cancel: () => consumer.cancel(),
          look: () => (has('look') ? never : this.answers.then(() => consumer.look())),
        };
        return faulty;
      },
      drop: (reason) => {
        this.drops.push(clock.monotonic());
        if (heals) this.faults = [];
        inner.drop(reason);
      },
      close: () => inner.close(),
    };
  }
}

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

type Grow = (n: number) => Promise<void>;

interface WorldOptions {
  readonly heals?: boolean;
  readonly host?: HostName | null;
  readonly late?: () => number;
}

function world({ heals = true, host = HOST, late = () => 0 }: WorldOptions = {}) {
  const virtual = virtualClock();
  let skipped = 0;
  /** `late`: how long the process stands still in its next sleep. */
  const clock: Clock = {
    monotonic: () => millis(virtual.monotonic() + skipped),
    wallTime: () => virtual.wallTime(),
    sleep: async (delay, signal) => {
      await virtual.sleep(delay, signal);
      skipped += late();
    },
  };
  const random = seededRandom(7);
  const lines: { level: string; message: string; facts: LogFacts | undefined }[] = [];
  const write = (level: string) => (message: string, facts?: LogFacts) => void lines.push({ level, message, facts });
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  /** Answers of the broker take time. */
  const during = async (asked: Promise<void> | undefined): Promise<void> => {
    const waiting = new Set([asked]);
    const end = (): void => waiting.clear();
    Promise.resolve(asked).then(end, end);
    while (waiting.size > 0) await virtual.advance(millis(1));
    await asked;
  };
  const broker = new InMemoryBroker({ clock: virtual, latency: () => millis(1) });
  const io = { clock, random, log };
  const sender = broker.connect('conductor');
  const commands = rpcClient(sender, contract, io);
  const grow: Grow = async (n) => {
    await during((host === null ? commands.any() : commands.to(host)).grow({ n }));
  };
  const serve = async (handler: Grow, retry = RETRY_LIMITS) => {
    const inner = broker.connect('compute-host');
    const faulty = new FaultyLink(inner, virtual, heals);
    const handlers = { grow: ({ n }: { n: number }) => handler(n) };
    const server = new RpcServer(faulty.link, contract, host, handlers, { ...io, prefetch: 4, retry });
    await during(server.start());
    const probe = new ConsumerProbe(faulty.link, server, io);
    probe.start();
    ends.push(() => probe.stop());
    return { faulty, inner, server, probe };
  };
  return { clock: virtual, broker, lines, serve, grow, sender, during };
}

describe('a server that hears', () => {
  it('is never in doubt, and its probes leave no trace', async () => {
    const { clock, broker, serve, lines, sender, during } = world();
    await during(sender.declare(deadLetterTopology));
    const { probe, faulty, server } = await serve(() => Promise.resolve());
    await clock.advance(seconds(3_600));
    expect(probe.counts).toMatchObject({ deaf: 0, unanswered: 0, drops: 0 });
    expect(probe.counts.rounds).toBeGreaterThan(300);
    expect(probe.trouble).toBeNull();
    expect({ handled: server.counts.handled, dead: broker.depth(DEAD_LETTER), lines }).toEqual({
      handled: 0,
      dead: 0,
      lines: [],
    });
    faulty.link.drop('the test');
    await clock.advance(seconds(1));
    expect(broker.depth(`compute.${HOST}`)).toBe(0);
  });

  it('is not in doubt while all that it may hold is at work, for however long', async () => {
    const { clock, serve, grow } = world();
    const { probe } = await serve(() => new Promise(() => undefined));
    for (const n of [1, 2, 3, 4, 5]) await grow(n);
    await clock.advance(seconds(3_600));
    expect(probe.counts).toMatchObject({ deaf: 0, drops: 0 });
  });

  it('is not in doubt while it waits for a retry, for however long', async () => {
    const { clock, serve, grow } = world();
    const unsure = () => Promise.reject(new NovellaError('guest-busy', 'later', {}, { grade: 'unsure' }));
    const { probe } = await serve(unsure);
    await grow(1);
    await grow(2);
    await clock.advance(seconds(14 * 60));
    expect(probe.counts).toMatchObject({ deaf: 0, drops: 0 });
  });

  it('is not in doubt when it begins to wait for a retry just after a probe was sent', async () => {
    const { clock, serve, grow } = world();
    let fail: (reason: Error) => void = () => undefined;
    const gate = new Promise<void>((_resolve, reject) => (fail = reject));
    const minute = { ...RETRY_LIMITS, firstMs: 60_000, longestMs: 60_000 };
    const { probe, faulty } = await serve(() => gate, minute);
    await grow(1);
    // Takes the probe instead.
    await serve(() => Promise.resolve());
    faulty.beforePublish = () => {
      fail(new NovellaError('guest-busy', 'later'));
      return clock.sleep(millis(10));
    };
    await clock.advance(seconds(30));
    expect(faulty.published).toBe(1);
    expect(probe.counts).toMatchObject({ deaf: 0, drops: 0 });
  });

  it('is not in doubt while the broker is away or takes no messages', async () => {
    const { clock, broker, serve } = world();
    const { probe } = await serve(() => Promise.resolve());
    broker.block('memory');
    await clock.advance(seconds(600));
    broker.block(null);
    broker.stop();
    await clock.advance(seconds(600));
    broker.start();
    await clock.advance(seconds(600));
    expect(probe.counts).toMatchObject({ deaf: 0, unanswered: 0, drops: 0 });
    expect(probe.trouble).toBeNull();
  });

  it('is not in doubt when its own process stood still and has not read what came', async () => {
    let stand = 0;
    const { clock, serve } = world({ late: () => stand });
    const { probe, faulty } = await serve(() => Promise.resolve());
    let read: () => void = () => undefined;
    faulty.answers = new Promise((resolve) => (read = resolve));
    await clock.advance(PROBE_LIMITS.every);
    stand = 60_000;
    await clock.advance(PROBE_LIMITS.arriveWithin);
    stand = 0;
    read();
    await clock.advance(PROBE_LIMITS.arriveWithin);
    expect(probe.counts.rounds).toBe(1);
    expect(probe.counts).toMatchObject({ deaf: 0, drops: 0 });
  });

  it('shares its queue with others without being in doubt', async () => {
    const { clock, serve } = world({ host: null });
    const servers = [];
    for (let n = 0; n < 3; n += 1) servers.push(await serve(() => Promise.resolve()));
    await clock.advance(seconds(3_600));
    for (const { probe } of servers) expect(probe.counts).toMatchObject({ deaf: 0, unanswered: 0, drops: 0 });
  });
});

describe('a server that is deaf', () => {
  it('because its consumer stays paused is noticed, connects anew, and does what was posted meanwhile, once', async () => {
    const { clock, serve, grow, lines, during } = world();
    const done: number[] = [];
    const { probe, faulty } = await serve((n) => Promise.resolve(void done.push(n)));
    await clock.advance(seconds(31));
    await during(faulty.consumers[0]?.pause());
    await grow(1);
    await clock.advance(NOTICED);
    expect(faulty.drops).toHaveLength(1);
    await clock.advance(seconds(2));
    expect(done).toEqual([1]);
    expect(probe.counts).toMatchObject({ deaf: 1, drops: 1 });
    expect(probe.trouble).toBeNull();
    const told = lines.filter(({ facts }) => facts?.['code'] === 'consumer-deaf').map(({ level }) => level);
    expect(told).toEqual(['error', 'warn']);
  });

  it('because the end of a retry did not reach the link is noticed likewise', async () => {
    const { clock, serve, grow } = world();
    const done: number[] = [];
    let failing = true;
    const { probe, faulty } = await serve((n) => {
      if (failing) return Promise.reject(new NovellaError('guest-busy', 'later'));
      return Promise.resolve(void done.push(n));
    });
    const [consumer] = faulty.consumers;
    const resume = consumer?.resume.bind(consumer);
    let lost = false;
    if (consumer !== undefined) {
      consumer.resume = async () => {
        if (lost) await resume?.();
        lost = true;
      };
    }
    await grow(1);
    await clock.advance(millis(500));
    failing = false;
    await grow(2);
    await clock.advance(millis(HEALED + 1_000));
    expect(done).toEqual([1, 2]);
    expect(probe.counts).toMatchObject({ deaf: 1, drops: 1 });
  });

  it('because a pause never ends is noticed likewise', async () => {
    const { clock, serve, grow } = world();
    const done: number[] = [];
    let failing = true;
    const { probe, faulty, inner } = await serve((n) => {
      if (failing) return Promise.reject(new NovellaError('guest-busy', 'later'));
      return Promise.resolve(void done.push(n));
    });
    const [consumer] = faulty.consumers;
    const pause = consumer?.pause.bind(consumer);
    if (consumer !== undefined) {
      consumer.pause = async () => {
        await pause?.();
        // As a channel that does not answer: until its connection ends.
        await new Promise<void>((resolve) => void inner.onState(() => resolve()));
      };
    }
    await grow(1);
    await clock.advance(millis(500));
    failing = false;
    await clock.advance(millis(HEALED + PROBE_LIMITS.every));
    expect(done).toEqual([1]);
    expect(probe.counts).toMatchObject({ deaf: 1, drops: 1 });
  });

  it.each(['look', 'deliver'] as const)('because of its channel (%s) is noticed and heals', async (fault) => {
    const { clock, serve, grow } = world();
    const done: number[] = [];
    const { probe, faulty } = await serve((n) => Promise.resolve(void done.push(n)));
    await clock.advance(seconds(31));
    faulty.faults = [fault];
    if (fault === 'deliver') await grow(1);
    await clock.advance(HEALED);
    expect(probe.counts).toMatchObject({ deaf: 1, drops: 1 });
    expect(probe.isDeaf).toBe(false);
    expect(done).toEqual(fault === 'deliver' ? [1] : []);
  });

  it('and shares its queue is noticed although others take the probes, and only that one', async () => {
    const { clock, serve, during } = world({ host: null });
    const [deaf, other] = [await serve(() => Promise.resolve()), await serve(() => Promise.resolve())];
    await clock.advance(seconds(31));
    await during(deaf.faulty.consumers[0]?.pause());
    await clock.advance(HEALED);
    expect(deaf.probe.counts).toMatchObject({ deaf: 1, drops: 1 });
    expect(deaf.probe.trouble).toBeNull();
    expect(other.probe.counts).toMatchObject({ deaf: 0, drops: 0 });
  });

  it('swallows the probes of others who share its queue without putting them in doubt', async () => {
    const { clock, serve } = world({ host: null, heals: false });
    const [deaf, other] = [await serve(() => Promise.resolve()), await serve(() => Promise.resolve())];
    deaf.faulty.faults = ['deliver'];
    await clock.advance(seconds(600));
    expect(deaf.probe.isDeaf).toBe(true);
    expect(other.probe.counts).toMatchObject({ deaf: 0, drops: 0 });
  });

  it('for good is tried three times at once, then ever more seldom, says so, and is well when it hears', async () => {
    const { clock, serve } = world({ heals: false });
    const { probe, faulty } = await serve(() => Promise.resolve());
    faulty.faults = ['look'];
    await clock.advance(seconds(3_600));
    const pauses = faulty.drops.slice(1).map((at, n) => Math.round((at - (faulty.drops[n] ?? 0)) / 1_000));
    expect(pauses.slice(0, 2).every((pause) => pause <= 11)).toBe(true);
    expect(pauses.slice(2, 6)).toEqual([...pauses.slice(2, 6)].sort((a, b) => a - b));
    expect(pauses.at(-1)).toBeGreaterThanOrEqual(300);
    expect(faulty.drops.length).toBeLessThan(20);
    expect(probe.trouble).toMatch(/^consumer-deaf: .*since 2026-01-01T.*connected anew \d+ times/);
    expect(probe.isDeaf).toBe(true);
    faulty.faults = [];
    await clock.advance(seconds(11));
    expect([probe.trouble, probe.isDeaf]).toEqual([null, false]);
  });
});

describe('a broker that is there', () => {
  it('and confirms nothing is dropped as unreachable, not as deaf', async () => {
    const { clock, serve } = world();
    const { probe, faulty } = await serve(() => Promise.resolve());
    faulty.faults = ['publish'];
    await clock.advance(millis(PROBE_LIMITS.every + PROBE_LIMITS.confirmWithin));
    expect(faulty.drops).toHaveLength(1);
    expect(probe.counts).toMatchObject({ deaf: 0, unanswered: 1, drops: 1 });
    expect(probe.trouble).toMatch(/^broker-unreachable: /);
    expect(probe.isDeaf).toBe(false);
    await clock.advance(seconds(2));
    expect(probe.trouble).toBeNull();
  });

  it('and refuses our probes is asked once on each connection, and what waits in the queue is proof instead', async () => {
    const { clock, serve, grow, during } = world({ heals: false });
    const done: number[] = [];
    const { probe, faulty, inner } = await serve((n) => Promise.resolve(void done.push(n)));
    faulty.faults = ['refuse'];
    await clock.advance(seconds(300));
    expect(probe.trouble).toMatch(/^broker-refused: /);
    expect([probe.isDeaf, faulty.drops.length, faulty.published]).toEqual([false, 0, 1]);
    inner.disconnect();
    inner.reconnect();
    await clock.advance(seconds(300));
    expect(faulty.published).toBe(2);
    await during(faulty.consumers[0]?.pause());
    await grow(1);
    await clock.advance(seconds(30));
    expect(done).toEqual([1]);
    expect(probe.counts).toMatchObject({ deaf: 1, drops: 1 });
  });
});
