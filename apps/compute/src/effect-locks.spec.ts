import { describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ServerId, VolumeId } from '@novella/core';
import { type Claims, EffectLocks, serverClaims, volumeClaims } from './effect-locks.js';

const A = 'server-a' as ServerId;
const B = 'server-b' as ServerId;
const V = 'volume-v' as VolumeId;
const W = 'volume-w' as VolumeId;

/** Effects that end when they are told to. */
function effects(locks: EffectLocks) {
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    running,
    start: (name: string, claims: Claims, signal?: AbortSignal) =>
      locks.run(
        claims,
        async () => {
          running.push(name);
          await new Promise<void>((resolve) => ends.set(name, resolve));
          running.splice(running.indexOf(name), 1);
        },
        signal,
      ),
    end: async (name: string) => {
      ends.get(name)?.();
      await nextTurn();
    },
  };
}

describe('effect locks (rule 2.6a)', () => {
  it.each([
    ['the same volume of one server', volumeClaims(A, V), volumeClaims(A, V), false],
    ['the same volume of two servers', volumeClaims(A, V), volumeClaims(B, V), false],
    ['two volumes of one server', volumeClaims(A, V), volumeClaims(A, W), true],
    ['a volume and its server', volumeClaims(A, V), serverClaims(A, []), false],
    ['a server and a volume of it', serverClaims(A, []), volumeClaims(A, V), false],
    ['a server and a volume of another', serverClaims(A, []), volumeClaims(B, V), true],
    ['a server with the volume of another', serverClaims(A, [V]), volumeClaims(B, V), false],
    ['the same server', serverClaims(A, []), serverClaims(A, []), false],
    ['two servers', serverClaims(A, [V]), serverClaims(B, [W]), true],
  ])('%s', async (_what, first, second, together) => {
    const { running, start, end } = effects(new EffectLocks());
    const all = [start('first', first), start('second', second)];
    await nextTurn();
    expect(running).toEqual(together ? ['first', 'second'] : ['first']);
    await end('first');
    expect(running).toEqual(['second']);
    await end('second');
    await Promise.all(all);
  });

  it('lets nobody overtake one that waits for the same', async () => {
    const { running, start, end } = effects(new EffectLocks());
    const all = [start('v', volumeClaims(A, V)), start('delete', serverClaims(A, [])), start('w', volumeClaims(A, W))];
    await nextTurn();
    expect(running).toEqual(['v']);
    await end('v');
    expect(running).toEqual(['delete']);
    await end('delete');
    expect(running).toEqual(['w']);
    await end('w');
    await Promise.all(all);
  });

  it('lets one that wants something else overtake', async () => {
    const { running, start, end } = effects(new EffectLocks());
    const all = [start('v', volumeClaims(A, V)), start('again', volumeClaims(A, V)), start('b', volumeClaims(B, W))];
    await nextTurn();
    expect(running).toEqual(['v', 'b']);
    for (const name of ['v', 'again', 'b']) await end(name);
    await Promise.all(all);
  });

  it('lets go when the work fails', async () => {
    const locks = new EffectLocks();
    await expect(locks.run(volumeClaims(A, V), () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(locks.run(volumeClaims(A, V), () => Promise.resolve('done'))).resolves.toBe('done');
  });

  it('refuses one more than may wait', async () => {
    const locks = new EffectLocks({ waiting: 1 });
    const { start, end } = effects(locks);
    const all = [start('first', volumeClaims(A, V)), start('second', volumeClaims(A, V))];
    await expect(start('third', volumeClaims(A, V))).rejects.toMatchObject({ code: 'internal' });
    await nextTurn();
    await end('first');
    await end('second');
    await Promise.all(all);
  });

  it('refuses who waits and who comes when it is closed, and waits for who runs', async () => {
    const locks = new EffectLocks();
    const { start, end } = effects(locks);
    const runs = start('runs', volumeClaims(A, V));
    const waits = start('waits', volumeClaims(A, V));
    await nextTurn();
    let closed = false;
    const closing = locks.close().then(() => (closed = true));
    await expect(waits).rejects.toMatchObject({ code: 'internal' });
    await expect(start('comes', volumeClaims(B, W))).rejects.toMatchObject({ code: 'internal' });
    await nextTurn();
    expect(closed).toBe(false);
    await end('runs');
    await Promise.all([runs, closing]);
  });

  describe('that runs too many', () => {
    const volumes = (server: ServerId, count: number) =>
      Array.from({ length: count }, (_, n) => volumeClaims(server, `${server}-${n}` as VolumeId));

    it('keeps one server from taking the room of the others', async () => {
      const locks = new EffectLocks({ running: 4, runningOfOneServer: 2 });
      const { running, start, end } = effects(locks);
      const all = volumes(A, 4).map((claims, n) => start(`a${n}`, claims));
      all.push(start('b', volumeClaims(B, V)));
      await nextTurn();
      expect(running).toEqual(['a0', 'a1', 'b']);
      await end('a0');
      expect(running).toEqual(['a1', 'b', 'a2']);
      for (const name of ['a1', 'a2', 'a3', 'b']) await end(name);
      await Promise.all(all);
    });

    it('runs no more than it may in all', async () => {
      const locks = new EffectLocks({ running: 2, runningOfOneServer: 2 });
      const { running, start, end } = effects(locks);
      const all = [...volumes(A, 2), ...volumes(B, 1)].map((claims, n) => start(`e${n}`, claims));
      await nextTurn();
      expect(running).toEqual(['e0', 'e1']);
      await end('e1');
      expect(running).toEqual(['e0', 'e2']);
      for (const name of ['e0', 'e2']) await end(name);
      await Promise.all(all);
    });

    it('gives the room of those that were given up to others, but not what they have claimed', async () => {
      const locks = new EffectLocks({ running: 1 });
      const { running, start, end } = effects(locks);
      const giveUp = new AbortController();
      const hung = start('hung', volumeClaims(A, V), giveUp.signal);
      const all = [start('same', volumeClaims(A, V)), start('other', volumeClaims(A, W))];
      await nextTurn();
      expect(running).toEqual(['hung']);
      giveUp.abort(new Error('too late'));
      await expect(hung).rejects.toThrow('too late');
      expect(running).toEqual(['hung', 'other']);
      await end('other');
      expect(running).toEqual(['hung']);
      await end('hung');
      expect(running).toEqual(['same']);
      await end('same');
      await Promise.all(all);
    });
  });

  it('never begins what is given up while it waits, and lets those behind it go on', async () => {
    const locks = new EffectLocks();
    const { running, start, end } = effects(locks);
    const giveUp = new AbortController();
    const all = [start('v', volumeClaims(A, V))];
    const waits = start('delete', serverClaims(A, []), giveUp.signal);
    all.push(start('w', volumeClaims(A, W)));
    await nextTurn();
    expect(running).toEqual(['v']);
    giveUp.abort(new Error('too late'));
    await expect(waits).rejects.toThrow('too late');
    expect(running).toEqual(['v', 'w']);
    for (const name of ['v', 'w']) await end(name);
    await Promise.all(all);
    await expect(start('late', volumeClaims(A, V), giveUp.signal)).rejects.toThrow('too late');
    expect(running).toEqual([]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'keeps others out whenever one is given up: %d promises after it could begin',
    async (promises) => {
      const locks = new EffectLocks();
      const { running, start, end } = effects(locks);
      const giveUp = new AbortController();
      const first = start('first', volumeClaims(A, V));
      const second = start('second', volumeClaims(A, V), giveUp.signal);
      const third = start('third', volumeClaims(A, V));
      await nextTurn();
      const ending = end('first');
      for (let n = 0; n < promises; n += 1) await Promise.resolve();
      giveUp.abort(new Error('too late'));
      await expect(second).rejects.toThrow('too late');
      await ending;
      await first;
      expect(running).toHaveLength(1);
      if (running[0] === 'second') await end('second');
      expect(running).toEqual(['third']);
      await end('third');
      await third;
    },
  );

  it('is closed although what was given up never ends', async () => {
    const locks = new EffectLocks();
    const { start } = effects(locks);
    const giveUp = new AbortController();
    const hung = start('hung', volumeClaims(A, V), giveUp.signal);
    await nextTurn();
    const closing = locks.close();
    giveUp.abort(new Error('too late'));
    await expect(hung).rejects.toThrow('too late');
    await expect(closing).resolves.toBeUndefined();
  });
});
