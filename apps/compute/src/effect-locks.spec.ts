import { describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ServerId, VolumeId } from '@novella/core';
import { type Claim, EffectLocks, serverClaims, volumeClaims } from './effect-locks.js';

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
    start: (name: string, claims: readonly Claim[]) =>
      locks.run(claims, async () => {
        running.push(name);
        await new Promise<void>((resolve) => ends.set(name, resolve));
        running.splice(running.indexOf(name), 1);
      }),
    end: async (name: string) => {
      ends.get(name)?.();
      await nextTurn();
    },
  };
}

describe('effect locks', () => {
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
    const locks = new EffectLocks(1);
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
});
