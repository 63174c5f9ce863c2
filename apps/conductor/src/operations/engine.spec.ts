import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { OperationResult } from '@novella/contracts';
import { bytes, type Log, millis, NovellaError, seconds } from '@novella/core';
import { HOST, OPERATION, operation, seededRandom, virtualClock } from '@novella/testing';
import { Engine } from './engine.js';
import type { TurnIo } from './turns.js';

const NAME = 'conductor-1';
const SWEEP = seconds(5);
const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const ANSWER: OperationResult = {
  host: HOST,
  token: { operation: OPERATION, attempt: 1, generation: 1, fence: 1 },
  outcome: { status: 'grown', hostBytes: bytes(1), guestBytes: bytes(1) },
};

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
};
const away = () => Promise.reject(new NovellaError('database-unreachable', 'put in by the test'));

/** An engine on a store that has nothing to do unless a method is given; `asked` are its questions in order. */
function engineOn(store: Partial<TurnIo['store']>) {
  const asked: string[] = [];
  const nothing: Partial<TurnIo['store']> = {
    takeOver: () => Promise.resolve(0),
    claimDue: () => Promise.resolve([]),
    nextDueIn: () => Promise.resolve(null),
    ...store,
  };
  const told = new Proxy(nothing, {
    get: (target, name: keyof TurnIo['store']) => {
      const method = target[name] as ((...args: unknown[]) => unknown) | undefined;
      return (...args: unknown[]) => {
        asked.push(name);
        return method?.(...args);
      };
    },
  });
  const clock = virtualClock();
  const io = { store: told, clock, random: seededRandom(1), log: silent } as unknown as TurnIo;
  return { engine: new Engine(io, { name: NAME, concurrency: 8, sweep: SWEEP }), clock, asked };
}

describe('an engine that nobody hints', () => {
  it('looks for due operations once in every sweep (rule 2.2d)', async () => {
    const { engine, clock, asked } = engineOn({});
    engine.start();
    await clock.advance(millis(3 * SWEEP));
    await engine.stop();
    expect(asked.filter((question) => question === 'claimDue')).toHaveLength(4);
  });

  it('looks earlier when an operation is due by itself before that', async () => {
    const { engine, clock, asked } = engineOn({ nextDueIn: () => Promise.resolve(seconds(1)) });
    engine.start();
    await clock.advance(millis(SWEEP - 1));
    await engine.stop();
    expect(asked.filter((question) => question === 'claimDue')).toHaveLength(5);
  });
});

describe('an engine that is hinted', () => {
  it('looks at once, also when the hint comes while it looks', async () => {
    const found: (() => void)[] = [];
    const claimDue = () => new Promise<[]>((resolve) => found.push(() => resolve([])));
    const { engine } = engineOn({ claimDue });
    engine.start();
    await turns();
    engine.hint();
    found[0]?.();
    await turns();
    expect(found).toHaveLength(2);
    found[1]?.();
    await turns();
    engine.hint();
    await turns();
    expect(found).toHaveLength(3);
    const stopped = engine.stop();
    found[2]?.();
    await stopped;
  });
});

describe('an engine that starts', () => {
  it('makes due what the last run of its name held before it looks for work, and starts without it when the store is away (rule 3.1a)', async () => {
    const froms: unknown[] = [];
    const { engine, asked } = engineOn({
      takeOver: (from) => {
        froms.push(from);
        return away();
      },
    });
    engine.start();
    await turns();
    await engine.stop();
    expect(froms).toEqual([{ claimedBy: NAME }]);
    expect(asked.slice(0, 2)).toEqual(['takeOver', 'claimDue']);
  });
});

describe("a host's answer", () => {
  it.each([
    ['claimed', { claimForResult: away }],
    ['recorded', { claimForResult: () => Promise.resolve(operation()), operationFacts: away }],
  ] as const)(
    'is not taken while it cannot be %s, so that its message stays at the broker (rule 3.1e)',
    async (_, store) => {
      const { engine } = engineOn(store);
      await expect(engine.answer(ANSWER)).rejects.toMatchObject({ code: 'database-unreachable' });
    },
  );

  it('that nobody waits for is taken and changes nothing', async () => {
    const { engine, asked } = engineOn({ claimForResult: () => Promise.resolve(null) });
    await engine.answer(ANSWER);
    expect(asked).toEqual(['claimForResult']);
  });
});
