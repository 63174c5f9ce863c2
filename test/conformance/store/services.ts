import { describe, expect, it } from '@jest/globals';
import { minutes } from '@novella/core';
import type { Service, Store } from '@novella/persistence';
import {
  activeServer,
  answer,
  claimed,
  dispatched,
  HOST,
  host,
  must,
  newInstance,
  openOperation,
  report,
  requester,
  serverId,
  SERVICE_DOWN_TIME,
  type Subject,
} from './world.js';

export function serviceTests({ store, sessions, pass }: Subject): void {
  const reported = async (changes: Parameters<typeof report>[0] = {}): Promise<Service> => {
    const wanted = report(changes);
    await store().reportService(wanted);
    return must((await store().services(wanted.binary)).find((row) => row.host === wanted.host));
  };
  const NEED = { vcpus: 1, memoryMib: 1, diskGib: 0 };
  const building = async (session: Store = store()) => {
    const created = await session.createInstance({
      instance: newInstance(),
      mappings: [],
      requester: requester(),
      confirmWithin: minutes(1),
    });
    return { server: created.instance.id, operation: await claimed(session, created.operation) };
  };

  describe('service', () => {
    it('answers what services lists, by its id, with the key that it reported', async () => {
      const compute = await reported();
      const conductor = await reported({ binary: 'nova-conductor', publicKey: null });
      expect(await store().service(compute.id)).toEqual(compute);
      expect(await store().service(conductor.id)).toEqual(conductor);
      expect(compute.publicKey).toBe(report().publicKey);
      expect(conductor.publicKey).toBeNull();
    });

    it.each([serverId(), 'compute-1', '', '0'])('answers null for %p', async (id) => {
      await reported();
      expect(await store().service(id)).toBeNull();
      expect(await store().updateService(id, { disabled: true })).toBeNull();
      expect(await store().deleteService(id)).toBe('not-found');
    });

    it('follows a host that comes back with another key', async () => {
      const { id } = await reported();
      const publicKey = Buffer.alloc(32, 8).toString('base64');
      expect(await reported({ publicKey })).toMatchObject({ id, publicKey });
    });
  });

  describe('updateService', () => {
    it.each(['nova-compute', 'nova-conductor'] as const)('disables and enables a %s, with a reason', async (binary) => {
      const { id } = await reported({ binary });
      const off = await store().updateService(id, { disabled: true, disabledReason: 'a broken fan' });
      expect(off).toMatchObject({ id, disabled: true, disabledReason: 'a broken fan', up: true });
      await store().reportService(report({ binary }));
      expect(await store().service(id)).toMatchObject({ disabled: true, disabledReason: 'a broken fan' });
      expect(await store().updateService(id, { disabled: true })).toMatchObject({ disabledReason: 'a broken fan' });
      expect(await store().updateService(id, { disabled: false })).toMatchObject({
        disabled: false,
        disabledReason: null,
      });
    });

    it('changes nothing when nothing is asked', async () => {
      const before = await reported();
      expect(await store().updateService(before.id, {})).toEqual(before);
    });

    it('stores a reason that Postgres cannot hold as U+FFFD', async () => {
      const { id } = await reported();
      const odd = await store().updateService(id, { disabled: true, disabledReason: 'a\u0000b' });
      expect(odd?.disabledReason).toBe('a\ufffdb');
    });

    it('forces a host down, however often it reports, until that is cleared and it reports again', async () => {
      const { id } = await reported();
      expect(await store().updateService(id, { forcedDown: true })).toMatchObject({ forcedDown: true, up: false });
      expect(await store().reportService(report())).toBe('still-up');
      expect(await store().service(id)).toMatchObject({ forcedDown: true, up: false });
      expect(await store().updateService(id, { forcedDown: false })).toMatchObject({ forcedDown: false, up: false });
      expect(await store().reportService(report())).toBe('came-up');
      expect(await store().service(id)).toMatchObject({ forcedDown: false, up: true });
      expect(await store().updateService(id, { forcedDown: false })).toMatchObject({ up: true });
    });

    it('leaves a silent host down when it is no longer forced down', async () => {
      const { id } = await reported();
      await store().updateService(id, { forcedDown: true });
      await pass(SERVICE_DOWN_TIME + 100);
      expect(await store().updateService(id, { forcedDown: false })).toMatchObject({ up: false });
    });

    it.each([{ disabled: true }, { forcedDown: true }])('lets nothing be placed after %p', async (change) => {
      const { id } = await reported();
      const { server, operation } = await building();
      await store().updateService(id, change);
      expect(await store().place(operation, server, HOST, NEED)).toBe('no-room');
      await store().updateService(id, { disabled: false, forcedDown: false });
      expect(await store().place(operation, server, HOST, NEED)).toBe('placed');
    });
  });

  describe('deleteService', () => {
    it('forgets a service, which comes back with its next report as a new one', async () => {
      const before = await reported();
      await store().updateService(before.id, { disabled: true });
      expect(await store().deleteService(before.id)).toBe('deleted');
      expect(await store().service(before.id)).toBeNull();
      expect(await store().services('nova-compute')).toEqual([]);
      expect(await store().deleteService(before.id)).toBe('not-found');
      expect(await store().reportService(report())).toBe('came-up');
      const [again] = await store().services('nova-compute');
      expect(again?.disabled).toBe(false);
      expect(again?.id).not.toBe(before.id);
    });

    it('keeps a compute that has servers, until they are deleted; a conductor of that name may go', async () => {
      const server = await activeServer(store());
      const [compute] = await store().services('nova-compute');
      const conductor = await reported({ binary: 'nova-conductor' });
      expect(await store().deleteService(must(compute).id)).toBe('has-servers');
      expect(await store().service(must(compute).id)).toEqual(compute);
      expect(await store().deleteService(conductor.id)).toBe('deleted');
      await store().requestDelete(server.id, requester());
      const sent = await dispatched(store(), (await openOperation(store(), server.id, 'delete')).id);
      await store().end(await answer(store(), sent), { result: 'succeeded', changes: { instance: { deleted: true } } });
      expect(await store().deleteService(must(compute).id)).toBe('deleted');
    });

    it('leaves no server on a host that is gone, however many are placed meanwhile', async () => {
      for (let round = 0; round < 20; round += 1) {
        const leaving = host(`leaving-${round}`);
        const { id } = await reported({ host: leaving });
        const builds = await Promise.all(sessions().map(building));
        const results = await Promise.all(
          builds.map(({ server, operation }, index) => {
            const session = sessions()[index]!;
            return index === 4 ? session.deleteService(id) : session.place(operation, server, leaving, NEED);
          }),
        );
        const placed = results.filter((result) => result === 'placed').length;
        const servers = (await store().serversByHost()).get(leaving) ?? 0;
        expect(servers).toBe(placed);
        expect(results[4]).toBe((await store().service(id)) === null ? 'deleted' : 'has-servers');
        if (results[4] === 'deleted') expect(servers).toBe(0);
        else expect(servers).toBeGreaterThan(0);
      }
    });
  });

  describe('serversByHost', () => {
    it('counts undeleted servers on each host, and leaves out hosts without any', async () => {
      expect((await store().serversByHost()).size).toBe(0);
      await reported({ host: host('empty') });
      await activeServer(store());
      const second = await activeServer(store());
      await building();
      expect([...(await store().serversByHost())]).toEqual([[HOST, 2]]);
      await store().requestDelete(second.id, requester());
      const sent = await dispatched(store(), (await openOperation(store(), second.id, 'delete')).id);
      await store().end(await answer(store(), sent), { result: 'succeeded', changes: { instance: { deleted: true } } });
      expect([...(await store().serversByHost())]).toEqual([[HOST, 1]]);
    });
  });
}
