import { describe, expect, it } from '@jest/globals';
import { minutes, type ServerId } from '@novella/core';
import {
  activeServer,
  claimed,
  dispatched,
  extended,
  extendOf,
  must,
  newInstance,
  openOperation,
  powerUpdate,
  requester,
  serverId,
  volumeId,
  type Subject,
} from './world.js';

export function eventTests({ store }: Subject): void {
  const operations = (server: ReturnType<typeof serverId>) => store().operations({ serverId: server, limit: 2000 });

  describe('acceptExternalEvents', () => {
    it('opens an extend with the action of the request', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const asked = requester();
      await store().acceptExternalEvents([extended(server.id, volume)], asked);
      expect(await openOperation(store(), server.id, 'extend')).toMatchObject({
        state: 'queued',
        volumeId: volume,
        initiator: 'cinder',
        host: server.host,
        generation: server.generation,
        requestedSeq: 1,
        decidedSeq: 0,
        attempt: 0,
      });
      expect(await store().instanceAction(server.id, asked.requestId)).toMatchObject({
        action: 'extend_volume',
        userId: asked.userId,
        projectId: asked.projectId,
        message: null,
        events: [],
      });
    });

    it('takes events, and other requests, from who acts in no project', async () => {
      const server = await activeServer(store());
      const event = { ...requester(), projectId: null };
      await store().acceptExternalEvents([extended(server.id, volumeId())], event);
      const deletion = { ...requester(), projectId: null };
      expect(await store().requestDelete(server.id, deletion)).toBe('accepted');
      for (const { requestId } of [event, deletion]) {
        expect((await store().instanceAction(server.id, requestId))?.projectId).toBeNull();
      }
    });

    it('adds requests to the open operation of the same volume, without a new version (rule 2.1d)', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const first = await extendOf(store(), server.id, volume);
      await store().acceptExternalEvents([extended(server.id, volume), extended(server.id, volume)], requester());
      const open = await openOperation(store(), server.id, 'extend');
      expect(open).toMatchObject({ id: first.id, requestedSeq: 3, version: first.version });
      expect(await store().instanceActions(server.id)).toHaveLength(4);
    });

    it('gives the second event of one server in one POST a request id of its own', async () => {
      const server = await activeServer(store());
      const other = await activeServer(store());
      const asked = requester();
      const volumes = [volumeId(), volumeId()];
      await store().acceptExternalEvents(
        [extended(server.id, volumes[0]!), extended(server.id, volumes[1]!), extended(other.id, volumeId())],
        asked,
      );
      const [second, first] = await store().instanceActions(server.id);
      expect(first?.requestId).toBe(asked.requestId);
      expect(second?.requestId).toMatch(/^req-[0-9a-f-]{36}$/);
      expect(second?.requestId).not.toBe(asked.requestId);
      expect((await store().instanceActions(other.id))[0]?.requestId).toBe(asked.requestId);
      expect(await store().instanceAction(server.id, must(second).requestId)).not.toBeNull();
    });

    it('queues a waiting operation again and forgets its failures', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const { id } = await extendOf(store(), server.id, volume);
      const waiting = await store().wait(await claimed(store(), id), {
        for: 'retry',
        nextIn: minutes(5),
        failed: true,
      });
      expect(waiting).toMatchObject({ state: 'waiting', waitingFor: 'retry', failures: 1 });
      await store().acceptExternalEvents([extended(server.id, volume)], requester());
      expect(await store().operation(id)).toMatchObject({
        state: 'queued',
        waitingFor: null,
        nextAt: null,
        failures: 0,
        requestedSeq: 2,
        decidedSeq: 1,
      });
      expect((await claimed(store(), id)).decidedSeq).toBe(2);
    });

    it('opens a new operation when the one before has ended', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const { id } = await extendOf(store(), server.id, volume);
      await store().end(await claimed(store(), id), { result: 'succeeded' });
      expect((await extendOf(store(), server.id, volume)).id).not.toBe(id);
    });

    it('ends an extend whose tag is no uuid as volume-not-attached, beside its neighbours (rule 3.8a)', async () => {
      const server = await activeServer(store());
      const tags = ['😀'.repeat(127), 'a\u0000\ud800', '', volumeId().toUpperCase()];
      const volume = volumeId();
      await store().acceptExternalEvents(
        [...tags, volume].map((tag) => extended(server.id, tag)),
        requester(),
      );
      const extends_ = (await operations(server.id)).filter((operation) => operation.kind === 'extend');
      expect(extends_).toHaveLength(5);
      const failed = extends_.filter((operation) => operation.state === 'failed');
      expect(failed).toHaveLength(4);
      for (const operation of failed) {
        expect(operation).toMatchObject({ volumeId: null, error: { code: 'volume-not-attached', grade: 'final' } });
        expect(operation.endedAt).not.toBeNull();
      }
      expect(failed.map((operation) => operation.error?.facts['tag'])).toContain('a\ufffd\ufffd');
      const actions = await store().instanceActions(server.id);
      expect(actions.filter((action) => action.message?.startsWith('Error: ') === true)).toHaveLength(4);
      const shown = must(await store().instanceAction(server.id, actions[4]!.requestId));
      expect(shown.events).toMatchObject([{ event: 'compute_extend_volume', result: 'Error', traceback: null }]);
      expect(shown.events[0]?.details).toMatch(/^volume-not-attached: /);
      expect(shown.events[0]?.finishTime).toEqual(shown.events[0]?.startTime);
    });

    it('records events that ask nothing of the engine, and those of servers that are gone, without an operation', async () => {
      const gone = serverId();
      const server = await activeServer(store());
      const before = await operations(server.id);
      const plain = { serverId: server.id, status: 'failed', operation: null } as const;
      await store().acceptExternalEvents(
        [
          { ...plain, name: 'network-changed', tag: null, code: 200 },
          { ...plain, name: 'volume-extended', tag: null, code: 400 },
          { ...plain, name: 'volume-extended', serverId: 'NOT-A-UUID', tag: 'x', code: 404 },
          extended(gone, volumeId()),
        ],
        requester(),
      );
      await store().acceptExternalEvents([], requester());
      expect(await operations(server.id)).toEqual(before);
      expect(await operations(gone)).toEqual([]);
    });

    it('names the actions of a power-update start and stop, and keeps the last target', async () => {
      const server = await activeServer(store());
      await store().acceptExternalEvents(
        [powerUpdate(server.id, 'POWER_ON'), powerUpdate(server.id, 'POWER_OFF')],
        requester(),
      );
      const open = await openOperation(store(), server.id, 'power-update');
      expect(open).toMatchObject({ volumeId: null, request: { target: 'POWER_OFF' }, requestedSeq: 2 });
      await store().end(await claimed(store(), open.id), {
        result: 'failed',
        error: { code: 'event-unsupported', grade: 'final', message: 'not on this hypervisor', facts: {} },
      });
      const actions = await store().instanceActions(server.id);
      expect(actions.slice(0, 2).map((action) => [action.action, action.message])).toEqual([
        ['stop', expect.stringMatching(/^Error: .*\(event-unsupported\)$/)],
        ['start', expect.stringMatching(/^Error: .*\(event-unsupported\)$/)],
      ]);
      const shown = must(await store().instanceAction(server.id, actions[0]!.requestId));
      expect(shown.events).toMatchObject([
        { event: 'compute_power_update', result: 'Error', details: 'event-unsupported: not on this hypervisor' },
      ]);
    });

    it('takes a thousand events of many servers and volumes in one call', async () => {
      const servers: ServerId[] = [];
      for (let count = 0; count < 10; count += 1) {
        const { instance } = await store().createInstance({
          instance: newInstance(),
          mappings: [],
          requester: requester(),
          confirmWithin: minutes(1),
        });
        servers.push(instance.id);
      }
      const volumes = Array.from({ length: 10 }, volumeId);
      const events = Array.from({ length: 1000 }, (_, n) =>
        extended(servers[n % 10]!, volumes[Math.floor(n / 10) % 10]!),
      );
      await store().acceptExternalEvents(events, requester());
      for (const server of servers) {
        const open = (await operations(server)).filter((operation) => operation.kind === 'extend');
        expect(open.map((operation) => operation.requestedSeq)).toEqual(Array.from({ length: 10 }, () => 10));
        const actions = await store().instanceActions(server);
        expect(new Set(actions.map((action) => action.requestId)).size).toBe(101);
      }
    });

    it('leaves a dispatched operation with its host, and asks again when that has ended (rule 2.8d)', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const sent = await dispatched(store(), (await extendOf(store(), server.id, volume)).id);
      await store().acceptExternalEvents([extended(server.id, volume)], requester());
      expect(await store().operation(sent.id)).toMatchObject({
        state: 'dispatched',
        version: sent.version,
        requestedSeq: 2,
      });
      const ended = await store().end(sent, { result: 'succeeded' });
      expect(ended).toMatchObject({ state: 'queued', endedAt: null });
    });
  });
}
