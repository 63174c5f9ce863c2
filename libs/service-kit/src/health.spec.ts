import { describe, expect, it } from '@jest/globals';
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
});
