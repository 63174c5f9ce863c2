import { describe, expect, it } from '@jest/globals';
import type { HostName, ProjectId, ServerId, UserId } from '@novella/core';
import { EVERY_PROJECT, SERVER_SORT_KEYS, type ServerListQuery, type ServerSort } from '@novella/persistence';
import {
  activeServer,
  answer,
  dispatched,
  FLAVOR,
  HOST,
  host,
  must,
  newInstance,
  openOperation,
  requester,
  serverId,
  type Subject,
} from './world.js';

const P1 = 'project-1' as ProjectId;
const P2 = 'project-2' as ProjectId;

export function serverListTests({ store, pass }: Subject): void {
  const create = async (changes: Parameters<typeof newInstance>[0] = {}) => {
    const [made] = await store().createInstances({ instances: [newInstance(changes)], requester: requester() });
    await pass(2);
    return must(made);
  };
  const ask = (query: Partial<ServerListQuery>) =>
    store().instances({ projectId: EVERY_PROJECT, limit: 100, marker: null, ...query });
  const names = async (query: Partial<ServerListQuery>) => must(await ask(query)).map(({ name }) => name);
  const deleted = async (id: ServerId) => {
    await store().requestDelete(id, requester());
    const sent = await dispatched(store(), (await openOperation(store(), id, 'delete')).id);
    await store().end(await answer(store(), sent), { result: 'succeeded', changes: { instance: { deleted: true } } });
  };

  describe('instances', () => {
    it('pages newest first through the servers of a project', async () => {
      const made: ServerId[] = [];
      for (let count = 0; count < 5; count += 1) made.unshift((await create()).id);
      await create({ projectId: P2 });
      const first = must(await ask({ projectId: P1, limit: 2 }));
      const next = must(await ask({ projectId: P1, marker: first[1]!.id }));
      expect([...first, ...next].map((row) => row.id)).toEqual(made);
      expect(await names({})).toHaveLength(6);
      expect(await names({ limit: 0 })).toEqual([]);
    });

    it('answers unknown-marker for a server of another project and for none, but goes on behind one that is deleted', async () => {
      const elsewhere = await create({ projectId: P2 });
      expect(await ask({ projectId: P1, marker: elsewhere.id })).toBe('unknown-marker');
      expect(await ask({ marker: serverId() })).toBe('unknown-marker');
      const old = await create({ name: 'old' });
      const middle = await activeServer(store(), { name: 'middle' });
      await pass(2);
      await create({ name: 'young' });
      await deleted(middle.id);
      expect(await names({ projectId: P1, marker: middle.id })).toEqual([old.name]);
    });

    it('gives deleted servers when they are asked for, alone or too', async () => {
      await create({ name: 'living' });
      const gone = await activeServer(store(), { name: 'gone' });
      await deleted(gone.id);
      expect(await names({})).toEqual(['living']);
      expect(await names({ deleted: 'no' })).toEqual(['living']);
      expect(await names({ deleted: 'only' })).toEqual(['gone']);
      expect(await names({ deleted: 'too' })).toEqual(['gone', 'living']);
    });

    it('filters by what servers are', async () => {
      const active = await activeServer(store(), { name: 'active' });
      await pass(2);
      await create({
        name: 'other',
        userId: 'user-2' as UserId,
        imageRef: null,
        flavor: { ...FLAVOR, id: 'big' },
      });
      const one: [Partial<ServerListQuery>, string[]][] = [
        [{ id: active.id }, ['active']],
        [{ id: serverId() }, []],
        [{ userId: 'user-2' as UserId }, ['other']],
        [{ userId: 'user\u0000' as UserId }, []],
        [{ imageRef: null }, ['other']],
        [{ imageRef: active.imageRef }, ['active']],
        [{ flavorId: 'big' }, ['other']],
        [{ flavorId: '' }, []],
        [{ hosts: [HOST, host('compute-2')] }, ['active']],
        [{ hosts: [host('compute-2')] }, []],
        [{ hosts: [] as HostName[] }, []],
        [{ vmStates: ['building'] }, ['other']],
        [{ vmStates: ['building', 'active'] }, ['other', 'active']],
        [{ vmStates: [] }, []],
        [{ taskStates: ['scheduling'] }, ['other']],
        [{ vmStates: ['active'], userId: 'user-2' as UserId }, []],
      ];
      for (const [query, found] of one) expect([query, await names(query)]).toEqual([query, found]);
    });

    it('filters by lock and by the time of the last change, which clients see in whole seconds', async () => {
      const first = await create({ name: 'first' });
      const second = await create({ name: 'second' });
      await pass(1_100);
      await store().setLock(first.id, { by: 'owner', reason: null }, requester());
      const inSeconds = (at: Date): Date => new Date(Math.floor(at.getTime() / 1_000) * 1_000);
      const changed = inSeconds(must(await store().instance(first.id)).updatedAt);
      const made = inSeconds(second.updatedAt);
      expect(await names({ locked: true })).toEqual(['first']);
      expect(await names({ locked: false })).toEqual(['second']);
      expect(await names({ changedSince: changed })).toEqual(['first']);
      expect(await names({ changedBefore: made })).toEqual(['second']);
      expect(await names({ changedSince: made, changedBefore: changed })).toEqual(['second', 'first']);
      expect(await names({ changedSince: new Date(changed.getTime() + 1_000) })).toEqual([]);
      expect(await names({ changedBefore: new Date(made.getTime() - 1_000) })).toEqual([]);
    });

    it('filters by tags: all of them, any, not all, not any', async () => {
      await create({ name: 'none' });
      await create({ name: 'a', tags: ['a'] });
      await create({ name: 'ab', tags: ['b', 'a', 'a'] });
      const one: [ServerListQuery['tags'], string[]][] = [
        [{ all: ['a', 'b'] }, ['ab']],
        [{ any: ['a', 'b'] }, ['ab', 'a']],
        [{ notAll: ['a', 'b'] }, ['a', 'none']],
        [{ notAny: ['b'] }, ['a', 'none']],
        [{ all: ['a'], notAny: ['b'] }, ['a']],
        [{ all: [''] }, []],
        [{ any: ['\u0000'] }, []],
        [{}, ['ab', 'a', 'none']],
      ];
      for (const [tags, found] of one) expect([tags, await names({ tags: tags ?? {} })]).toEqual([tags, found]);
    });

    it('filters by regular expressions, which fit no text that is not there', async () => {
      await create({
        name: 'web-1',
        description: 'a (web) server',
        hostname: 'www',
        keyName: 'laptop',
        reservationId: 'r-web',
        availabilityZone: 'nova',
        accessIpV4: '10.0.0.1',
        accessIpV6: '::1',
        kernelId: 'k1',
        launchIndex: 12,
        diskBus: 'scsi',
      });
      await create({ name: 'db%_', hostname: 'db', reservationId: 'r-db' });
      const one: [ServerListQuery['patterns'], string[]][] = [
        [{ name: 'eb' }, ['web-1']],
        [{ name: '^web' }, ['web-1']],
        [{ name: '^eb' }, []],
        [{ name: '[0-9]$' }, ['web-1']],
        [{ name: 'web-1|db' }, ['db%_', 'web-1']],
        [{ name: '^(web|db).+$' }, ['db%_', 'web-1']],
        [{ name: '%_' }, ['db%_']],
        [{ name: '' }, ['db%_', 'web-1']],
        [{ name: 'WEB' }, []],
        [{ name: '\\.' }, []],
        [{ description: '\\(web\\)' }, ['web-1']],
        [{ description: '.*' }, ['web-1']],
        [{ hostname: '^www$' }, ['web-1']],
        [{ keyName: 'lap' }, ['web-1']],
        [{ keyName: '' }, ['web-1']],
        [{ reservationId: 'r-.b' }, ['db%_']],
        [{ availabilityZone: 'n.va' }, ['web-1']],
        [{ accessIpV4: '^10\\.' }, ['web-1']],
        [{ accessIpV6: ':' }, ['web-1']],
        [{ kernelId: '^$' }, ['db%_']],
        [{ ramdiskId: 'x' }, []],
        [{ rootDeviceName: 'sda' }, ['web-1']],
        [{ launchIndex: '^12$' }, ['web-1']],
        [{ lockedBy: '' }, []],
        [{ createdAt: '^20[0-9]{2}-[0-9-]{5} [0-9:]{8}$' }, ['db%_', 'web-1']],
        [{ launchedAt: '.' }, []],
        [{ terminatedAt: '' }, []],
        [{ name: 'web', hostname: 'db' }, []],
      ];
      for (const [patterns, found] of one) {
        expect([patterns, await names({ patterns: patterns ?? {} })]).toEqual([patterns, found]);
      }
    });

    it('filters by regular expressions over what is no text', async () => {
      await activeServer(store(), { name: 'active' });
      await pass(2);
      await create({ name: 'other', configDrive: true, autoDiskConfig: true });
      const one: [ServerListQuery['patterns'], string[]][] = [
        [{ powerState: '^1$' }, ['active']],
        [{ powerState: '[01]' }, ['other', 'active']],
        [{ powerState: '3|4' }, []],
        [{ progress: '0' }, ['other', 'active']],
        [{ progress: '1' }, []],
        [{ configDrive: 'True' }, ['other']],
        [{ configDrive: '^$' }, ['active']],
        [{ configDrive: '' }, ['other', 'active']],
        [{ autoDiskConfig: '1' }, ['other']],
        [{ node: '^compute-1$' }, ['active']],
        [{ node: '' }, ['active']],
        [{ node: 'compute-2' }, []],
      ];
      for (const [patterns, found] of one) {
        expect([patterns, await names({ patterns: patterns ?? {} })]).toEqual([patterns, found]);
      }
    });

    it.each([
      ...['[', '(', '*', 'a{2,1}', '(?<', '\\', '(a)\\1', '\\\\\\3'],
      ...['(x{255}){255}', 'a{99}b{99}', '(.{0,40}){0,40}', 'x'.repeat(256)],
    ])('answers bad-pattern for %s', async (pattern) => {
      await create();
      expect(await ask({ patterns: { name: pattern } })).toBe('bad-pattern');
    });

    it.each(['a{3}', 'a{2,}', '(a{10}){10}', 'a{,2}', '\\\\1', 'x'.repeat(255), '\\d'])('takes %s', async (pattern) => {
      expect(await ask({ patterns: { name: pattern } })).toEqual([]);
    });
  });

  describe('the order of instances', () => {
    const sorted = async (...sort: (readonly [ServerSort['key'], ServerSort['direction']])[]) =>
      names({ sort: sort.map(([key, direction]) => ({ key, direction })) });

    it('is by several keys, each in its direction', async () => {
      await create({ name: 'b', keyName: 'y' });
      await create({ name: 'a', keyName: 'y' });
      await create({ name: 'c' });
      expect(await sorted(['display_name', 'asc'])).toEqual(['a', 'b', 'c']);
      expect(await sorted(['display_name', 'desc'])).toEqual(['c', 'b', 'a']);
      expect(await sorted(['key_name', 'asc'], ['display_name', 'desc'])).toEqual(['c', 'b', 'a']);
      expect(await sorted(['key_name', 'desc'], ['display_name', 'asc'])).toEqual(['a', 'b', 'c']);
      expect(await sorted(['created_at', 'asc'])).toEqual(['b', 'a', 'c']);
    });

    it('is that of creation between equals, by the first direction', async () => {
      for (const name of ['1', '2', '3']) await create({ name });
      expect(await sorted(['user_id', 'asc'])).toEqual(['1', '2', '3']);
      expect(await sorted(['user_id', 'desc'])).toEqual(['3', '2', '1']);
      expect(await sorted(['user_id', 'desc'], ['project_id', 'asc'])).toEqual(['3', '2', '1']);
    });

    it('leads through all pages by each key, whatever is not there', async () => {
      await activeServer(store(), { name: 'active', tags: ['x'] });
      await pass(2);
      const locked = await create({ name: 'B', description: 'd', accessIpV4: '10.0.0.2', diskBus: 'scsi' });
      await store().setLock(locked.id, { by: 'admin', reason: 'r' }, requester());
      await create({ name: 'a', keyName: 'k', accessIpV6: '::1', availabilityZone: 'nova', configDrive: true });
      await create({ name: 'é', imageRef: null, autoDiskConfig: true, kernelId: 'k', launchIndex: 3 });
      for (const key of SERVER_SORT_KEYS) {
        for (const direction of ['asc', 'desc'] as const) {
          const other = direction === 'asc' ? 'desc' : 'asc';
          for (const second of [[], [{ key: 'display_name', direction: other } as const]]) {
            const sort = [{ key, direction }, ...second];
            const all = must(await ask({ sort })).map(({ id }) => id);
            const paged: ServerId[] = [];
            while (paged.length < 10) {
              const page = must(await ask({ sort, limit: 1, marker: paged.at(-1) ?? null }));
              if (page.length === 0) break;
              paged.push(page[0]!.id);
            }
            expect([key, direction, paged]).toEqual([key, direction, all]);
            expect(new Set(all).size).toBe(4);
          }
        }
      }
    });

    it('is the same in both stores by each key', async () => {
      const running = await activeServer(store(), { name: 'm', userId: 'zz' as UserId });
      await pass(2);
      const b = await create({ name: 'B', keyName: 'k', flavor: { ...FLAVOR, id: 'z' } });
      const a = await create({ name: 'a', imageRef: null, hostname: 'z', accessIpV4: '1.1.1.1' });
      const first = async (key: ServerSort['key']) => must(await ask({ sort: [{ key, direction: 'desc' }] }))[0]?.id;
      expect(await first('power_state')).toBe(running.id);
      expect(await first('launched_at')).toBe(running.id);
      expect(await first('host')).toBe(running.id);
      expect(await first('user_id')).toBe(running.id);
      expect(await first('vm_state')).toBe(a.id);
      expect(await first('display_name')).toBe(running.id);
      expect(await first('key_name')).toBe(b.id);
      expect(await first('instance_type_id')).toBe(b.id);
      expect(await first('hostname')).toBe(a.id);
      expect(await first('access_ip_v4')).toBe(a.id);
      expect(await first('task_state')).toBe(a.id);
      expect(await first('uuid')).toBe([running.id, a.id, b.id].sort().at(-1));
    });
  });
}
