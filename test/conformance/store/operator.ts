import { describe, expect, it } from '@jest/globals';
import { millis, minutes } from '@novella/core';
import type { OperationFilter } from '@novella/persistence';
import {
  activeServer,
  answer,
  attachedVolume,
  claimed,
  dispatched,
  extendOf,
  failure,
  HOST,
  host,
  LEASE,
  must,
  newInstance,
  newMapping,
  openOperation,
  report,
  requester,
  type Subject,
  volumeId,
} from './world.js';

/** What an operator is shown. */
export function operatorTests({ store, pass }: Subject): void {
  const extend = async () => {
    const server = await activeServer(store());
    const { id } = await extendOf(store(), server.id, volumeId());
    return { server, id };
  };
  const standing = async (id: Awaited<ReturnType<typeof extend>>['id']) => must(await store().standing(id));

  describe('standing', () => {
    it('is the operation with its host, its requests and when it is due', async () => {
      const { server, id } = await extend();
      const operation = must(await store().operation(id));
      const seen = await standing(id);
      expect(seen).toMatchObject(operation);
      expect(seen).toMatchObject({ claim: null, dueAt: operation.createdAt, hostState: { host: HOST, up: true } });
      const [action] = await store().instanceActions(server.id);
      expect(seen.requests).toEqual([{ requestId: action?.requestId, isFinished: false }]);
      expect(seen.readAt.getTime()).toBeGreaterThanOrEqual(operation.createdAt.getTime());
    });

    it('names the conductor that works on it, as long as its lease lasts', async () => {
      const { id } = await extend();
      await store().claimOne(id, 'conductor-7', millis(300));
      const held = await standing(id);
      expect(held.claim).toMatchObject({ by: 'conductor-7' });
      expect(held.dueAt).toEqual(held.claim?.until);
      await pass(400);
      expect((await standing(id)).claim).toBeNull();
    });

    it('names the host that it was dispatched to, and that is due at its deadline', async () => {
      const { id } = await extend();
      await dispatched(store(), id);
      const seen = await standing(id);
      expect(seen).toMatchObject({ claim: null, dueAt: seen.deadline, hostState: { host: HOST } });
      expect(seen.deadline).not.toBeNull();
    });

    it('says that the host is down, forced down or unknown', async () => {
      const { id } = await extend();
      await store().serviceStopped(HOST, 'nova-compute');
      expect((await standing(id)).hostState).toMatchObject({
        up: false,
        forcedDown: false,
        lastReportAt: expect.any(Date),
      });
      await store().reportService(report());
      const [service] = await store().services('nova-compute');
      await store().updateService(must(service).id, { forcedDown: true });
      expect((await standing(id)).hostState).toMatchObject({ up: false, forcedDown: true });
      await store().deleteService(must(service).id);
      expect((await standing(id)).hostState).toMatchObject({ host: HOST, up: false });
    });

    it('shows one that has ended, and that of a server without a host; nothing for an unknown id', async () => {
      const { id } = await extend();
      await store().end(await answer(store(), await dispatched(store(), id)), { result: 'succeeded' });
      expect(await standing(id)).toMatchObject({ state: 'succeeded', dueAt: null, requests: [{ isFinished: true }] });
      const { operation } = await store().createInstance({
        instance: newInstance(),
        mappings: [],
        requester: requester(),
        confirmWithin: minutes(1),
      });
      expect(await standing(operation)).toMatchObject({ kind: 'build', hostState: null });
      expect(await store().standing(volumeId() as never)).toBeNull();
    });
  });

  describe('standings', () => {
    it('are selected by what is asked, newest first', async () => {
      const first = await extend();
      await pass(20);
      const second = await extend();
      await store().wait(await claimed(store(), first.id), { for: 'cinder', nextIn: minutes(1), error: failure() });
      const listed = async (filter: Omit<OperationFilter, 'limit'>) =>
        (await store().standings({ ...filter, limit: 100 }))
          .filter(({ kind }) => kind === 'extend')
          .map(({ id }) => id);
      expect(await listed({})).toEqual([second.id, first.id]);
      expect(await listed({ state: 'waiting' })).toEqual([first.id]);
      expect(await listed({ state: 'queued' })).toEqual([second.id]);
      expect(await listed({ waitingFor: 'cinder' })).toEqual([first.id]);
      expect(await listed({ waitingFor: 'host' })).toEqual([]);
      expect(await listed({ kind: 'extend' })).toEqual([second.id, first.id]);
      expect(await listed({ kind: 'attach' })).toEqual([]);
      expect(await listed({ serverId: second.server.id })).toEqual([second.id]);
      expect(await listed({ host: HOST })).toEqual([second.id, first.id]);
      expect(await listed({ host: host('compute-9') })).toEqual([]);
      expect(await listed({ olderThan: minutes(1) })).toEqual([]);
      expect(await listed({ open: false })).toEqual([]);
      expect(await store().standings({ open: true, limit: 1 })).toMatchObject([{ id: second.id }]);
    });

    it('are of the host that an operation was dispatched to, and of the one that its server is on', async () => {
      const { id } = await extend();
      const other = host('compute-2');
      const elsewhere = { host: other, step: null, generation: 1, deadlineIn: minutes(1) };
      await store().dispatch(await claimed(store(), id), elsewhere);
      const on = async (name: typeof HOST) =>
        (await store().standings({ host: name, open: true, limit: 9 })).map((one) => one.id);
      expect([await on(other), await on(HOST)]).toEqual([[id], []]);
    });
  });

  describe('stuck', () => {
    it('is nothing, whatever an operation does', async () => {
      const server = await activeServer(store());
      const mapping = await attachedVolume(store(), server);
      const { id } = await extendOf(store(), server.id, mapping.volumeId);
      const nothing = async (): Promise<void> => expect(await store().stuck()).toEqual([]);
      await nothing();
      await store().wait(await claimed(store(), id), { for: 'cinder', nextIn: minutes(1) });
      await nothing();
      await store().requestDelete(server.id, requester());
      await nothing();
      const deletion = await dispatched(store(), (await openOperation(store(), server.id, 'delete')).id);
      await nothing();
      await store().end(await answer(store(), deletion), {
        result: 'succeeded',
        changes: { instance: { deleted: true }, mappings: [{ id: mapping.id, removed: true }] },
      });
      await nothing();
    });

    it('is a server whose task has lost its operation, and a volume that stays reserved', async () => {
      const { operation, instance, mappings } = await store().createInstance({
        instance: newInstance(),
        mappings: [newMapping()],
        requester: requester(),
        confirmWithin: minutes(1),
      });
      await store().confirmReservations(operation, []);
      // A flow that forgot the server's task and the volume at its end.
      await store().end(must(await store().claimOne(operation, 'conductor-1', LEASE)), {
        result: 'failed',
        error: failure(),
      });
      const found = await store().stuck();
      expect(found.map(({ reason, id }) => [reason, id]).sort()).toEqual([
        ['reservation-without-operation', must(mappings[0]).volumeId],
        ['task-without-operation', instance.id],
      ]);
    });
  });
}
