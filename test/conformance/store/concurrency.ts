import { describe, expect, it } from '@jest/globals';
import { minutes, type ServerId, type VolumeId } from '@novella/core';
import type { Store } from '@novella/persistence';
import {
  activeServer,
  answer,
  claimed,
  extended,
  extendOf,
  host,
  LEASE,
  newInstance,
  newMapping,
  openOperation,
  powerUpdate,
  report,
  requester,
  TO_HOST,
  volumeId,
  SESSIONS,
  type Subject,
} from './world.js';

export function concurrencyTests({ store, sessions }: Subject): void {
  /** `work` in every session at once. */
  const everywhere = <T>(work: (session: Store, index: number) => Promise<T>) => Promise.all(sessions().map(work));

  describe(`${SESSIONS} sessions at once`, () => {
    it('never claim the same operation (rule 2.3a)', async () => {
      const server = await activeServer(store());
      const volumes = Array.from({ length: 200 }, volumeId);
      await store().acceptExternalEvents(
        volumes.map((volume) => extended(server.id, volume)),
        requester(),
      );
      const taken = await everywhere(async (session, index) => {
        const mine = [];
        for (let turn = 0; turn < 20; turn += 1) mine.push(...(await session.claimDue(`conductor-${index}`, LEASE, 7)));
        return mine.map((operation) => operation.id);
      });
      expect(taken.flat()).toHaveLength(200);
      expect(new Set(taken.flat()).size).toBe(200);
    });

    it('claim one operation by its id only once', async () => {
      const server = await activeServer(store());
      const { id } = await extendOf(store(), server.id, volumeId());
      const taken = await everywhere((session, index) => session.claimOne(id, `conductor-${index}`, LEASE));
      expect(taken.filter((operation) => operation !== null)).toHaveLength(1);
    });

    it('lose no request, in whatever order their events name servers and volumes', async () => {
      const servers = [await activeServer(store()), await activeServer(store())].map((server) => server.id);
      const volumes = Array.from({ length: 10 }, volumeId);
      const pairs = servers.flatMap((server) => volumes.map((volume): [ServerId, VolumeId] => [server, volume]));
      await everywhere(async (session, index) => {
        for (let turn = 0; turn < 10; turn += 1) {
          const rotated = [...pairs.slice(index + turn), ...pairs.slice(0, index + turn)];
          const ordered = index % 2 === 0 ? rotated : rotated.reverse();
          await session.acceptExternalEvents(
            ordered.map(([server, volume]) => extended(server, volume)),
            requester(),
          );
        }
      });
      const open = await store().operations({ open: true, limit: 100 });
      expect(open.map((operation) => operation.requestedSeq)).toEqual(Array.from({ length: 20 }, () => 80));
      for (const server of servers) expect(await store().instanceActions(server)).toHaveLength(801);
    });

    it('finish every request exactly once while events arrive and operations end', async () => {
      const server = await activeServer(store());
      const volumes = Array.from({ length: 4 }, volumeId);
      const asking = everywhere(async (session) => {
        for (let turn = 0; turn < 15; turn += 1) {
          await session.acceptExternalEvents(
            volumes.map((volume) => extended(server.id, volume)),
            requester(),
          );
        }
      });
      let ended = 0;
      let asked = false;
      const engine = async (session: Store, index: number): Promise<void> => {
        for (;;) {
          const finish = asked;
          const due = await session.claimDue(`conductor-${index}`, LEASE, 2);
          for (const operation of due) {
            const sent = await session.dispatch(operation, TO_HOST);
            if (sent === null || sent === 'excluded') throw new Error('a claimed operation was raced');
            if ((await session.end(await answer(session, sent), { result: 'succeeded' })) !== null) ended += 1;
          }
          if (finish && due.length === 0) return;
        }
      };
      const engines = sessions().slice(0, 4).map(engine);
      await asking;
      asked = true;
      await Promise.all(engines);
      expect(await store().operations({ open: true, limit: 10 })).toEqual([]);
      expect(ended).toBeGreaterThanOrEqual(4);
      const actions = await store().instanceActions(server.id);
      expect(actions).toHaveLength(SESSIONS * 15 * 4 + 1);
      const shown = await Promise.all(actions.map((action) => store().instanceAction(server.id, action.requestId)));
      expect(shown.every((action) => action?.events.length === 1 && action.events[0]?.result === 'Success')).toBe(true);
    });

    it('reserve different devices on one server', async () => {
      const server = await activeServer(store());
      const reserved = await everywhere((session) =>
        Promise.all(
          Array.from({ length: 3 }, () =>
            session.reserveAttachment({
              serverId: server.id,
              mapping: newMapping(),
              requester: requester(),
              confirmWithin: minutes(1),
            }),
          ),
        ),
      );
      const devices = reserved
        .flat()
        .map((result) => (result.kind === 'reserved' ? result.mapping.device : result.kind));
      const expected = Array.from({ length: SESSIONS * 3 }, (_, index) => `/dev/vd${String.fromCharCode(98 + index)}`);
      expect(devices.sort()).toEqual(expected);
    });

    it('attach one volume to one server once', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const reserved = await everywhere((session) =>
        session.reserveAttachment({
          serverId: server.id,
          mapping: newMapping({ volumeId: volume }),
          requester: requester(),
          confirmWithin: minutes(1),
        }),
      );
      const kinds = reserved.map((result) => result.kind).sort();
      expect(kinds).toEqual([...Array.from({ length: SESSIONS - 1 }, () => 'already-attached'), 'reserved']);
    });

    it('place no more than there is room for', async () => {
      const small = host('small');
      await store().reportService(report({ host: small, capacity: { vcpus: 5, memoryMib: 1_000_000, diskGib: 1000 } }));
      const placed = await everywhere(async (session) => {
        const created = await session.createInstance({
          instance: newInstance(),
          mappings: [],
          requester: requester(),
          confirmWithin: minutes(1),
        });
        const operation = await claimed(session, created.operation);
        return session.place(operation, created.instance.id, small, { vcpus: 1, memoryMib: 1, diskGib: 1 });
      });
      expect(placed.filter((result) => result === 'placed')).toHaveLength(5);
      expect(placed.filter((result) => result === 'no-room')).toHaveLength(SESSIONS - 5);
      const [service] = await store().services('nova-compute');
      expect(service?.used.vcpus).toBe(5);
    });

    it('dispatch one of two operations that exclude each other', async () => {
      for (let round = 0; round < 5; round += 1) {
        const server = await activeServer(store());
        await store().acceptExternalEvents([powerUpdate(server.id, 'POWER_ON')], requester());
        await store().requestDelete(server.id, requester());
        const power = await claimed(store(), (await openOperation(store(), server.id, 'power-update')).id);
        const remove = await claimed(store(), (await openOperation(store(), server.id, 'delete')).id);
        const results = await everywhere((session, index) =>
          session.dispatch(index % 2 === 0 ? power : remove, TO_HOST),
        );
        expect(results.filter((result) => result !== null && result !== 'excluded')).toHaveLength(1);
        const open = await store().operations({ serverId: server.id, open: true, limit: 10 });
        expect(open.filter((operation) => operation.state === 'dispatched')).toHaveLength(1);
      }
    });

    it('accept one delete', async () => {
      const server = await activeServer(store());
      const results = await everywhere((session) => session.requestDelete(server.id, requester()));
      expect(results.filter((result) => result === 'accepted')).toHaveLength(1);
      expect(results.filter((result) => result === 'already-deleting')).toHaveLength(SESSIONS - 1);
    });

    it('open one system extend, and run one exclusive piece of work at a time', async () => {
      const server = await activeServer(store());
      const volume = volumeId();
      const opened = await everywhere((session) =>
        session.openSystemExtend({ serverId: server.id, volumeId: volume, requester: requester() }),
      );
      expect(opened.filter(Boolean)).toHaveLength(1);
      let running = 0;
      let most = 0;
      await everywhere((session) =>
        session.exclusively('work', async () => {
          running += 1;
          most = Math.max(most, running);
          await session.flavors();
          running -= 1;
        }),
      );
      expect(most).toBe(1);
    });

    it('delete, end, wake and accept on the same servers without losing each other', async () => {
      const servers = await Promise.all(Array.from({ length: 3 }, () => activeServer(store())));
      const volumes = Array.from({ length: 5 }, volumeId);
      await everywhere(async (session, index) => {
        for (let turn = 0; turn < 10; turn += 1) {
          const events = servers.flatMap((server) => volumes.map((volume) => extended(server.id, volume)));
          if (index < 3) await session.acceptExternalEvents(events, requester());
          else if (index === 3) await session.wake({ for: 'cinder' });
          else if (index === 4 && turn > 5) await session.requestDelete(servers[turn % 3]!.id, requester());
          else {
            for (const operation of await session.claimDue(`conductor-${index}`, LEASE, 5)) {
              if (turn % 2 === 0) await session.wait(operation, { for: 'server-task', nextIn: minutes(5) });
              else
                await session.end(operation, { result: 'succeeded', changes: { instance: { powerState: 'running' } } });
            }
          }
        }
      });
      const open = await store().operations({ open: true, limit: 100 });
      const keys = open.map((operation) => `${operation.serverId} ${operation.volumeId ?? ''} ${operation.kind}`);
      expect(new Set(keys).size).toBe(keys.length);
      for (const operation of open) expect(operation.requestedSeq).toBeGreaterThanOrEqual(operation.decidedSeq);
    });
  });
}
