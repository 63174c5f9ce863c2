import { describe, expect, it } from '@jest/globals';
import { type Clock, millis, NovellaError } from '@novella/core';
import { brokerTrouble, holdName, type NameLink } from './broker.js';

const taken = new NovellaError('host-name-taken', 'RESOURCE_LOCKED');

/** A broker that refuses the first `refusals` times; the clock goes on by what is slept. */
function world(refusals: number) {
  const declared: string[] = [];
  const listeners: ((queue: string) => void)[] = [];
  let now = 0;
  const link: NameLink = {
    declare: ({ queues }) => {
      declared.push(...queues.map(({ name }) => name));
      return declared.length <= refusals ? Promise.reject(taken) : Promise.resolve();
    },
    onNameLost: (listener) => void listeners.push(listener),
  };
  const clock: Clock = {
    monotonic: () => millis(now),
    wallTime: () => new Date(0),
    sleep: (pause) => {
      now += pause;
      return Promise.resolve();
    },
  };
  let lost = 0;
  const io = { clock, signal: new AbortController().signal, onLost: () => void (lost += 1) };
  return {
    link,
    io,
    declared,
    lose: (queue: string) => listeners.forEach((tell) => tell(queue)),
    lost: () => lost,
  };
}

const NAME = { topic: 'compute', name: 'host-1' };

describe('holdName', () => {
  it('takes the exclusive queue of the name', async () => {
    const { link, io, declared } = world(0);
    await holdName(link, NAME, io);
    expect(declared).toEqual(['compute.host-1.lock']);
  });

  it('waits for a moment for a dead process to be forgotten', async () => {
    const { link, io, declared } = world(5);
    await holdName(link, NAME, io);
    expect(declared).toHaveLength(6);
  });

  it('gives up when somebody keeps the name', async () => {
    const { link, io } = world(Number.POSITIVE_INFINITY);
    await expect(holdName(link, NAME, io)).rejects.toMatchObject({
      code: 'host-name-taken',
      facts: { topic: 'compute', name: 'host-1' },
    });
  });

  it('passes on what else is wrong at once', async () => {
    const { link, io } = world(0);
    const refused = new NovellaError('broker-refused', 'not allowed');
    await expect(holdName({ ...link, declare: () => Promise.reject(refused) }, NAME, io)).rejects.toBe(refused);
  });

  it('tells when another has the name, and not of other queues', async () => {
    const { link, io, lose, lost } = world(0);
    await holdName(link, NAME, io);
    lose('compute.host-2.lock');
    expect(lost()).toBe(0);
    lose('compute.host-1.lock');
    expect(lost()).toBe(1);
  });

  it('stops waiting for the broker at a signal', async () => {
    const { link, io } = world(0);
    const stop = new AbortController();
    const never = () => new Promise<void>(() => undefined);
    const holding = holdName({ ...link, declare: never }, NAME, { ...io, signal: stop.signal });
    const reason = new Error('shutting down');
    stop.abort(reason);
    await expect(holding).rejects.toBe(reason);
  });
});

describe('brokerTrouble', () => {
  it.each<[Parameters<typeof brokerTrouble>[0], RegExp | null]>([
    [{ state: 'connected', blocked: null }, null],
    [{ state: 'connected', blocked: 'low on disk' }, /low on disk/],
    [{ state: 'disconnected', blocked: null }, /broker-unreachable/],
    [{ state: 'closed', blocked: null }, /broker-unreachable/],
  ])('of %j is %s', (standing, wrong) => {
    if (wrong === null) expect(brokerTrouble(standing)).toBeNull();
    else expect(brokerTrouble(standing)).toMatch(wrong);
  });
});
