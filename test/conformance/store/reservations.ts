import { describe, expect, it } from '@jest/globals';
import { millis, minutes } from '@novella/core';
import type { NewBlockDeviceMapping } from '@novella/persistence';
import {
  activeServer,
  answer,
  attachedVolume,
  attachmentId,
  claimed,
  dispatched,
  extendOf,
  LEASE,
  mappingOf,
  must,
  newInstance,
  newMapping,
  openOperation,
  operationId,
  requester,
  serverId,
  volumeId,
  type Subject,
} from './world.js';

export function reservationTests({ store, pass }: Subject): void {
  const reserve = (
    server: ReturnType<typeof serverId>,
    mapping: Partial<NewBlockDeviceMapping> = {},
    confirmWithin = minutes(1),
  ) =>
    store().reserveAttachment({
      serverId: server,
      mapping: newMapping(mapping),
      requester: requester(),
      confirmWithin,
    });

  describe('reserveAttachment', () => {
    it('reserves the first free device and an attach that waits for nova-api', async () => {
      const server = await activeServer(store());
      const first = must(await reserve(server.id));
      const second = must(await reserve(server.id, { bus: 'scsi' }));
      if (first.kind !== 'reserved' || second.kind !== 'reserved') throw new Error('refused');
      expect([first.mapping.device, second.mapping.device]).toEqual(['/dev/vdb', '/dev/sda']);
      expect(await store().operation(first.operation)).toMatchObject({
        kind: 'attach',
        state: 'waiting',
        waitingFor: 'api',
        volumeId: first.mapping.volumeId,
        generation: server.generation,
      });
      expect(await store().claimDue('conductor-1', LEASE, 10)).toEqual([]);
      expect((await store().instanceActions(server.id))[0]).toMatchObject({ action: 'attach_volume', message: null });
    });

    it('refuses an unknown server, a busy one, a volume that is there and a device that is taken', async () => {
      expect(await reserve(serverId())).toEqual({ kind: 'server-not-found' });
      const building = await store().createInstance({
        instance: newInstance(),
        mappings: [],
        requester: requester(),
        confirmWithin: minutes(1),
      });
      expect(await reserve(building.instance.id)).toEqual({ kind: 'server-busy' });
      const server = await activeServer(store());
      const volume = volumeId();
      await attachedVolume(store(), server, { volumeId: volume, device: '/dev/vdc' });
      const before = (await store().instanceActions(server.id)).length;
      expect(await reserve(server.id, { volumeId: volume })).toEqual({ kind: 'already-attached' });
      expect(await reserve(server.id, { device: '/dev/vdc' })).toEqual({ kind: 'device-in-use' });
      expect(await reserve(server.id, { device: '/dev/vda' })).toEqual({ kind: 'device-in-use' });
      expect(await store().instanceActions(server.id)).toHaveLength(before);
    });

    it.each([
      ['active', 'reserved'],
      ['paused', 'reserved'],
      ['stopped', 'reserved'],
      ['suspended', 'server-busy'],
      ['error', 'server-busy'],
    ] as const)('a server that is %s -> %s', async (vmState, kind) => {
      const server = await activeServer(store());
      const operation = await extendOf(store(), server.id, volumeId());
      await store().end(await claimed(store(), operation.id), {
        result: 'succeeded',
        changes: { instance: { vmState } },
      });
      expect((await reserve(server.id)).kind).toBe(kind);
    });

    it('refuses a server with a task', async () => {
      const server = await activeServer(store());
      await store().requestDelete(server.id, requester());
      expect(await reserve(server.id)).toEqual({ kind: 'server-busy' });
    });
  });

  describe('confirmReservations', () => {
    it('stores the attachments and queues the operation, once', async () => {
      const server = await activeServer(store());
      const reserved = await reserve(server.id);
      if (reserved.kind !== 'reserved') throw new Error(reserved.kind);
      const id = attachmentId();
      const attachments = [{ mapping: reserved.mapping.id, attachmentId: id }];
      expect(await store().confirmReservations(reserved.operation, attachments)).toBe('queued');
      expect((await mappingOf(store(), server.id, reserved.mapping.id)).attachmentId).toBe(id);
      expect(await store().operation(reserved.operation)).toMatchObject({
        state: 'queued',
        waitingFor: null,
        nextAt: null,
      });
      expect(await store().confirmReservations(reserved.operation, attachments)).toBe('gone');
      expect(await store().confirmReservations(operationId(), [])).toBe('gone');
    });

    it('is gone once the engine has claimed what nobody confirmed in time', async () => {
      const server = await activeServer(store());
      const reserved = await reserve(server.id, {}, millis(20));
      if (reserved.kind !== 'reserved') throw new Error(reserved.kind);
      await pass(40);
      const [operation] = await store().claimDue('conductor-1', millis(1), 10);
      expect(operation).toMatchObject({ id: reserved.operation, state: 'waiting', waitingFor: 'api' });
      await pass(20);
      const attachments = [{ mapping: reserved.mapping.id, attachmentId: attachmentId() }];
      expect(await store().confirmReservations(reserved.operation, attachments)).toBe('gone');
      expect(await store().abandonReservations(reserved.operation)).toBe('gone');
      expect((await mappingOf(store(), server.id, reserved.mapping.id)).attachmentId).toBeNull();
    });
  });

  describe('abandonReservations', () => {
    it('forgets an attach as if it had never been asked for', async () => {
      const server = await activeServer(store());
      const before = await store().instanceActions(server.id);
      const reserved = await reserve(server.id);
      if (reserved.kind !== 'reserved') throw new Error(reserved.kind);
      expect(await store().abandonReservations(reserved.operation)).toBe('forgotten');
      expect(await store().operation(reserved.operation)).toBeNull();
      expect((await store().blockDeviceMappings([server.id])).get(server.id)).toEqual([]);
      expect(await store().instanceActions(server.id)).toEqual(before);
      expect(await store().abandonReservations(reserved.operation)).toBe('gone');
    });

    it('forgets the server too when it was a build', async () => {
      const created = await store().createInstance({
        instance: newInstance(),
        mappings: [newMapping(), newMapping()],
        requester: requester(),
        confirmWithin: minutes(1),
      });
      expect(await store().abandonReservations(created.operation)).toBe('forgotten');
      expect(await store().instanceEvenDeleted(created.instance.id)).toBeNull();
      expect(await store().instanceActions(created.instance.id)).toEqual([]);
    });

    it('leaves a build to the engine when its server is being deleted', async () => {
      const created = await store().createInstance({
        instance: newInstance(),
        mappings: [newMapping()],
        requester: requester(),
        confirmWithin: minutes(1),
      });
      expect(await store().requestDelete(created.instance.id, requester())).toBe('accepted');
      expect(await store().abandonReservations(created.operation)).toBe('gone');
      expect(await store().instance(created.instance.id)).not.toBeNull();
    });
  });

  describe('requestDelete', () => {
    it('ends extends and attaches that no host has, with all their actions (rule 3.6e)', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const extend = await extendOf(store(), server.id, volume);
      await store().acceptExternalEvents(
        [
          {
            name: 'volume-extended',
            serverId: server.id,
            status: 'completed',
            tag: volume,
            code: 200,
            operation: { kind: 'extend', serverId: server.id, volumeTag: volume },
          },
        ],
        requester(),
      );
      const reserved = await reserve(server.id);
      if (reserved.kind !== 'reserved') throw new Error(reserved.kind);
      const working = await claimed(store(), extend.id);
      expect(await store().requestDelete(server.id, requester())).toBe('accepted');
      for (const id of [extend.id, reserved.operation]) {
        expect(await store().operation(id)).toMatchObject({ state: 'failed', error: { code: 'server-deleted' } });
      }
      expect(await store().end(working, { result: 'succeeded' })).toBeNull();
      expect((await store().instance(server.id))?.taskState).toBe('deleting');
      expect(await openOperation(store(), server.id, 'delete')).toMatchObject({ state: 'queued', initiator: 'user' });
      const actions = await store().instanceActions(server.id);
      expect(actions.map((action) => [action.action, action.message])).toEqual([
        ['delete', null],
        ['attach_volume', expect.stringMatching(/^Error: .*\(server-deleted\)$/)],
        ['extend_volume', expect.stringMatching(/^Error: .*\(server-deleted\)$/)],
        ['extend_volume', expect.stringMatching(/^Error: .*\(server-deleted\)$/)],
        ['create', null],
      ]);
      const shown = must(await store().instanceAction(server.id, actions[2]!.requestId));
      expect(shown.events).toMatchObject([
        {
          event: 'compute_extend_volume',
          result: 'Error',
          details: 'server-deleted: the server is being deleted',
          traceback: null,
        },
      ]);
      expect(shown.events[0]?.finishTime).not.toBeNull();
    });

    it('leaves an extend that a host has', async () => {
      const server = await activeServer(store());
      const sent = await dispatched(store(), (await extendOf(store(), server.id, volumeId())).id);
      await store().requestDelete(server.id, requester());
      expect(await store().operation(sent.id)).toEqual(sent);
    });

    it('is already-deleting while one is open, and accepted again when that one has failed', async () => {
      const server = await activeServer(store());
      expect(await store().requestDelete(serverId(), requester())).toBe('server-not-found');
      expect(await store().requestDelete(server.id, requester())).toBe('accepted');
      const actions = await store().instanceActions(server.id);
      expect(await store().requestDelete(server.id, requester())).toBe('already-deleting');
      expect(await store().instanceActions(server.id)).toEqual(actions);
      const sent = await dispatched(store(), (await openOperation(store(), server.id, 'delete')).id);
      await store().end(await answer(store(), sent), {
        result: 'failed',
        error: { code: 'domain-not-ours', grade: 'final', message: 'not ours', facts: {} },
      });
      expect(await store().requestDelete(server.id, requester())).toBe('accepted');
    });
  });
}
