import { describe, expect, it } from '@jest/globals';
import { minutes } from '@novella/core';
import { FLAVOR, newInstance, requester, type Subject } from './world.js';

export function flavorTests({ store }: Subject): void {
  describe('flavors', () => {
    it('lists what was put, by id', async () => {
      await store().putFlavor({ ...FLAVOR, id: 'b' });
      await store().putFlavor({ ...FLAVOR, id: 'a', extraSpecs: { 'hw:cpu': '2' } });
      expect((await store().flavors()).map((flavor) => flavor.id)).toEqual(['a', 'b']);
      expect(await store().flavor('a')).toEqual({ ...FLAVOR, id: 'a', extraSpecs: { 'hw:cpu': '2' } });
      expect(await store().flavor('none')).toBeNull();
    });

    it('replaces a flavor of the same id, and a server keeps the one it was made with', async () => {
      await store().putFlavor(FLAVOR);
      const { instance } = await store().createInstance({
        instance: newInstance(),
        mappings: [],
        requester: requester(),
        confirmWithin: minutes(1),
      });
      await store().putFlavor({ ...FLAVOR, vcpus: 4 });
      expect((await store().flavor(FLAVOR.id))?.vcpus).toBe(4);
      expect((await store().instance(instance.id))?.flavor.vcpus).toBe(1);
    });
  });
}
