import { describe, expect, it } from '@jest/globals';
import { millis, minutes } from '@novella/core';
import type { Operation } from '@novella/persistence';
import {
  activeServer,
  answer,
  claimed,
  dispatched,
  extended,
  failure,
  HOST,
  must,
  requester,
  serverId,
  TO_HOST,
  volumeId,
  type Subject,
} from './world.js';

export function actionTests({ store }: Subject): void {
  describe('instance actions', () => {
    const asked = async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const requests = [requester(), requester()];
      await store().acceptExternalEvents([extended(server.id, volume)], requests[0]!);
      const [open] = await store().operations({ serverId: server.id, open: true, limit: 1 });
      return { server, volume, requests, id: must(open).id };
    };
    const shown = async (server: ReturnType<typeof serverId>, requestId: string) =>
      must(await store().instanceAction(server, requestId));

    it('starts the event with the dispatch and finishes it with the end', async () => {
      const { server, requests, id } = await asked();
      const sent = await dispatched(store(), id);
      const started = await shown(server.id, requests[0]!.requestId);
      expect(started.events).toMatchObject([
        { event: 'compute_extend_volume', host: HOST, finishTime: null, result: null, details: null },
      ]);
      await store().end(await answer(store(), sent), { result: 'succeeded' });
      const finished = await shown(server.id, requests[0]!.requestId);
      expect(finished.message).toBeNull();
      expect(finished.events).toMatchObject([
        { result: 'Success', details: null, startTime: started.events[0]?.startTime },
      ]);
      expect(finished.events[0]?.finishTime).not.toBeNull();
    });

    it('writes start and finish of an operation that fails before any dispatch', async () => {
      const { server, requests, id } = await asked();
      await store().end(await claimed(store(), id), { result: 'failed', error: failure() });
      expect(await shown(server.id, requests[0]!.requestId)).toMatchObject({
        message: expect.stringMatching(/^Error: /),
        events: [
          {
            event: 'compute_extend_volume',
            result: 'Error',
            details: 'extend-unsupported: the host cannot extend',
            traceback: null,
          },
        ],
      });
    });

    it('says what the operation waits for, until it is dispatched or has ended', async () => {
      const { server, requests, id } = await asked();
      const due = async () =>
        must((await store().claimDue('conductor-1', minutes(5), 100)).find((one) => one.id === id));
      const message = async () => (await shown(server.id, requests[0]!.requestId)).message;
      await store().wait(await claimed(store(), id), { for: 'host', nextIn: millis(0) });
      expect(await message()).toBe("Waiting for the server's host");
      const error = { ...failure(), code: 'cinder-unreachable' } as const;
      await store().wait(await due(), { for: 'cinder', nextIn: millis(0), error });
      expect(await message()).toMatch(/^Waiting for the volume service: .*\(cinder-unreachable\)$/);
      const sent = must<Operation>(await store().dispatch(await due(), TO_HOST));
      expect(await message()).toBeNull();
      await store().undoDispatch(sent, millis(0));
      expect(await message()).toBe("Waiting for the server's host");
      await store().end(await due(), { result: 'succeeded' });
      expect(await message()).toBeNull();
    });

    it('finishes only the requests that were decided; a later one waits for the next end (rule 2.8c)', async () => {
      const { server, volume, requests, id } = await asked();
      const sent = await dispatched(store(), id);
      await store().acceptExternalEvents([extended(server.id, volume)], requests[1]!);
      const again = must(await store().end(await answer(store(), sent), { result: 'failed', error: failure() }));
      expect(again).toMatchObject({ state: 'queued', error: null, failures: 0, requestedSeq: 2, decidedSeq: 1 });
      expect((await shown(server.id, requests[1]!.requestId)).events).toEqual([]);
      const done = await store().end(await claimed(store(), id), {
        result: 'succeeded',
        verifiedBy: 'hypervisor',
        visible: 'now',
      });
      expect(done).toMatchObject({ state: 'succeeded', verifiedBy: 'hypervisor', visible: 'now' });
      expect((await shown(server.id, requests[0]!.requestId)).events[0]?.result).toBe('Error');
      expect((await shown(server.id, requests[1]!.requestId)).events[0]?.result).toBe('Success');
    });

    it('keeps one event with its first start over several dispatches', async () => {
      const { server, requests, id } = await asked();
      const sent = await dispatched(store(), id);
      const { events } = await shown(server.id, requests[0]!.requestId);
      await store().undoDispatch(sent, minutes(1));
      await store().wake({ for: 'host', host: HOST });
      const [due] = await store().claimDue('conductor-1', minutes(1), 10);
      await store().dispatch(must(due), TO_HOST);
      expect((await shown(server.id, requests[0]!.requestId)).events).toEqual(events);
    });

    it('lists newest first without events, and knows none of a server that never was', async () => {
      const { server, volume } = await asked();
      await store().acceptExternalEvents([extended(server.id, volume)], requester());
      const actions = await store().instanceActions(server.id);
      expect(actions.map((action) => action.action)).toEqual(['extend_volume', 'extend_volume', 'create']);
      expect(actions.every((action) => action.events.length === 0)).toBe(true);
      expect(await store().instanceActions(serverId())).toEqual([]);
      expect(await store().instanceAction(serverId(), actions[0]!.requestId)).toBeNull();
    });
  });
}
