import { describe, expect, it } from '@jest/globals';
import { type Clock, type Log, millis, NovellaError } from '@novella/core';
import { Health } from './health.js';
import { untilThere } from './until-there.js';

const refused = new NovellaError('database-unreachable', 'refused');
const starting = new NovellaError('database-unreachable', 'still starting');

function world(answers: (Error | string)[]) {
  const said: string[] = [];
  const pauses: number[] = [];
  const keep = (message: string, facts?: object) => void said.push(`${message} ${JSON.stringify(facts)}`);
  const log: Log = { debug: keep, info: keep, warn: keep, error: keep };
  const clock: Clock = {
    monotonic: () => millis(0),
    wallTime: () => new Date(0),
    sleep: (pause, signal) => {
      signal?.throwIfAborted();
      pauses.push(pause);
      return Promise.resolve();
    },
  };
  const open = (): Promise<string> => {
    const next = answers.shift();
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next ?? 'no more');
  };
  return { said, pauses, log, clock, open, signal: new AbortController().signal };
}

describe('untilThere', () => {
  it('answers what it opened, and is quiet when that was there at once', async () => {
    const io = world(['opened']);
    expect(await untilThere('database', io.open, io)).toBe('opened');
    expect(io.said).toEqual([]);
  });

  it('tries ever more slowly, says each reason once, and when the waiting is over', async () => {
    const io = world([refused, refused, refused, starting, 'opened']);
    expect(await untilThere('database', io.open, io)).toBe('opened');
    expect(io.pauses).toEqual([200, 400, 800, 1600]);
    expect(io.said.map((line) => line.split(' ')[0])).toEqual(['waiting', 'waiting', 'no']);
  });

  it('tells the health what is missing, and that it is there', async () => {
    const health = new Health();
    const io = world([refused, 'opened']);
    const part = health.register('database');
    const seen: unknown[] = [];
    const open = () => {
      seen.push(health.report().parts[0]?.reason);
      return io.open();
    };
    await untilThere('database', open, { ...io, part });
    expect(seen).toEqual(['starting', 'database-unreachable: refused']);
    expect(health.report().ready).toBe(true);
  });

  it('gives up for what no waiting mends', async () => {
    const final = new NovellaError('host-renamed', 'another name');
    const io = { ...world([refused, final, 'opened']), isFinal: (error: unknown) => error === final };
    await expect(untilThere('name', io.open, io)).rejects.toBe(final);
  });

  it('gives up with the reason of the signal', async () => {
    const stop = new AbortController();
    const reason = new Error('shutting down');
    const io = { ...world([refused]), signal: stop.signal };
    const open = () => {
      stop.abort(reason);
      return io.open();
    };
    await expect(untilThere('database', open, io)).rejects.toBe(reason);
  });
});
