import { describe, expect, it } from '@jest/globals';
import { type Clock, type Log, millis } from '@novella/core';
import { type ProcessSignals, Shutdown } from './shutdown.js';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Sleeps until it is told that the time has come. */
function steppedClock(): Clock & { expire(): void } {
  let expire = (): void => undefined;
  const due = new Promise<void>((resolve) => (expire = resolve));
  return {
    monotonic: () => millis(0),
    wallTime: () => new Date(0),
    sleep: (_delay, signal) =>
      new Promise((resolve, reject) => {
        void due.then(resolve);
        signal?.addEventListener('abort', () => reject(new Error('aborted')));
      }),
    expire: () => expire(),
  };
}

function fakeProcess() {
  const listeners = new Map<string, () => void>();
  let leave = (_code: number): void => undefined;
  const exited = new Promise<number>((resolve) => (leave = resolve));
  const codes: number[] = [];
  const signals: ProcessSignals = {
    on: (signal, listener) => listeners.set(signal, listener),
    exit: (code) => {
      codes.push(code);
      leave(code);
    },
  };
  return { signals, codes, exited, raise: (signal: string) => listeners.get(signal)?.() };
}

describe('shutdown', () => {
  it('runs the steps one after the other, the last registered first, and exits 0', async () => {
    const order: string[] = [];
    const shutdown = new Shutdown({ log: quiet, clock: steppedClock() });
    shutdown.onShutdown('database', () => void order.push('database'));
    shutdown.onShutdown('consumer', async () => {
      await Promise.resolve();
      order.push('consumer');
    });
    const { signals, exited, raise } = fakeProcess();
    shutdown.listen(signals);
    raise('SIGTERM');
    expect(await exited).toBe(0);
    expect(order).toEqual(['consumer', 'database']);
  });

  it('goes on after a step that fails, and exits 1', async () => {
    const order: string[] = [];
    const shutdown = new Shutdown({ log: quiet, clock: steppedClock() });
    shutdown.onShutdown('database', () => void order.push('database'));
    shutdown.onShutdown('consumer', () => Promise.reject(new Error('stuck')));
    expect(await shutdown.run('test')).toBe(1);
    expect(order).toEqual(['database']);
  });

  it('exits 1 when a step outlasts the grace', async () => {
    const clock = steppedClock();
    const shutdown = new Shutdown({ log: quiet, clock, grace: millis(5) });
    shutdown.onShutdown('consumer', () => new Promise(() => undefined));
    const ended = shutdown.run('test');
    clock.expire();
    expect(await ended).toBe(1);
  });

  it('runs the steps once when asked twice', async () => {
    let runs = 0;
    const shutdown = new Shutdown({ log: quiet, clock: steppedClock() });
    shutdown.onShutdown('consumer', () => void (runs += 1));
    await Promise.all([shutdown.run('one'), shutdown.run('two')]);
    expect(runs).toBe(1);
  });

  it('tells those that wait for something, by its signal, before the first step runs', async () => {
    const seen: boolean[] = [];
    const shutdown = new Shutdown({ log: quiet, clock: steppedClock() });
    shutdown.onShutdown('consumer', () => void seen.push(shutdown.signal.aborted));
    expect(shutdown.signal.aborted).toBe(false);
    await shutdown.run('test');
    expect(seen).toEqual([true]);
  });

  it('exits 1 at once at the second signal', () => {
    const shutdown = new Shutdown({ log: quiet, clock: steppedClock() });
    shutdown.onShutdown('consumer', () => new Promise(() => undefined));
    const { signals, codes, raise } = fakeProcess();
    shutdown.listen(signals);
    raise('SIGTERM');
    expect(codes).toEqual([]);
    raise('SIGINT');
    expect(codes).toEqual([1]);
  });
});
