import { describe, expect, it } from '@jest/globals';
import { minutes } from '@novella/core';
import {
  activeServer,
  answer,
  claimed,
  dispatched,
  host,
  must,
  newInstance,
  openOperation,
  report,
  requester,
  serverId,
  type Subject,
} from './world.js';

export function placingTests({ store }: Subject): void {
  const SMALL = host('small');
  const NEED = { vcpus: 1, memoryMib: 512, diskGib: 1 };
  const build = async () => {
    const created = await store().createInstance({
      instance: newInstance(),
      mappings: [],
      requester: requester(),
      confirmWithin: minutes(1),
    });
    return { server: created.instance.id, operation: await claimed(store(), created.operation) };
  };

  describe('place', () => {
    it('takes a place on the host and starts a new generation', async () => {
      await store().reportService(report({ host: SMALL, capacity: { vcpus: 2, memoryMib: 2048, diskGib: 10 } }));
      const { server, operation } = await build();
      expect(await store().place(operation, server, SMALL, NEED)).toBe('placed');
      expect(await store().instance(server)).toMatchObject({ host: SMALL, generation: 1, taskState: 'spawning' });
      expect((await store().services('nova-compute'))[0]?.used).toEqual(NEED);
      expect(await store().place(operation, server, SMALL, NEED)).toBe('raced');
    });

    it.each([{ vcpus: 3 }, { memoryMib: 2049 }, { diskGib: 11 }])('has no room for %p', async (more) => {
      await store().reportService(report({ host: SMALL, capacity: { vcpus: 2, memoryMib: 2048, diskGib: 10 } }));
      const { server, operation } = await build();
      expect(await store().place(operation, server, SMALL, { ...NEED, ...more })).toBe('no-room');
      expect((await store().instance(server))?.host).toBeNull();
      expect(await store().place(operation, server, host('unknown'), NEED)).toBe('no-room');
    });

    it('frees the place of a deleted server', async () => {
      await store().reportService(report({ host: SMALL, capacity: { vcpus: 1, memoryMib: 2048, diskGib: 10 } }));
      const first = await build();
      await store().place(first.operation, first.server, SMALL, NEED);
      const second = await build();
      expect(await store().place(second.operation, second.server, SMALL, NEED)).toBe('no-room');
      await store().requestDelete(first.server, requester());
      const sent = await dispatched(store(), (await openOperation(store(), first.server, 'delete')).id);
      await store().end(await answer(store(), sent), { result: 'succeeded', changes: { instance: { deleted: true } } });
      expect(await store().place(second.operation, second.server, SMALL, NEED)).toBe('placed');
    });

    it('is raced by another claim, a delete, and for a server that is not building', async () => {
      await store().reportService(report({ host: SMALL }));
      const { server, operation } = await build();
      const stale = { ...operation, version: operation.version - 1 };
      expect(await store().place(stale, server, SMALL, NEED)).toBe('raced');
      await store().requestDelete(server, requester());
      expect(await store().place(operation, server, SMALL, NEED)).toBe('raced');
      expect(await store().place(operation, serverId(), SMALL, NEED)).toBe('raced');
      const active = await activeServer(store());
      expect(await store().place(operation, active.id, SMALL, NEED)).toBe('raced');
      expect(must(await store().instance(server)).host).toBeNull();
    });
  });
}
