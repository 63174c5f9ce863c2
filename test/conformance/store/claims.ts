import { describe, expect, it } from '@jest/globals';
import { millis, minutes } from '@novella/core';
import {
  activeServer,
  answer,
  claimed,
  dispatched,
  extended,
  extendOf,
  HOST,
  host,
  LEASE,
  must,
  operationId,
  requester,
  TO_HOST,
  volumeId,
  type Subject,
} from './world.js';

export function claimTests({ store, pass }: Subject): void {
  describe('claimDue', () => {
    it('takes queued operations oldest first, up to the limit, and each once', async () => {
      const server = await activeServer(store());
      const made = [];
      for (let count = 0; count < 3; count += 1) {
        made.push((await extendOf(store(), server.id, volumeId())).id);
        await pass(2);
      }
      const first = await store().claimDue('conductor-1', LEASE, 2);
      const rest = await store().claimDue('conductor-2', LEASE, 2);
      expect([...first, ...rest].map((operation) => operation.id)).toEqual(made);
      expect(first[0]).toMatchObject({ version: 2, decidedSeq: 1, state: 'queued' });
      expect(await store().claimDue('conductor-3', LEASE, 10)).toEqual([]);
    });

    it('takes an operation again when its lease has run out, and the first owner then writes nothing (rule 2.3d)', async () => {
      const server = await activeServer(store());
      const { id } = await extendOf(store(), server.id, volumeId());
      const lost = await claimed(store(), id, millis(20));
      await pass(40);
      const [taken] = await store().claimDue('conductor-2', LEASE, 10);
      expect(taken).toMatchObject({ id, version: lost.version + 1 });
      expect(await store().end(lost, { result: 'succeeded' })).toBeNull();
      expect(await store().operation(id)).toEqual(taken);
    });

    it('takes a waiting one when its time has come, and not before', async () => {
      const server = await activeServer(store());
      const later = await extendOf(store(), server.id, volumeId());
      const soon = await extendOf(store(), server.id, volumeId());
      await store().wait(await claimed(store(), later.id), { for: 'retry', nextIn: minutes(5) });
      await store().wait(await claimed(store(), soon.id), { for: 'cinder', nextIn: millis(20) });
      await pass(40);
      const due = await store().claimDue('conductor-1', LEASE, 10);
      expect(due.map((operation) => operation.id)).toEqual([soon.id]);
      expect(due[0]).toMatchObject({ state: 'waiting', waitingFor: 'cinder' });
    });

    it('takes a dispatched one when its deadline has passed, with what was asked since (rules 2.3b, 3.1a)', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const { id } = await extendOf(store(), server.id, volume);
      const far = await dispatched(store(), (await extendOf(store(), server.id, volumeId())).id);
      await store().dispatch(await claimed(store(), id), { ...TO_HOST, deadlineIn: millis(20) });
      await store().acceptExternalEvents([extended(server.id, volume)], requester());
      await pass(40);
      const due = await store().claimDue('conductor-1', LEASE, 10);
      expect(due).toHaveLength(1);
      expect(due[0]).toMatchObject({ id, state: 'dispatched', decidedSeq: 2 });
      expect(await store().operation(far.id)).toEqual(far);
    });
  });

  describe('of an extend that tells of its end', () => {
    /** The host has answered the first request; its turn was cut off before Cinder was told. */
    async function cutOffWhileTelling(volume: ReturnType<typeof volumeId>) {
      const server = await activeServer(store());
      const { id } = await extendOf(store(), server.id, volume);
      const sent = await dispatched(store(), id);
      const answered = await answer(store(), sent);
      await store().advance(answered, { step: 'tell-grown', lease: millis(20) });
      await store().acceptExternalEvents([extended(server.id, volume)], requester());
      await pass(40);
      return id;
    }

    it('takes no request along that came after its command', async () => {
      const id = await cutOffWhileTelling(volumeId());
      const [taken] = await store().claimDue('conductor-2', LEASE, 10);
      expect(taken).toMatchObject({ id, step: 'tell-grown', requestedSeq: 2, decidedSeq: 1 });
      const ended = await store().end(must(taken ?? null), { result: 'succeeded' });
      expect(ended).toMatchObject({ state: 'queued', step: null });
      expect(await store().claimOne(id, 'conductor-2', LEASE)).toMatchObject({ decidedSeq: 2 });
    });

    it('takes none along either when it is claimed alone', async () => {
      const id = await cutOffWhileTelling(volumeId());
      expect(await store().claimOne(id, 'conductor-2', LEASE)).toMatchObject({ requestedSeq: 2, decidedSeq: 1 });
    });
  });

  describe('claimOne', () => {
    it('takes a queued operation that nobody holds', async () => {
      const server = await activeServer(store());
      const { id } = await extendOf(store(), server.id, volumeId());
      expect(await store().claimOne(id, 'conductor-1', LEASE)).toMatchObject({ id, version: 2, decidedSeq: 1 });
      expect(await store().claimOne(id, 'conductor-2', LEASE)).toBeNull();
      expect(await store().claimOne(operationId(), 'conductor-2', LEASE)).toBeNull();
    });

    it('takes a dispatched one only past its deadline, never a waiting or an ended one', async () => {
      const server = await activeServer(store());
      const sent = await dispatched(store(), (await extendOf(store(), server.id, volumeId())).id);
      expect(await store().claimOne(sent.id, 'conductor-1', LEASE)).toBeNull();
      const late = await claimed(store(), (await extendOf(store(), server.id, volumeId())).id);
      await store().dispatch(late, { ...TO_HOST, deadlineIn: millis(1) });
      const waiting = await claimed(store(), (await extendOf(store(), server.id, volumeId())).id);
      await store().wait(waiting, { for: 'host', nextIn: millis(1) });
      const ended = await claimed(store(), (await extendOf(store(), server.id, volumeId())).id);
      await store().end(ended, { result: 'succeeded' });
      await pass(20);
      expect(await store().claimOne(late.id, 'conductor-1', LEASE)).toMatchObject({ state: 'dispatched' });
      expect(await store().claimOne(waiting.id, 'conductor-1', LEASE)).toBeNull();
      expect(await store().claimOne(ended.id, 'conductor-1', LEASE)).toBeNull();
    });
  });

  describe('claimForResult', () => {
    it('answers null for another attempt, fence, host or operation (rule 2.8a)', async () => {
      const server = await activeServer(store());
      const sent = await dispatched(store(), (await extendOf(store(), server.id, volumeId())).id);
      const right = { operation: sent.id, attempt: sent.attempt, fence: sent.fence ?? 0, host: HOST };
      for (const wrong of [
        { attempt: 2 },
        { fence: right.fence + 1 },
        { host: host('compute-2') },
        { operation: operationId() },
      ]) {
        expect(await store().claimForResult({ ...right, ...wrong }, 'conductor-1', LEASE)).toBeNull();
      }
      expect(await store().operation(sent.id)).toEqual(sent);
      expect(await store().claimForResult(right, 'conductor-1', LEASE)).toMatchObject({ version: sent.version + 1 });
    });

    it('keeps decidedSeq as the attempt had it, also when the answer comes after the deadline was noticed', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const { id } = await extendOf(store(), server.id, volume);
      const sent = await store().dispatch(await claimed(store(), id), { ...TO_HOST, deadlineIn: millis(20) });
      await store().acceptExternalEvents([extended(server.id, volume)], requester());
      await pass(40);
      const measuring = await claimed(store(), id);
      expect(measuring.decidedSeq).toBe(2);
      const late = await answer(store(), must(sent));
      expect(late).toMatchObject({ decidedSeq: 1, requestedSeq: 2 });
      expect(await store().dispatch(measuring, TO_HOST)).toBeNull();
      expect(await store().end(late, { result: 'succeeded' })).toMatchObject({ state: 'queued' });
    });

    it('answers null for an answer that was recorded, or of an attempt that another followed (rule 2.8a)', async () => {
      const server = await activeServer(store());
      const { id } = await extendOf(store(), server.id, volumeId());
      const first = must(await store().dispatch(await claimed(store(), id), { ...TO_HOST, deadlineIn: millis(1) }));
      await pass(20);
      const second = await dispatched(store(), id);
      const by = (sent: typeof second) => ({
        operation: id,
        attempt: sent.attempt,
        fence: sent.fence ?? 0,
        host: HOST,
      });
      expect(await store().claimForResult(by(first), 'conductor-1', LEASE)).toBeNull();
      await store().end(await answer(store(), second), { result: 'succeeded' });
      expect(await store().claimForResult(by(second), 'conductor-1', LEASE)).toBeNull();
    });
  });

  describe('nextDueIn', () => {
    it('is null without open operations, 0 with one that is due, and else the time to the first', async () => {
      expect(await store().nextDueIn()).toBeNull();
      const server = await activeServer(store());
      expect(await store().nextDueIn()).toBeNull();
      const { id } = await extendOf(store(), server.id, volumeId());
      expect(await store().nextDueIn()).toBe(0);
      const operation = await claimed(store(), id, minutes(3));
      const between = (from: number, to: number) => async () => {
        const ms = must(await store().nextDueIn());
        expect(ms).toBeGreaterThan(from);
        expect(ms).toBeLessThanOrEqual(to);
      };
      await between(minutes(2), minutes(3))();
      const sent = must(await store().dispatch(operation, { ...TO_HOST, deadlineIn: minutes(9) }));
      await between(minutes(8), minutes(9))();
      await store().undoDispatch(sent, minutes(6));
      await between(minutes(5), minutes(6))();
    });
  });
}
