import { describe, expect, it } from '@jest/globals';
import { minutes, type ProjectId } from '@novella/core';
import type { Flavor } from '@novella/persistence';
import { FLAVOR, newInstance, requester, type Subject } from './world.js';

const PROJECT = 'project-1' as ProjectId;
const OTHER = 'project-2' as ProjectId;

export function flavorTests({ store, sessions }: Subject): void {
  const make = (id: string, changes: Partial<Flavor> = {}) =>
    store().createFlavor({ ...FLAVOR, id, name: `name of ${id}`, ...changes });

  describe('flavors', () => {
    it('are listed in the order in which they were made', async () => {
      for (const id of ['b', 'a', 'c']) expect(await make(id)).toBe('created');
      expect((await store().flavors()).map((flavor) => flavor.id)).toEqual(['b', 'a', 'c']);
    });

    it('say all that they were made with, and nobody has access', async () => {
      const flavor: Flavor = {
        id: 'big',
        name: 'big',
        vcpus: 2,
        memoryMib: 3,
        rootGib: 4,
        ephemeralGib: 5,
        swapMib: 6,
        rxtxFactor: 1.5,
        isPublic: false,
        disabled: true,
        description: 'd\u0000',
        extraSpecs: { 'hw:cpu': '2' },
      };
      expect(await store().createFlavor(flavor)).toBe('created');
      expect(await store().flavor('big')).toEqual({ ...flavor, description: 'd\ufffd', projects: [] });
      expect(await store().flavor('none')).toBeNull();
    });

    it('have an id and a name that no other has', async () => {
      await make('a', { name: 'one' });
      expect(await make('a', { name: 'two', vcpus: 4 })).toBe('id-exists');
      expect(await make('b', { name: 'one' })).toBe('name-exists');
      expect(await make('a', { name: 'one' })).toBe('id-exists');
      expect(await store().flavors()).toMatchObject([{ id: 'a', name: 'one', vcpus: 1 }]);
      const made = await Promise.all(
        sessions().map((session, n) => session.createFlavor({ ...FLAVOR, id: `n${n}`, name: 'same' })),
      );
      expect(made.filter((one) => one === 'created')).toHaveLength(1);
    });

    it('change in what is said, and stay in the rest', async () => {
      await make('a', { extraSpecs: { one: '1', two: '2' } });
      const update = (change: Parameters<ReturnType<typeof store>['updateFlavor']>[1]) =>
        store().updateFlavor('a', change);
      expect(await update({ description: 'new' })).toMatchObject({ description: 'new' });
      expect((await update({ extraSpecs: { two: '3', 't\u0000': '4' } }))?.extraSpecs).toEqual({
        one: '1',
        two: '3',
        't\ufffd': '4',
      });
      expect((await update({ removeExtraSpec: 'one' }))?.extraSpecs).toEqual({ two: '3', 't\ufffd': '4' });
      expect(await update({ description: null })).toMatchObject({ description: null, vcpus: 1 });
      expect(await store().flavor('a')).toEqual(await update({}));
      expect(await store().updateFlavor('none', { description: 'x' })).toBeNull();
    });

    it('remember each project that was given access, once', async () => {
      await make('a', { isPublic: false });
      await store().updateFlavor('a', { addProject: PROJECT });
      await store().updateFlavor('a', { addProject: OTHER });
      await store().updateFlavor('a', { addProject: PROJECT });
      expect((await store().flavor('a'))?.projects).toEqual([PROJECT, OTHER]);
      await store().updateFlavor('a', { removeProject: PROJECT });
      await store().updateFlavor('a', { removeProject: PROJECT });
      expect((await store().flavors())[0]?.projects).toEqual([OTHER]);
      await Promise.all(
        sessions().map((session, n) => session.updateFlavor('a', { addProject: `p${n}` as ProjectId })),
      );
      expect((await store().flavor('a'))?.projects).toHaveLength(1 + sessions().length);
    });

    it('are gone when they are deleted, and a server keeps the one it was made with', async () => {
      await make('a');
      const { instance } = await store().createInstance({
        instance: newInstance({ flavor: { ...FLAVOR, id: 'a' } }),
        mappings: [],
        requester: requester(),
        confirmWithin: minutes(1),
      });
      expect(await store().deleteFlavor('a')).toBe('deleted');
      expect(await store().deleteFlavor('a')).toBe('not-found');
      expect((await store().instance(instance.id))?.flavor.id).toBe('a');
      expect(await make('a', { vcpus: 4 })).toBe('created');
      expect((await store().instance(instance.id))?.flavor.vcpus).toBe(1);
    });
  });
}
