import { describe, expect, it } from '@jest/globals';
import type { PowerState, VmState } from '@novella/core';
import {
  activeServer,
  claimed,
  extendOf,
  HOST,
  host,
  must,
  report,
  requester,
  SERVICE_DOWN_TIME,
  serverId,
  type Subject,
  volumeId,
} from './world.js';

export function hostTests({ store, pass }: Subject): void {
  const service = async () => must((await store().services('nova-compute'))[0]);

  describe('services', () => {
    it('come up with the first report, and stay up with the next, which may say something else', async () => {
      expect(await store().reportService(report())).toBe('came-up');
      expect(await service()).toMatchObject({
        ...report(),
        up: true,
        disabled: false,
        forcedDown: false,
        used: { vcpus: 0, memoryMib: 0, diskGib: 0 },
      });
      const { id } = await service();
      expect(await store().reportService(report({ version: '1.1', capabilities: [] }))).toBe('still-up');
      expect(await service()).toMatchObject({ id, version: '1.1', capabilities: [] });
      expect(await store().services('nova-conductor')).toEqual([]);
    });

    it('are down after silence, and come up again with a report', async () => {
      await store().reportService(report());
      await pass(SERVICE_DOWN_TIME + 100);
      expect((await service()).up).toBe(false);
      expect(await store().reportService(report())).toBe('came-up');
      expect((await service()).up).toBe(true);
    });

    it('are down when they say so, until they report', async () => {
      await store().reportService(report());
      await store().serviceStopped(HOST, 'nova-compute');
      await store().serviceStopped(host('unknown'), 'nova-compute');
      expect((await service()).up).toBe(false);
      expect(await store().reportService(report())).toBe('came-up');
      expect((await service()).up).toBe(true);
    });

    it('are told apart by binary and listed by host', async () => {
      for (const name of ['b', 'a', 'C']) await store().reportService(report({ host: host(name) }));
      await store().reportService(report({ host: host('a'), binary: 'nova-conductor' }));
      expect((await store().services('nova-compute')).map((row) => row.host)).toEqual(['C', 'a', 'b']);
      expect(await store().services('nova-conductor')).toHaveLength(1);
    });
  });

  describe('recordPowerState', () => {
    it.each<[PowerState, VmState]>([
      ['running', 'active'],
      ['shutdown', 'stopped'],
      ['crashed', 'stopped'],
      ['paused', 'paused'],
      ['suspended', 'suspended'],
      ['saved', 'suspended'],
      ['nostate', 'active'],
    ])('a guest that is %s -> %s', async (powerState, vmState) => {
      const server = await activeServer(store());
      expect(await store().recordPowerState(HOST, server.id, powerState)).toBe('recorded');
      expect(await store().instance(server.id)).toMatchObject({ powerState, vmState });
    });

    it('leaves a server in error there, whatever its guest does', async () => {
      const server = await activeServer(store());
      const extend = await extendOf(store(), server.id, volumeId());
      const changes = { instance: { vmState: 'error' } } as const;
      await store().end(await claimed(store(), extend.id), { result: 'succeeded', changes });
      expect(await store().recordPowerState(HOST, server.id, 'running')).toBe('recorded');
      expect(await store().instance(server.id)).toMatchObject({ powerState: 'running', vmState: 'error' });
    });

    it('leaves the vm_state of a server with a task', async () => {
      const server = await activeServer(store());
      await store().requestDelete(server.id, requester());
      expect(await store().recordPowerState(HOST, server.id, 'shutdown')).toBe('recorded');
      expect(await store().instance(server.id)).toMatchObject({ powerState: 'shutdown', vmState: 'active' });
    });

    it('ignores a host that does not have the server', async () => {
      const server = await activeServer(store());
      expect(await store().recordPowerState(host('compute-2'), server.id, 'shutdown')).toBe('ignored');
      expect(await store().recordPowerState(HOST, serverId(), 'shutdown')).toBe('ignored');
      expect(await store().instance(server.id)).toMatchObject({ powerState: 'running', vmState: 'active' });
    });
  });
}
