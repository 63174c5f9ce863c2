import { describe, expect, it } from '@jest/globals';
import { minutes, type ServerId, type VmState, type VolumeId } from '@novella/core';
import {
  activeServer,
  answer,
  attachedVolume,
  claimed,
  dispatched,
  extended,
  extendOf,
  failure,
  LEASE,
  mappingOf,
  must,
  newMapping,
  openOperation,
  requester,
  serverId,
  type Subject,
  TO_HOST,
  volumeId,
} from './world.js';

export function detachTests({ store, sessions }: Subject): void {
  const detach = (server: ServerId, volume: VolumeId) =>
    store().requestDetach({ serverId: server, volumeId: volume, requester: requester() });
  const attached = async (changes: Parameters<typeof newMapping>[0] = {}) => {
    const server = await activeServer(store());
    return { server, mapping: await attachedVolume(store(), server, changes) };
  };
  const becomes = async (server: ServerId, vmState: VmState) => {
    const { id } = await extendOf(store(), server, volumeId());
    await store().end(await claimed(store(), id), { result: 'succeeded', changes: { instance: { vmState } } });
  };
  const written = async (server: ServerId) => ({
    operations: await store().operations({ serverId: server, limit: 100 }),
    actions: await store().instanceActions(server),
    instance: await store().instance(server),
  });

  describe('updateAttachment', () => {
    it('sets whether the volume goes with its server, and nothing else', async () => {
      const { server, mapping } = await attached();
      for (const deleteOnTermination of [true, false]) {
        const input = { serverId: server.id, volumeId: mapping.volumeId, deleteOnTermination };
        expect(await store().updateAttachment(input)).toBe('updated');
        expect(await mappingOf(store(), server.id, mapping.id)).toEqual({ ...mapping, deleteOnTermination });
      }
    });

    it('knows only what is attached to that server', async () => {
      const { server, mapping } = await attached();
      const other = await activeServer(store());
      for (const [one, volume] of [
        [server.id, volumeId()],
        [other.id, mapping.volumeId],
      ] as const) {
        const input = { serverId: one, volumeId: volume, deleteOnTermination: true };
        expect(await store().updateAttachment(input)).toBe('not-attached');
      }
      expect(await mappingOf(store(), server.id, mapping.id)).toEqual(mapping);
    });
  });

  describe('requestDetach', () => {
    it('opens a queued detach with its action, and leaves the mapping', async () => {
      const { server, mapping } = await attached();
      const asked = requester();
      const accepted = await store().requestDetach({
        serverId: server.id,
        volumeId: mapping.volumeId,
        requester: asked,
      });
      if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
      expect(await store().operation(accepted.operation)).toMatchObject({
        kind: 'detach',
        state: 'queued',
        volumeId: mapping.volumeId,
        initiator: 'user',
        host: server.host,
        generation: server.generation,
        requestedSeq: 1,
        decidedSeq: 0,
      });
      expect(await store().instanceAction(server.id, asked.requestId)).toMatchObject({
        action: 'detach_volume',
        userId: asked.userId,
        message: null,
      });
      expect(await mappingOf(store(), server.id, mapping.id)).toEqual(mapping);
      expect((await store().instance(server.id))?.taskState).toBeNull();
    });

    it('names its event as Nova does', async () => {
      const { server, mapping } = await attached();
      await detach(server.id, mapping.volumeId);
      await dispatched(store(), (await openOperation(store(), server.id, 'detach')).id);
      const [newest] = await store().instanceActions(server.id);
      const action = must(await store().instanceAction(server.id, must(newest).requestId));
      expect(action.events).toMatchObject([{ event: 'compute_detach_volume', result: null }]);
    });

    it('refuses an unknown server, a deleted one and a volume that is not attached', async () => {
      expect(await detach(serverId(), volumeId())).toEqual({ kind: 'server-not-found' });
      const { server, mapping } = await attached();
      const other = await activeServer(store());
      for (const [one, volume] of [
        [server.id, volumeId()],
        [other.id, mapping.volumeId],
      ] as const) {
        const before = await written(one);
        expect(await detach(one, volume)).toEqual({ kind: 'not-attached' });
        expect(await written(one)).toEqual(before);
      }
      await store().requestDelete(server.id, requester());
      const sent = await dispatched(store(), (await openOperation(store(), server.id, 'delete')).id);
      await store().end(await answer(store(), sent), { result: 'succeeded', changes: { instance: { deleted: true } } });
      expect(await detach(server.id, mapping.volumeId)).toEqual({ kind: 'server-not-found' });
    });

    it('refuses the root device, also of a busy server', async () => {
      const { server, mapping } = await attached({ bootIndex: 0 });
      expect(await detach(server.id, mapping.volumeId)).toEqual({ kind: 'root-device' });
      await store().requestDelete(server.id, requester());
      expect(await detach(server.id, mapping.volumeId)).toEqual({ kind: 'root-device' });
    });

    it.each<[VmState, string]>([
      ['active', 'accepted'],
      ['paused', 'accepted'],
      ['suspended', 'server-busy'],
      ['stopped', 'accepted'],
      ['error', 'server-busy'],
    ])('a server that is %s -> %s', async (vmState, kind) => {
      const { server, mapping } = await attached();
      await becomes(server.id, vmState);
      expect((await detach(server.id, mapping.volumeId)).kind).toBe(kind);
    });

    it('refuses a server with a task', async () => {
      const { server, mapping } = await attached();
      await store().requestDelete(server.id, requester());
      const before = await written(server.id);
      expect(await detach(server.id, mapping.volumeId)).toEqual({ kind: 'server-busy' });
      expect(await written(server.id)).toEqual(before);
    });

    it('refuses a volume whose attach has not ended well', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      await store().reserveAttachment({
        serverId: server.id,
        mapping: newMapping({ volumeId: volume }),
        requester: requester(),
        confirmWithin: minutes(1),
      });
      const before = await written(server.id);
      expect(await detach(server.id, volume)).toEqual({ kind: 'attaching' });
      expect(await written(server.id)).toEqual(before);
    });

    it('is already-detaching while one is open, and accepted again when that one has failed', async () => {
      const { server, mapping } = await attached();
      expect((await detach(server.id, mapping.volumeId)).kind).toBe('accepted');
      const before = await written(server.id);
      expect(await detach(server.id, mapping.volumeId)).toEqual({ kind: 'already-detaching' });
      expect(await written(server.id)).toEqual(before);
      const { id } = await openOperation(store(), server.id, 'detach');
      await store().end(await claimed(store(), id), { result: 'failed', error: failure() });
      expect((await detach(server.id, mapping.volumeId)).kind).toBe('accepted');
    });

    it.each(['cinder', 'system'] as const)(
      'ends an extend opened by %s that no host has (rule 3.6e)',
      async (initiator) => {
        const { server, mapping } = await attached();
        const { volumeId: volume } = mapping;
        if (initiator === 'system') {
          await store().openSystemExtend({ serverId: server.id, volumeId: volume, requester: requester() });
        } else {
          await store().acceptExternalEvents([extended(server.id, volume), extended(server.id, volume)], requester());
        }
        const extend = await openOperation(store(), server.id, 'extend');
        const neighbour = await extendOf(store(), server.id, volumeId());
        const working = await claimed(store(), extend.id);
        expect((await detach(server.id, volume)).kind).toBe('accepted');
        expect(await store().operation(extend.id)).toMatchObject({
          state: 'failed',
          error: { code: 'volume-detached', grade: 'final' },
        });
        expect(await store().dispatch(working, TO_HOST)).toBeNull();
        expect((await store().operation(neighbour.id))?.state).toBe('queued');
        const ended = (await store().instanceActions(server.id)).filter(
          (action) => action.message?.startsWith('Error: ') === true,
        );
        expect(ended.map((action) => action.action)).toEqual(Array(extend.requestedSeq).fill('extend_volume'));
        const shown = must(await store().instanceAction(server.id, ended[0]!.requestId));
        expect(shown.events).toMatchObject([
          {
            event: 'compute_extend_volume',
            result: 'Error',
            details: 'volume-detached: the volume is being detached',
          },
        ]);
        expect(shown.events[0]?.finishTime).not.toBeNull();
      },
    );

    it.each(['cinder', 'system'] as const)(
      'is accepted while an extend opened by %s is with the host, and goes there after it',
      async (initiator) => {
        const { server, mapping } = await attached();
        const { volumeId: volume } = mapping;
        if (initiator === 'cinder') await extendOf(store(), server.id, volume);
        else await store().openSystemExtend({ serverId: server.id, volumeId: volume, requester: requester() });
        const sent = await dispatched(store(), (await openOperation(store(), server.id, 'extend')).id);
        expect((await detach(server.id, volume)).kind).toBe('accepted');
        expect(await store().operation(sent.id)).toEqual(sent);
        const operation = await claimed(store(), (await openOperation(store(), server.id, 'detach')).id);
        expect(await store().dispatch(operation, TO_HOST)).toBe('excluded');
        await store().end(await answer(store(), sent), { result: 'succeeded' });
        expect(await store().dispatch(operation, TO_HOST)).toMatchObject({ state: 'dispatched' });
      },
    );

    it('excludes, once it is with the host, an extend that came after it (rule 3.6d)', async () => {
      const { server, mapping } = await attached();
      await detach(server.id, mapping.volumeId);
      await dispatched(store(), (await openOperation(store(), server.id, 'detach')).id);
      const { id } = await extendOf(store(), server.id, mapping.volumeId);
      expect(await store().dispatch(await claimed(store(), id), TO_HOST)).toBe('excluded');
    });

    it('is not attached any more after its end', async () => {
      const { server, mapping } = await attached();
      await detach(server.id, mapping.volumeId);
      const { id } = await openOperation(store(), server.id, 'detach');
      const changes = { mappings: [{ id: mapping.id, removed: true as const }] };
      await store().end(await claimed(store(), id), { result: 'succeeded', changes });
      expect(await detach(server.id, mapping.volumeId)).toEqual({ kind: 'not-attached' });
    });
  });

  describe('detaches, events and dispatches of one volume at once (rule 3.6d)', () => {
    it('accept one detach, end what no host has, and leave one of them with the host at the most', async () => {
      for (let round = 0; round < 5; round += 1) {
        const { server, mapping } = await attached();
        const { volumeId: volume } = mapping;
        await extendOf(store(), server.id, volume);
        const results = await Promise.all(
          sessions().map(async (session, index) => {
            if (index < 3) {
              return session.requestDetach({ serverId: server.id, volumeId: volume, requester: requester() });
            }
            if (index < 6) await session.acceptExternalEvents([extended(server.id, volume)], requester());
            else {
              for (const operation of await session.claimDue(`conductor-${index}`, LEASE, 5)) {
                await session.dispatch(operation, TO_HOST);
              }
            }
            return null;
          }),
        );
        const answers = results.flatMap((result) => (result === null ? [] : [result.kind])).sort();
        expect(answers).toEqual(['accepted', 'already-detaching', 'already-detaching']);
        const all = await store().operations({ serverId: server.id, limit: 50 });
        const ofVolume = all.filter((operation) => operation.volumeId === volume && operation.kind !== 'attach');
        expect(ofVolume.filter(({ state }) => state === 'dispatched').length).toBeLessThanOrEqual(1);
        expect(ofVolume.filter(({ kind }) => kind === 'detach')).toHaveLength(1);
        for (const { state, error } of ofVolume) {
          expect(error?.code ?? null).toBe(state === 'failed' ? 'volume-detached' : null);
        }
      }
    });
  });

  describe('requestDelete after a detach', () => {
    it('ends one that no host has, and does not delete its volume with the server', async () => {
      const { server, mapping } = await attached({ deleteOnTermination: true });
      const goes = await attachedVolume(store(), server, { deleteOnTermination: true });
      await detach(server.id, mapping.volumeId);
      const { id } = await openOperation(store(), server.id, 'detach');
      await store().requestDelete(server.id, requester());
      expect(await store().operation(id)).toMatchObject({ state: 'failed', error: { code: 'server-deleted' } });
      expect((await mappingOf(store(), server.id, mapping.id)).deleteOnTermination).toBe(false);
      expect((await mappingOf(store(), server.id, goes.id)).deleteOnTermination).toBe(true);
    });

    it('leaves one that a host has, and its volume too outlives the server', async () => {
      const { server, mapping } = await attached({ deleteOnTermination: true });
      await detach(server.id, mapping.volumeId);
      const sent = await dispatched(store(), (await openOperation(store(), server.id, 'detach')).id);
      await store().requestDelete(server.id, requester());
      expect(await store().operation(sent.id)).toEqual(sent);
      expect((await mappingOf(store(), server.id, mapping.id)).deleteOnTermination).toBe(false);
    });
  });
}
