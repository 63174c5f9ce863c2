import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { bytes, type Log, millis, NovellaError, type OperationId, seconds } from '@novella/core';
import { HOST, OPERATION, operation, seededRandom, virtualClock } from '@novella/testing';
import { Engine } from './engine.js';
import type { TurnIo } from './turns.js';

const NAME = 'conductor-1';
const ELSE = '77777777-7777-4777-8777-777777777777' as OperationId;
const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
};
const away = () => Promise.reject(new NovellaError('database-unreachable', 'put in by the test'));

type TakenOver = Parameters<TurnIo['store']['takeOver']>[0];

/** An engine on a store that has nothing to do unless a method is given; `takenOver` is what it gave back, in order. */
function engineOn(store: Partial<TurnIo['store']>) {
  const takenOver: TakenOver[] = [];
  const nothing: Partial<TurnIo['store']> = {
    takeOver: (from) => Promise.resolve(takenOver.push(from)),
    claimDue: () => Promise.resolve([]),
    nextDueIn: () => Promise.resolve(null),
    ...store,
  };
  const clock = virtualClock();
  const io = { store: nothing, clock, random: seededRandom(1), log: silent } as unknown as TurnIo;
  const engine = new Engine(io, { name: NAME, concurrency: 8, sweep: seconds(5) });
  return { engine, clock, takenOver };
}

describe('an engine whose store was away in the middle of its work', () => {
  it('gives back what a turn that was cut short held, as soon as the store answers, and keeps what others hold', async () => {
    let claims = 0;
    const { engine, clock, takenOver } = engineOn({
      claimDue: () => {
        claims += 1;
        return Promise.resolve(claims === 1 ? [operation(), operation({ id: ELSE })] : []);
      },
      // The facts of one never come, so it is still worked on.
      operationFacts: ({ id }) => (id === ELSE ? new Promise(() => undefined) : away()),
    });
    engine.start();
    await turns();
    await clock.advance(seconds(2));
    expect(takenOver.slice(1)).toEqual([{ claimedBy: NAME, except: [ELSE] }]);
  });

  it('gives back what it may have claimed without hearing of it', async () => {
    let claims = 0;
    const { engine, clock, takenOver } = engineOn({
      claimDue: () => ((claims += 1) === 1 ? away() : Promise.resolve([])),
    });
    engine.start();
    await turns();
    await clock.advance(seconds(2));
    await engine.stop();
    expect(takenOver.slice(1)).toEqual([{ claimedBy: NAME }]);
  });

  it('tries again until that is written, and goes on with its work meanwhile', async () => {
    let tries = 0;
    let claims = 0;
    const { engine, clock } = engineOn({
      takeOver: () => ((tries += 1) < 4 ? away() : Promise.resolve(0)),
      claimDue: () => {
        claims += 1;
        return Promise.resolve([]);
      },
    });
    engine.start();
    await turns();
    await clock.advance(millis(30_000));
    await engine.stop();
    expect(tries).toBe(4);
    expect(claims).toBeGreaterThan(3);
  });

  it('keeps the operation whose answer it records, and gives it back when that failed', async () => {
    const answer = {
      host: HOST,
      token: { operation: OPERATION, attempt: 1, generation: 1, fence: 1 },
      outcome: { status: 'grown', hostBytes: bytes(1), guestBytes: bytes(1) },
    } as const;
    const { engine, clock, takenOver } = engineOn({
      claimForResult: () => Promise.resolve(operation()),
      operationFacts: away,
    });
    engine.start();
    await turns();
    await expect(engine.answer(answer)).rejects.toMatchObject({ code: 'database-unreachable' });
    await clock.advance(seconds(6));
    await engine.stop();
    expect(takenOver.slice(1)).toEqual([{ claimedBy: NAME }]);
  });
});
