import { describe, expect, it } from '@jest/globals';
import { millis, NovellaError } from '@novella/core';
import { Health } from './health.js';

describe('health', () => {
  it('is not ready while a registered part is starting', () => {
    const health = new Health();
    const database = health.register('database');
    expect(health.report()).toMatchObject({ state: 'not-ready', live: true, ready: false });
    database.ready();
    expect(health.report()).toMatchObject({ state: 'ready', live: true, ready: true });
  });

  it('is degraded but ready while a part works with less, and says why', () => {
    const health = new Health();
    health.register('database').ready();
    health.register('broker').unwell('degraded', 'no connection');
    expect(health.report()).toEqual({
      state: 'degraded',
      live: true,
      ready: true,
      parts: [
        { name: 'database', state: 'ready', reason: null },
        { name: 'broker', state: 'degraded', reason: 'no connection' },
      ],
    });
  });

  it('is as bad as its worst part, and not live when one is dead', () => {
    const health = new Health();
    health.register('state directory').unwell('dead', 'the lock was lost');
    health.register('broker').unwell('degraded', 'no connection');
    expect(health.report()).toMatchObject({ state: 'dead', live: false, ready: false });
  });

  it('refuses a second part of the same name', () => {
    const health = new Health();
    health.register('broker');
    expect(() => health.register('broker')).toThrow(/broker/);
  });

  describe('of a part that is asked', () => {
    it('is not ready before the first look, and then what the check finds', async () => {
      const health = new Health();
      let wrong: string | null = null;
      health.register('broker').ask('degraded', () => wrong);
      expect(health.report().ready).toBe(false);
      expect(await health.look()).toMatchObject({ state: 'ready', parts: [{ reason: null }] });
      wrong = 'no connection';
      expect(await health.look()).toMatchObject({ state: 'degraded', parts: [{ reason: 'no connection' }] });
    });

    it('takes an error of the check as what is wrong, with its code', async () => {
      const health = new Health();
      const away = new NovellaError('database-unreachable', 'the database cannot be reached');
      health.register('database').ask('not-ready', () => Promise.reject(away));
      expect(await health.look()).toMatchObject({
        state: 'not-ready',
        parts: [{ reason: 'database-unreachable: the database cannot be reached' }],
      });
    });

    it('does not wait for ever, asks no second time meanwhile, and believes the answer that comes late', async () => {
      const health = new Health({ patience: millis(5) });
      let asked = 0;
      let answer = (_wrong: string | null): void => undefined;
      health.register('database').ask('not-ready', () => {
        asked += 1;
        return new Promise((resolve) => (answer = resolve));
      });
      expect(await health.look()).toMatchObject({ state: 'not-ready', parts: [{ reason: 'no answer within 5 ms' }] });
      const looking = health.look();
      answer(null);
      expect((await looking).state).toBe('ready');
      expect(asked).toBe(1);
    });
  });
});
