import { describe, expect, it } from '@jest/globals';
import { bytes, type Grade, minutes } from '@novella/core';
import {
  activeServer,
  attachedVolume,
  claimed,
  extended,
  extendOf,
  failure,
  HOST,
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
    it('opens one with an action of its own, unless one is open', async () => {
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
      expect(first[0]).toMatchObject({ host: HOST, refused: null });
    });

    it('leaves out reservations, volumes with an open operation and servers with a task', async () => {
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

    it.each<[Grade, boolean]>([
      ['final', true],
      ['infeasible', true],
      ['unsure', false],
    ])('remembers a failure that was %s: %p', async (grade, remembered) => {
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
    it('runs one at a time under a name, and again when that one has ended, however it ended', async () => {
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
