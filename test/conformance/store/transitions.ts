import { describe, expect, it } from '@jest/globals';
import { gib, millis, minutes } from '@novella/core';
import type { Operation } from '@novella/persistence';
import {
  activeServer,
  answer,
  attachedVolume,
  attachmentId,
  claimed,
  dispatched,
  extended,
  extendOf,
  failure,
  HOST,
  LEASE,
  mappingOf,
  must,
  openOperation,
  powerUpdate,
  requester,
  TO_HOST,
  volumeId,
  type Subject,
} from './world.js';

export function transitionTests({ store, pass }: Subject): void {
  const extend = async () => {
    const server = await activeServer(store());
    const volume = volumeId();
    const { id } = await extendOf(store(), server.id, volume);
    return { server, volume, id };
  };
  const last = (operation: Operation | null) => operation?.timeline.at(-1);

  describe('dispatch', () => {
    it('sets attempt, fence, step, host, generation and deadline, and lets go of the lease (rule 3.5a)', async () => {
      const { id } = await extend();
      const operation = await claimed(store(), id);
      const sent = must<Operation>(await store().dispatch(operation, { ...TO_HOST, generation: 7 }));
      expect(sent).toMatchObject({
        state: 'dispatched',
        attempt: 1,
        step: 'act',
        host: HOST,
        generation: 7,
        sentAt: null,
        nextAt: null,
        version: operation.version + 1,
      });
      expect(sent.fence).toBeGreaterThan(0);
      expect(last(sent)).toMatchObject({ state: 'dispatched' });
      await store().markSent(sent);
      const marked = must(await store().operation(id));
      expect(marked.sentAt).not.toBeNull();
      expect(marked.version).toBe(sent.version);
      const other = await extend();
      expect((await dispatched(store(), other.id)).fence).toBeGreaterThan(sent.fence ?? 0);
    });

    it('is excluded while another operation of the same server and volume is dispatched (rule 3.6b)', async () => {
      const server = await activeServer(store());
      await store().acceptExternalEvents([powerUpdate(server.id, 'POWER_ON')], requester());
      await store().requestDelete(server.id, requester());
      const power = await openOperation(store(), server.id, 'power-update');
      const remove = await openOperation(store(), server.id, 'delete');
      const sent = await dispatched(store(), power.id);
      const operation = await claimed(store(), remove.id);
      const changes = { instance: { vmState: 'error' as const } };
      expect(await store().dispatch(operation, { ...TO_HOST, changes })).toBe('excluded');
      expect(await store().operation(remove.id)).toEqual(operation);
      expect((await store().instance(server.id))?.vmState).toBe('active');
      await store().end(await answer(store(), sent), { result: 'succeeded' });
      expect(await store().dispatch(operation, TO_HOST)).toMatchObject({ state: 'dispatched' });
    });

    it('does not exclude extends of two volumes of a server', async () => {
      const { server, id } = await extend();
      await dispatched(store(), id);
      expect(await dispatched(store(), (await extendOf(store(), server.id, volumeId())).id)).toMatchObject({
        attempt: 1,
      });
    });

    it('excludes extends of one volume for two servers, and the end of one wakes the other', async () => {
      const volume = volumeId();
      const [one, other] = [await activeServer(store()), await activeServer(store())];
      const sent = await dispatched(store(), (await extendOf(store(), one.id, volume)).id);
      const { id } = await extendOf(store(), other.id, volume);
      const operation = await claimed(store(), id);
      expect(await store().dispatch(operation, TO_HOST)).toBe('excluded');
      await store().wait(operation, { for: 'server-task', nextIn: minutes(5) });
      await store().end(await answer(store(), sent), { result: 'succeeded' });
      expect((await store().claimDue('me', LEASE, 10)).map((due) => due.id)).toEqual([id]);
    });

    it('may follow itself after the deadline', async () => {
      const { id } = await extend();
      await store().dispatch(await claimed(store(), id), { ...TO_HOST, deadlineIn: millis(1) });
      await pass(20);
      expect(await dispatched(store(), id)).toMatchObject({ attempt: 2, sentAt: null });
    });
  });

  describe('a write with a version that is old (rule 2.3d)', () => {
    it('answers null and writes nothing', async () => {
      const server = await activeServer(store());
      const mapping = await attachedVolume(store(), server);
      const { id } = await extendOf(store(), server.id, mapping.volumeId);
      const old = must(await store().operation(id));
      const now = await claimed(store(), id);
      const changes = { instance: { vmState: 'error' as const }, mappings: [{ id: mapping.id, size: gib(9) }] };
      expect(await store().dispatch(old, { ...TO_HOST, changes })).toBeNull();
      expect(await store().advance(old, { step: 'x', lease: LEASE, changes })).toBeNull();
      expect(await store().wait(old, { for: 'host', nextIn: minutes(1) })).toBeNull();
      expect(await store().end(old, { result: 'succeeded', changes })).toBeNull();
      expect(await store().undoDispatch(old, minutes(1))).toBeNull();
      await store().markSent(old);
      expect(await store().operation(id)).toEqual(now);
      expect((await store().instance(server.id))?.vmState).toBe('active');
      expect((await mappingOf(store(), server.id, mapping.id)).size).toBe(1);
      const [action] = await store().instanceActions(server.id);
      expect(await store().instanceAction(server.id, action!.requestId)).toMatchObject({ message: null, events: [] });
    });

    it('answers null for a claim that rests on fewer requests than the one that the row knows', async () => {
      const { server, volume, id } = await extend();
      await store().acceptExternalEvents([extended(server.id, volume)], requester());
      const now = await claimed(store(), id);
      const lost = { ...now, decidedSeq: 1 };
      expect(await store().dispatch(lost, TO_HOST)).toBeNull();
      expect(await store().advance(lost, { step: 'x', lease: LEASE })).toBeNull();
      expect(await store().wait(lost, { for: 'host', nextIn: minutes(1) })).toBeNull();
      expect(await store().end(lost, { result: 'succeeded' })).toBeNull();
      expect(await store().operation(id)).toEqual(now);
    });

    it('answers null after the end, even with the version of the end', async () => {
      const { id } = await extend();
      const ended = must(await store().end(await claimed(store(), id), { result: 'succeeded' }));
      expect(await store().wait(ended, { for: 'host', nextIn: minutes(1) })).toBeNull();
      expect(await store().end(ended, { result: 'failed', error: failure() })).toBeNull();
      expect(await store().dispatch(ended, TO_HOST)).toBeNull();
      expect(await store().advance(ended, { step: 'x', lease: LEASE })).toBeNull();
    });
  });

  describe('undoDispatch', () => {
    it('takes the attempt back and waits for the host', async () => {
      const { id } = await extend();
      const sent = await dispatched(store(), id);
      const undone = must(await store().undoDispatch(sent, minutes(2)));
      expect(undone).toMatchObject({
        state: 'waiting',
        waitingFor: 'host',
        attempt: 0,
        fence: null,
        deadline: null,
        sentAt: null,
      });
      expect(undone.nextAt).not.toBeNull();
      const late = { operation: id, attempt: 1, fence: sent.fence ?? 0, host: HOST };
      expect(await store().claimForResult(late, 'conductor-1', LEASE)).toBeNull();
      expect(await store().undoDispatch(undone, minutes(2))).toBeNull();
    });
  });

  describe('advance', () => {
    it('stores the step and the error and keeps the lease', async () => {
      const { server, id } = await extend();
      const mapping = await attachedVolume(store(), server);
      const first = await claimed(store(), id);
      const attachment = attachmentId();
      const stepped = must(
        await store().advance(first, {
          step: 'undo-attachment',
          error: failure(),
          lease: LEASE,
          changes: {
            instance: { taskState: 'block_device_mapping' },
            mappings: [{ id: mapping.id, attachmentId: attachment, connection: null }],
          },
        }),
      );
      expect(stepped).toMatchObject({
        state: 'queued',
        step: 'undo-attachment',
        error: failure(),
        version: first.version + 1,
      });
      expect(await store().claimDue('conductor-2', LEASE, 10)).toEqual([]);
      expect((await store().instance(server.id))?.taskState).toBe('block_device_mapping');
      expect(await mappingOf(store(), server.id, mapping.id)).toMatchObject({
        attachmentId: attachment,
        connection: null,
      });
      expect((await store().advance(stepped, { step: 'next', lease: LEASE }))?.error).toEqual(failure());
    });

    it('ends the waiting for an answer: the same answer is not taken twice', async () => {
      const { id } = await extend();
      const sent = await dispatched(store(), id);
      const operation = await answer(store(), sent);
      const stepped = await store().advance(operation, { step: 'record', lease: millis(20), error: null });
      expect(stepped).toMatchObject({ state: 'queued', deadline: null, error: null });
      const again = { operation: id, attempt: 1, fence: sent.fence ?? 0, host: HOST };
      expect(await store().claimForResult(again, 'conductor-2', LEASE)).toBeNull();
      await pass(40);
      expect(await store().claimDue('conductor-2', LEASE, 10)).toMatchObject([{ id, step: 'record' }]);
    });
  });

  describe('wait', () => {
    it('counts failures in a row, keeps or changes step and error, and lets go of the lease', async () => {
      const { id } = await extend();
      const first = await store().wait(await claimed(store(), id), {
        for: 'retry',
        nextIn: millis(1),
        step: 's',
        error: failure(),
        failed: true,
      });
      expect(first).toMatchObject({ state: 'waiting', waitingFor: 'retry', failures: 1, step: 's', error: failure() });
      expect(last(first)).toMatchObject({ state: 'waiting', note: 'extend-unsupported' });
      await pass(20);
      const [due] = await store().claimDue('conductor-1', LEASE, 10);
      const second = must(await store().wait(must(due), { for: 'host', nextIn: millis(1) }));
      expect(second).toMatchObject({ waitingFor: 'host', failures: 1, step: 's', error: failure() });
      await pass(20);
      const [again] = await store().claimDue('conductor-1', LEASE, 10);
      const third = await store().wait(must(again), {
        for: 'host',
        nextIn: minutes(1),
        step: null,
        error: null,
        failed: true,
      });
      expect(third).toMatchObject({ failures: 2, step: null, error: null });
    });

    it('counts failures from one again when it is told that this is the first of others', async () => {
      const { id } = await extend();
      const failures: (number | undefined)[] = [];
      let operation: Operation | undefined = await claimed(store(), id);
      for (const failed of [true, true, 'first', true] as const) {
        const waiting = await store().wait(must(operation), { for: 'retry', nextIn: millis(1), failed });
        failures.push(waiting?.failures);
        await pass(20);
        [operation] = await store().claimDue('conductor-1', LEASE, 10);
      }
      expect(failures).toEqual([1, 2, 1, 2]);
    });

    it('queues at once when more was asked for meanwhile (rule 2.8d)', async () => {
      const { server, volume, id } = await extend();
      const operation = await claimed(store(), id);
      await store().acceptExternalEvents([extended(server.id, volume)], requester());
      expect(await store().wait(operation, { for: 'retry', nextIn: minutes(5), failed: true })).toMatchObject({
        state: 'queued',
        waitingFor: null,
        nextAt: null,
        failures: 0,
      });
      expect(await claimed(store(), id)).toMatchObject({ decidedSeq: 2 });
    });
  });
}
