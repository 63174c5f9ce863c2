import { describe, expect, it } from '@jest/globals';
import { type Log, millis, NovellaError } from '@novella/core';
import { systemClock } from './clock.js';
import { ConfigError } from './config.js';
import { endsWithin, printed } from './program.js';

describe('printed', () => {
  it('tells an expected error with its facts and causes, a line each, without stacks', () => {
    const cause = new NovellaError('broker-unreachable', 'refused', { port: 5672 });
    const error = new NovellaError('host-name-taken', 'another has it', { name: 'host-1' }, { cause });
    expect(printed(error).split('\n')).toEqual([
      'host-name-taken: another has it {"name":"host-1"}',
      '  because: broker-unreachable: refused {"port":5672}',
    ]);
  });

  it('tells where an unexpected one came from', () => {
    expect(printed(new TypeError('x is undefined'))).toContain('program.spec');
  });

  it('shows no password of a URL, whoever put it there', () => {
    expect(printed(new Error('connect amqp://nova:hunter2@broker failed'))).not.toContain('hunter2');
    const cause = new Error('at postgres://nova:hunter2@db');
    expect(printed(new NovellaError('database-unreachable', 'away', {}, { cause }))).not.toContain('hunter2');
  });

  it('lists every fault of the settings', () => {
    const faults = ['NOVELLA_A', 'NOVELLA_B'].map((key) => ({ key, given: null, problem: 'is required' }));
    expect(printed(new ConfigError(faults))).toMatch(/NOVELLA_A[^]*NOVELLA_B/);
  });
});

describe('endsWithin', () => {
  const said: string[] = [];
  const keep = (message: string) => void said.push(message);
  const io = { clock: systemClock, log: { debug: keep, info: keep, warn: keep, error: keep } satisfies Log };

  it('is true for work that ends in time', async () => {
    expect(await endsWithin(millis(60_000), Promise.resolve('done'), io)).toBe(true);
  });

  it('is false for work that does not, and says so when that fails later', async () => {
    let fail = (_error: Error): void => undefined;
    const work = new Promise((_resolve, reject) => (fail = reject));
    expect(await endsWithin(millis(1), work, io)).toBe(false);
    fail(new Error('at last'));
    await new Promise(setImmediate);
    expect(said).toHaveLength(1);
  });

  it('throws what the work throws in time', async () => {
    await expect(endsWithin(millis(60_000), Promise.reject(new Error('no')), io)).rejects.toThrow('no');
  });
});
