import { describe, expect, it } from '@jest/globals';
import { bytes, type ErrorCode, gib, type Log, NovellaError, seconds } from '@novella/core';
import type { Operation } from '@novella/persistence';
import { facts, mapping, operation, seededRandom, virtualClock } from '@novella/testing';
import { type TurnIo, Turns } from './turns.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * One turn with an operation of a running server on its host; what it did, in order, with what it was done to: a write
 * of the store with its input, a call to Cinder or a command with nothing.
 */
async function turnOf(
  claimed: Operation,
  refuses: ErrorCode | null = null,
  answer: Parameters<Turns['run']>[1] = null,
  { clock = virtualClock(), advance = () => Promise.resolve() } = {},
) {
  const done: { what: string; with?: unknown }[] = [];
  let row = claimed;
  const write = (what: string, changes: Partial<Operation>) => (_: unknown, input?: unknown) => {
    done.push({ what, ...(input === undefined ? {} : { with: input }) });
    row = { ...row, ...changes, version: row.version + 1 };
    return Promise.resolve(row);
  };
  const store = {
    operationFacts: () => Promise.resolve(facts({ mappings: [mapping({ wantedBytes: bytes(2 ** 31) })] })),
    dispatch: write('dispatch', { state: 'dispatched', attempt: 1, fence: 7 }),
    markSent: write('markSent', {}),
    undoDispatch: write('undoDispatch', { state: 'waiting' }),
    wait: write('wait', { state: 'waiting' }),
    end: write('end', { state: 'succeeded' }),
    advance: async (_: unknown, input: { step: string }) => {
      await advance();
      return write(`advance ${input.step}`, { step: input.step })(_);
    },
  };
  const volumes = {
    volume: () => Promise.resolve({ size: gib(2), status: 'in-use', extendingTo: null }),
    beginDetaching: () => Promise.resolve(void done.push({ what: 'beginDetaching' })),
  };
  const command = (what: string) => () => {
    done.push({ what });
    return refuses === null ? Promise.resolve() : Promise.reject(new NovellaError(refuses, 'put in by the test'));
  };
  const compute = () => ({ extend_volume: command('extend_volume'), detach_volume: command('detach_volume') });
  const io = { store, volumes, compute, clock, random: seededRandom(1), log: silent };
  await new Turns(io as unknown as TurnIo).run(claimed, answer);
  return done;
}
const names = (done: readonly { what: string }[]): string[] => done.map(({ what }) => what);

describe('a turn', () => {
  it('stores that a command is sent before it sends it, and that it was taken after that (rule 2.5a)', async () => {
    expect(names(await turnOf(operation()))).toEqual(['dispatch', 'extend_volume', 'markSent']);
  });

  it('stores a step of its own before it runs it, and how it goes on after that (rule 3.4a)', async () => {
    const done = names(await turnOf(operation({ kind: 'detach' })));
    expect(done.slice(0, 3)).toEqual(['advance begin', 'beginDetaching', 'advance off-host']);
  });

  it('asks nothing of Cinder once its lease may have run out: another conductor may be further by now', async () => {
    const clock = virtualClock();
    const slow = { advance: () => clock.advance(seconds(61)) };
    const done = await turnOf(operation({ kind: 'detach' }), null, null, { clock, ...slow });
    expect(names(done)).toEqual(['advance begin', 'wait']);
    expect(done[1]?.with).toMatchObject({ error: { code: 'command-stale', grade: 'unsure' } });
  });

  it('takes a command that no queue took for not sent, and waits for the host without an attempt (rule 2.5c)', async () => {
    const done = await turnOf(operation(), 'rpc-no-route');
    expect(names(done)).toEqual(['dispatch', 'extend_volume', 'undoDispatch']);
    expect(done.at(-1)?.with).toBe(seconds(60));
  });

  it('keeps the attempt of a command of which it is not known whether it was taken, and tries again soon (rule 3.1d)', async () => {
    const done = await turnOf(operation(), 'broker-unreachable');
    expect(names(done)).toEqual(['dispatch', 'extend_volume', 'wait']);
    expect(done.at(-1)?.with).toEqual({ for: 'host', nextIn: seconds(5) });
  });
});

describe('the record of an extend', () => {
  const extending = operation({ state: 'dispatched', attempt: 1, fence: 7 });

  it('has only what is wanted when the command is sent, and no size (rule 2.8b)', async () => {
    const [dispatched] = await turnOf(operation());
    expect(dispatched?.with).toMatchObject({ changes: { mappings: [{ wantedBytes: bytes(2 ** 31) }] } });
    const { changes } = dispatched?.with as { changes: { mappings: object[] } };
    expect(changes.mappings.map((change) => Object.keys(change).sort())).toEqual([['id', 'wantedBytes']]);
  });

  it('has the sizes that the host has read back, and wants no more because a host says more (rule 2.8b)', async () => {
    const seen = bytes(5 * 2 ** 30);
    const [ended] = await turnOf(extending, null, { status: 'grown', hostBytes: seen, guestBytes: seen });
    expect(ended).toMatchObject({ what: 'end', with: { result: 'succeeded', verifiedBy: 'hypervisor' } });
    const { changes } = ended?.with as { changes: { mappings: object[] } };
    expect(changes.mappings).toEqual([{ id: mapping().id, size: gib(5), hostBytes: seen, guestBytes: seen }]);
  });
});
