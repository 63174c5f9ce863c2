import { describe, expect, it } from '@jest/globals';
import { minutes, type ServerId } from '@novella/core';
import type { ChangeLimits, MetadataChange, TagsChange } from '@novella/persistence';
import { activeServer, must, newInstance, requester, serverId, type Subject } from './world.js';

const LIMITS: ChangeLimits = { vmStates: ['active'], most: 3 };

export function serverChangeTests({ store, sessions, pass }: Subject): void {
  const building = async (changes: Parameters<typeof newInstance>[0] = {}): Promise<ServerId> => {
    const { instance } = await store().createInstance({
      instance: newInstance(changes),
      mappings: [],
      requester: requester(),
      confirmWithin: minutes(1),
    });
    return instance.id;
  };
  const stored = async (id: ServerId) => must(await store().instance(id));

  describe('what a server says', () => {
    it('is what it was made with', async () => {
      const given = {
        hostname: 'www',
        reservationId: 'r-9',
        launchIndex: 2,
        accessIpV4: '10.0.0.1',
        accessIpV6: '::1',
        configDrive: true,
        autoDiskConfig: true,
        kernelId: 'k',
        ramdiskId: 'r',
        keyName: 'laptop',
      };
      const id = await building({ ...given, tags: ['b', 'a', 'b'] });
      const server = await stored(id);
      expect(server).toMatchObject({ ...given, tags: ['a', 'b'], lockedBy: null, lockedReason: null });
      expect(server).not.toHaveProperty('userData');
    });

    it('changes in what is said, and stays in the rest', async () => {
      const id = await building({ description: 'old', accessIpV4: '10.0.0.1' });
      const before = await stored(id);
      await pass(5);
      const changed = must(
        await store().updateServer(id, { name: 'n\u0000', accessIpV6: '::2', autoDiskConfig: true }),
      );
      expect(changed).toEqual({
        ...before,
        name: 'n\ufffd',
        accessIpV6: '::2',
        autoDiskConfig: true,
        updatedAt: changed.updatedAt,
      });
      expect(changed.updatedAt.getTime()).toBeGreaterThan(before.updatedAt.getTime());
      expect(await store().updateServer(id, { description: null, hostname: 'www' })).toMatchObject({
        description: null,
        hostname: 'www',
        name: 'n\ufffd',
      });
      expect(await store().updateServer(serverId(), { name: 'x' })).toBeNull();
    });

    it('has what a guest would be given apart from it', async () => {
      const both = await building({ userData: 'eA==', keyData: 'ssh-rsa AAAA' });
      const key = await building({ keyData: 'ssh-rsa AAAA' });
      const none = await building();
      const extras = await store().instanceExtras([both, key, none, serverId()]);
      expect([...extras].toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual(
        [
          [both, { userData: 'eA==', keyData: 'ssh-rsa AAAA' }],
          [key, { userData: null, keyData: 'ssh-rsa AAAA' }],
        ].toSorted(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)),
      );
      expect((await store().instanceExtras([])).size).toBe(0);
    });

    it('is forgotten with what it would be given when its build is abandoned', async () => {
      const { instance, operation } = await store().createInstance({
        instance: newInstance({ userData: 'eA==' }),
        mappings: [],
        requester: requester(),
        confirmWithin: minutes(1),
      });
      expect(await store().abandonReservations(operation)).toBe('gone');
      expect((await store().instanceExtras([instance.id])).size).toBe(1);
    });
  });

  describe('a lock', () => {
    it('is by somebody with a reason, and an action that has ended well', async () => {
      const id = await building();
      const asked = requester();
      expect(await store().setLock(id, { by: 'admin', reason: 'r\u0000' }, asked)).toBe('done');
      expect(await stored(id)).toMatchObject({ lockedBy: 'admin', lockedReason: 'r\ufffd' });
      const action = must(await store().instanceAction(id, asked.requestId));
      expect(action).toMatchObject({ action: 'lock', message: null, userId: asked.userId, projectId: asked.projectId });
      expect(action.events).toMatchObject([{ event: 'api_lock', result: 'Success', host: null }]);
      expect(action.events[0]?.finishTime).not.toBeNull();
      expect((await store().instanceActions(id)).map((each) => each.action)).toEqual(['lock', 'create']);
    });

    it('keeps its reason when it is made anew without one, and loses it with the lock', async () => {
      const id = await building();
      await store().setLock(id, { by: 'owner', reason: 'mine' }, requester());
      await store().setLock(id, { by: 'admin', reason: null }, requester());
      expect(await stored(id)).toMatchObject({ lockedBy: 'admin', lockedReason: 'mine' });
      await store().setLock(id, null, requester());
      expect(await stored(id)).toMatchObject({ lockedBy: null, lockedReason: null });
      expect((await store().instanceActions(id)).map((each) => each.action)).toEqual([
        'unlock',
        'lock',
        'lock',
        'create',
      ]);
    });

    it('of the request that made the server has an id of its own', async () => {
      const asked = requester();
      const { instance } = await store().createInstance({
        instance: newInstance(),
        mappings: [],
        requester: asked,
        confirmWithin: minutes(1),
      });
      await store().setLock(instance.id, { by: 'owner', reason: null }, asked);
      expect(new Set((await store().instanceActions(instance.id)).map((each) => each.requestId)).size).toBe(2);
    });

    it('is not there to be had on a server that is not there, and nobody is stuck with one', async () => {
      expect(await store().setLock(serverId(), null, requester())).toBe('server-not-found');
      const { id } = await activeServer(store());
      await store().setLock(id, { by: 'owner', reason: null }, requester());
      expect(await store().stuck()).toEqual([]);
    });
  });

  describe('metadata', () => {
    const change = (id: ServerId, asked: MetadataChange, limits = LIMITS) => store().changeMetadata(id, asked, limits);

    it('is added to, replaced, and taken away by key', async () => {
      const { id } = await activeServer(store(), { metadata: { a: '1' } });
      expect(await change(id, { kind: 'merge', metadata: { a: '2', b: 'x\u0000' } })).toEqual({
        kind: 'changed',
        metadata: { a: '2', b: 'x\ufffd' },
      });
      expect(await change(id, { kind: 'remove', key: 'a' })).toEqual({ kind: 'changed', metadata: { b: 'x\ufffd' } });
      expect(await change(id, { kind: 'remove', key: 'a' })).toEqual({ kind: 'no-such-key' });
      expect(await change(id, { kind: 'remove', key: 'constructor' })).toEqual({ kind: 'no-such-key' });
      expect(await change(id, { kind: 'replace', metadata: { c: '3' } })).toEqual({
        kind: 'changed',
        metadata: { c: '3' },
      });
      expect((await stored(id)).metadata).toEqual({ c: '3' });
    });

    it('is no more than so much', async () => {
      const { id } = await activeServer(store(), { metadata: { a: '1', b: '2' } });
      expect(await change(id, { kind: 'merge', metadata: { c: '3', d: '4' } })).toEqual({ kind: 'too-many' });
      expect(await change(id, { kind: 'merge', metadata: { b: '3', c: '4' } })).toMatchObject({ kind: 'changed' });
      expect(await change(id, { kind: 'replace', metadata: { d: '', e: '', f: '', g: '' } })).toEqual({
        kind: 'too-many',
      });
    });

    it('stays when the server is in another state or not there', async () => {
      const id = await building({ metadata: { a: '1' } });
      expect(await change(id, { kind: 'remove', key: 'a' })).toEqual({ kind: 'wrong-state', vmState: 'building' });
      expect(await change(serverId(), { kind: 'remove', key: 'a' })).toEqual({ kind: 'server-not-found' });
      expect((await stored(id)).metadata).toEqual({ a: '1' });
    });

    it('loses nothing when many add to it at once', async () => {
      const { id } = await activeServer(store());
      const limits = { ...LIMITS, most: 100 };
      const made = sessions().map((session, n) =>
        session.changeMetadata(id, { kind: 'merge', metadata: { [`k${n}`]: 'v' } }, limits),
      );
      expect((await Promise.all(made)).every(({ kind }) => kind === 'changed')).toBe(true);
      expect(Object.keys((await stored(id)).metadata)).toHaveLength(sessions().length);
    });
  });

  describe('tags', () => {
    const change = (id: ServerId, asked: TagsChange) => store().changeTags(id, asked, LIMITS);

    it('are added, replaced and taken away, in order and each once', async () => {
      const { id } = await activeServer(store(), { tags: ['b'] });
      expect(await change(id, { kind: 'add', tag: 'a' })).toEqual({ kind: 'changed', tags: ['a', 'b'] });
      expect(await change(id, { kind: 'add', tag: 'a' })).toEqual({ kind: 'unchanged', tags: ['a', 'b'] });
      expect(await change(id, { kind: 'remove', tag: 'b' })).toEqual({ kind: 'changed', tags: ['a'] });
      expect(await change(id, { kind: 'remove', tag: 'b' })).toEqual({ kind: 'no-such-tag' });
      expect(await change(id, { kind: 'replace', tags: ['d', 'c\u0000', 'd'] })).toEqual({
        kind: 'changed',
        tags: ['c\ufffd', 'd'],
      });
      expect((await stored(id)).tags).toEqual(['c\ufffd', 'd']);
      expect(await change(id, { kind: 'replace', tags: [] })).toEqual({ kind: 'changed', tags: [] });
    });

    it('are no more than so many, and counted before it is looked whether one is there', async () => {
      const { id } = await activeServer(store(), { tags: ['a', 'b', 'c'] });
      expect(await change(id, { kind: 'add', tag: 'd' })).toEqual({ kind: 'too-many' });
      expect(await change(id, { kind: 'add', tag: 'a' })).toEqual({ kind: 'too-many' });
      expect(await change(id, { kind: 'replace', tags: ['1', '2', '3', '4'] })).toEqual({ kind: 'too-many' });
    });

    it('stay when the server is in another state or not there, and are no change of the server', async () => {
      const id = await building({ tags: ['a'] });
      expect(await change(id, { kind: 'remove', tag: 'a' })).toEqual({ kind: 'wrong-state', vmState: 'building' });
      expect(await change(serverId(), { kind: 'add', tag: 'a' })).toEqual({ kind: 'server-not-found' });
      const active = await activeServer(store());
      await pass(5);
      await change(active.id, { kind: 'add', tag: 'a' });
      expect((await stored(active.id)).updatedAt).toEqual(active.updatedAt);
    });
  });
}
