import { describe, expect, it } from '@jest/globals';
import { type BlockDeviceMappingId, bytes, type Grade, type HostName, minutes } from '@novella/core';
import {
  activeServer,
  attachedVolume,
  claimed,
  extended,
  extendOf,
  failure,
  HOST,
  host,
  must,
  newInstance,
  newMapping,
  openOperation,
  report,
  requester,
  serverId,
  volumeId,
  type Subject,
} from './world.js';

export function reconcileTests({ store }: Subject): void {
  describe('openSystemExtend', () => {
    it('opens one with an action of its own, unless one is open (rule 3.10f)', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const asked = requester();
      const input = { serverId: server.id, volumeId: volume, requester: asked };
      expect(await store().openSystemExtend(input)).toBe(true);
      expect(await openOperation(store(), server.id, 'extend')).toMatchObject({
        initiator: 'system',
        state: 'queued',
        volumeId: volume,
      });
      expect(await store().instanceAction(server.id, asked.requestId)).toMatchObject({ action: 'extend_volume' });
      const actions = await store().instanceActions(server.id);
      expect(await store().openSystemExtend(input)).toBe(false);
      expect(await store().instanceActions(server.id)).toEqual(actions);
      expect(await store().openSystemExtend({ ...input, serverId: serverId() })).toBe(false);
    });

    it('opens none while the volume is being detached, and again when that has failed', async () => {
      const server = await activeServer(store());
      const { volumeId: volume } = await attachedVolume(store(), server);
      const input = { serverId: server.id, volumeId: volume, requester: requester() };
      await store().requestDetach(input);
      expect(await store().openSystemExtend({ ...input, requester: requester() })).toBe(false);
      const { id } = await openOperation(store(), server.id, 'detach');
      await store().end(await claimed(store(), id), { result: 'failed', error: failure() });
      expect(await store().openSystemExtend({ ...input, requester: requester() })).toBe(true);
    });

    it('is taken over by an event of the same volume', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      await store().openSystemExtend({ serverId: server.id, volumeId: volume, requester: requester() });
      await store().acceptExternalEvents([extended(server.id, volume)], requester());
      expect(await openOperation(store(), server.id, 'extend')).toMatchObject({ initiator: 'cinder', requestedSeq: 2 });
    });
  });

  describe('attachedVolumes', () => {
    it('pages by the id of the mapping through what is attached and idle', async () => {
      const server = await activeServer(store());
      const ids = [];
      for (let count = 0; count < 3; count += 1) ids.push((await attachedVolume(store(), server)).id);
      ids.sort();
      const first = await store().attachedVolumes(null, 2);
      const rest = await store().attachedVolumes(first[1]!.mapping.id, 2);
      expect([...first, ...rest].map((row) => row.mapping.id)).toEqual(ids);
      expect(first[0]).toMatchObject({ host: HOST, projectId: server.projectId, refused: null });
      await store().recordPowerState(HOST, server.id, 'paused');
      expect(await store().attachedVolumes(null, 1)).toMatchObject([{ powerState: 'paused' }]);
    });

    it('leaves out reservations, volumes with an open operation and servers with a task (rule 3.10c)', async () => {
      const server = await activeServer(store());
      const idle = await attachedVolume(store(), server);
      const busy = await attachedVolume(store(), server);
      await extendOf(store(), server.id, busy.volumeId);
      await store().reserveAttachment({
        serverId: server.id,
        mapping: newMapping(),
        requester: requester(),
        confirmWithin: minutes(1),
      });
      const leaving = await activeServer(store());
      await attachedVolume(store(), leaving);
      await store().requestDelete(leaving.id, requester());
      expect((await store().attachedVolumes(null, 10)).map((row) => row.mapping.id)).toEqual([idle.id]);
    });

    it('answers of one host only what is attached there, paged alike', async () => {
      const here = await activeServer(store());
      const other = await activeServer(store());
      const there = host('compute-2');
      await store().reportService(report({ host: there }));
      const created = await store().createInstance({
        instance: newInstance(),
        mappings: [],
        requester: requester(),
        confirmWithin: minutes(1),
      });
      const build = await claimed(store(), created.operation);
      await store().place(build, created.instance.id, there, { vcpus: 1, memoryMib: 1, diskGib: 0 });
      const changes = { instance: { vmState: 'active', taskState: null } } as const;
      await store().end(build, { result: 'succeeded', changes });
      const moved = must(await store().instance(created.instance.id));
      const ids: BlockDeviceMappingId[] = [];
      for (const server of [here, other]) ids.push((await attachedVolume(store(), server)).id);
      ids.sort();
      const elsewhere = await attachedVolume(store(), moved);
      const on = async (name: HostName | null, after = ids[0]!) =>
        [...(await store().attachedVolumes(null, 1, name)), ...(await store().attachedVolumes(after, 9, name))].map(
          (row) => row.mapping.id,
        );
      expect(await on(HOST)).toEqual(ids);
      expect((await store().attachedVolumes(null, 9, there)).map((row) => [row.mapping.id, row.host])).toEqual([
        [elsewhere.id, there],
      ]);
      expect(await store().attachedVolumes(null, 9, host('compute-3'))).toEqual([]);
      expect(await store().attachedVolumes(null, 9, null)).toHaveLength(3);
    });

    it.each<[Grade, boolean]>([
      ['final', true],
      ['infeasible', true],
      ['unsure', false],
    ])('remembers a failure that was %s: %p (rule 3.10e)', async (grade, remembered) => {
      const server = await activeServer(store());
      const mapping = await attachedVolume(store(), server);
      const { id } = await extendOf(store(), server.id, mapping.volumeId);
      const changes = { mappings: [{ id: mapping.id, wantedBytes: bytes(2 ** 31) }] };
      await store().end(await claimed(store(), id), { result: 'failed', error: failure({ grade }), changes });
      const refused = { wantedBytes: 2 ** 31, capabilities: report().capabilities };
      expect((await store().attachedVolumes(null, 10))[0]?.refused).toEqual(remembered ? refused : null);
      const again = await extendOf(store(), server.id, mapping.volumeId);
      await store().end(await claimed(store(), again.id), { result: 'succeeded' });
      expect((await store().attachedVolumes(null, 10))[0]?.refused).toBeNull();
    });
  });

  describe('exclusively', () => {
    it('runs one at a time under a name, and again when that one has ended, however it ended (rule 3.10b)', async () => {
      let release: () => void = () => undefined;
      let held: Promise<boolean> | undefined;
      await new Promise<void>((started) => {
        held = store().exclusively('reconcile', async () => {
          started();
          await new Promise<void>((resolve) => (release = resolve));
        });
      });
      let ran = 0;
      const count = async () => {
        await Promise.resolve();
        ran += 1;
      };
      expect(await store().exclusively('reconcile', count)).toBe(false);
      expect(await store().exclusively('other', count)).toBe(true);
      release();
      expect(await held).toBe(true);
      await expect(store().exclusively('reconcile', () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
      expect(await store().exclusively('reconcile', count)).toBe(true);
      expect(ran).toBe(2);
    });
  });
}
