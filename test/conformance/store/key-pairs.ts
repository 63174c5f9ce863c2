import { describe, expect, it } from '@jest/globals';
import type { UserId } from '@novella/core';
import type { NewKeyPair } from '@novella/persistence';
import type { Subject } from './world.js';

const USER = 'user-1' as UserId;
const OTHER = 'user-2' as UserId;
const keyPair = (changes: Partial<NewKeyPair> = {}): NewKeyPair => ({
  userId: USER,
  name: 'laptop',
  type: 'ssh',
  publicKey: 'ssh-ed25519 AAAA me',
  fingerprint: '00:11',
  ...changes,
});

export function keyPairTests({ store, sessions }: Subject): void {
  const make = (changes: Partial<NewKeyPair> = {}, most = 100) => store().createKeyPair(keyPair(changes), most);
  const names = async (userId: UserId, page: { limit?: number; marker?: string } = {}) => {
    const listed = await store().keyPairs(userId, { limit: page.limit ?? 100, marker: page.marker ?? null });
    return listed === 'unknown-marker' ? listed : listed.map(({ name }) => name);
  };

  describe('key pairs', () => {
    it('are found by user and name, and by nobody else', async () => {
      const made = await make({ publicKey: 'ssh-rsa AAAA' });
      expect(made).toMatchObject(keyPair({ publicKey: 'ssh-rsa AAAA' }));
      expect(await store().keyPair(USER, 'laptop')).toEqual(made);
      expect(await store().keyPair(OTHER, 'laptop')).toBeNull();
      expect(await store().keyPair(USER, 'Laptop')).toBeNull();
    });

    it('have names that a user gives once, and numbers that grow', async () => {
      const first = await make();
      expect(await make({ publicKey: 'another' })).toBe('exists');
      const second = await make({ userId: OTHER });
      if (typeof first === 'string' || typeof second === 'string') throw new Error('both were to be made');
      expect(second.id).toBeGreaterThan(first.id);
      expect((await store().keyPair(USER, 'laptop'))?.publicKey).toBe('ssh-ed25519 AAAA me');
    });

    it('are no more than so many for each user', async () => {
      await make({ name: 'a' }, 2);
      await make({ name: 'b' }, 2);
      expect(await make({ name: 'c' }, 2)).toBe('too-many');
      expect(await make({ name: 'a' }, 2)).toBe('too-many');
      expect(await make({ userId: OTHER, name: 'c' }, 2)).toMatchObject({ name: 'c' });
      expect(await names(USER)).toEqual(['a', 'b']);
    });

    it('are listed by name, in pages', async () => {
      for (const name of ['b', 'B', 'a b', 'c']) await make({ name });
      await make({ userId: OTHER, name: 'd' });
      expect(await names(USER)).toEqual(['B', 'a b', 'b', 'c']);
      expect(await names(USER, { limit: 2 })).toEqual(['B', 'a b']);
      expect(await names(USER, { limit: 2, marker: 'a b' })).toEqual(['b', 'c']);
      expect(await names(USER, { limit: 0 })).toEqual([]);
      expect(await names(USER, { marker: 'd' })).toBe('unknown-marker');
      expect(await names(OTHER)).toEqual(['d']);
    });

    it('are gone when they are deleted, and the name is free', async () => {
      await make();
      expect(await store().deleteKeyPair(OTHER, 'laptop')).toBe('not-found');
      expect(await store().deleteKeyPair(USER, 'laptop')).toBe('deleted');
      expect(await store().deleteKeyPair(USER, 'laptop')).toBe('not-found');
      expect(await make()).toMatchObject({ name: 'laptop' });
    });

    it('of one name are made by one of several sessions', async () => {
      const made = await Promise.all(sessions().map((session) => session.createKeyPair(keyPair(), 100)));
      expect(made.filter((one) => one === 'exists')).toHaveLength(sessions().length - 1);
    });

    it('with text that Postgres cannot hold are kept with U+FFFD', async () => {
      await make({ userId: 'u\u0000' as UserId, name: 'n\ud800', publicKey: 'k\u0000' });
      expect(await store().keyPair('u\u0000' as UserId, 'n\ud800')).toMatchObject({ publicKey: 'k\ufffd' });
      expect(await store().deleteKeyPair('u\ufffd' as UserId, 'n\ufffd')).toBe('deleted');
    });
  });
}
