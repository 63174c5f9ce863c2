import { describe, expect, it } from '@jest/globals';
import { minutes } from '@novella/core';
import {
  activeServer,
  answer,
  attachedVolume,
  claimed,
  dispatched,
  extendOf,
  HOST,
  host,
  LEASE,
  must,
  openOperation,
  report,
  requester,
  serverId,
  type Subject,
  volumeId,
} from './world.js';

export function engineReadTests({ store, pass }: Subject): void {
  const extend = async () => {
    const server = await activeServer(store());
    const volume = volumeId();
    const { id } = await extendOf(store(), server.id, volume);
    return { server, volume, id };
  };

  describe('operationFacts', () => {
    it('answers the server, the mapping of the volume, the service and the other open operations', async () => {
      const server = await activeServer(store());
      const mapping = await attachedVolume(store(), server);
      await attachedVolume(store(), server);
      const operation = await extendOf(store(), server.id, mapping.volumeId);
      const other = await extendOf(store(), server.id, volumeId());
      const facts = must(await store().operationFacts(operation));
      expect(facts.instance).toEqual(await store().instance(server.id));
      expect(facts.mappings).toEqual([mapping]);
      expect(facts.service).toMatchObject({
        host: HOST,
        up: true,
        capabilities: report().capabilities,
      });
      const { used: _used, ...placedOn } = must((await store().services('nova-compute'))[0]);
      expect(facts.service).toEqual(placedOn);
      expect(facts.others).toEqual([{ kind: 'extend', state: 'queued', volumeId: other.volumeId }]);
    });

    it('answers all mappings to an operation without a volume, and no service without a host', async () => {
      const server = await activeServer(store());
      await attachedVolume(store(), server);
      await attachedVolume(store(), server);
      await store().requestDelete(server.id, requester());
      const facts = must(await store().operationFacts(await openOperation(store(), server.id, 'delete')));
      expect(facts.mappings.map((mapping) => mapping.device)).toEqual(['/dev/vdb', '/dev/vdc']);
      const operation = await openOperation(store(), server.id, 'delete');
      expect(await store().operationFacts({ ...operation, serverId: serverId() })).toBeNull();
    });
  });

  describe('wake', () => {
    it('makes those due that wait for the host, or for Cinder, and counts them (rules 3.1b, 3.1c)', async () => {
      const { server, id } = await extend();
      await store().wait(await claimed(store(), id), { for: 'host', nextIn: minutes(5) });
      const cinder = await extendOf(store(), server.id, volumeId());
      await store().wait(await claimed(store(), cinder.id), { for: 'cinder', nextIn: minutes(5) });
      expect(await store().wake({ for: 'host', host: host('compute-2') })).toBe(0);
      expect(await store().wake({ for: 'host', host: HOST })).toBe(1);
      expect((await store().claimDue('conductor-1', LEASE, 10)).map((operation) => operation.id)).toEqual([id]);
      expect(await store().wake({ for: 'cinder' })).toBe(1);
      expect((await store().claimDue('conductor-1', LEASE, 10)).map((operation) => operation.id)).toEqual([cinder.id]);
    });
  });

  describe('takeOver', () => {
    it('makes due what one process held by its leases, and nobody else', async () => {
      const { server, id } = await extend();
      const other = await extendOf(store(), server.id, volumeId());
      await store().claimOne(id, 'conductor-1', minutes(5));
      await store().claimOne(other.id, 'conductor-2', minutes(5));
      expect(await store().takeOver({ claimedBy: 'conductor-1' })).toBe(1);
      expect((await store().claimDue('conductor-3', LEASE, 10)).map((operation) => operation.id)).toEqual([id]);
      expect(await store().takeOver({ claimedBy: 'conductor-1' })).toBe(0);
    });

    it('leaves to a process what it says that it still works on', async () => {
      const { server, id } = await extend();
      const other = await extendOf(store(), server.id, volumeId());
      for (const one of [id, other.id]) await store().claimOne(one, 'conductor-1', minutes(5));
      expect(await store().takeOver({ claimedBy: 'conductor-1', except: [other.id] })).toBe(1);
      expect((await store().claimDue('conductor-1', LEASE, 10)).map((operation) => operation.id)).toEqual([id]);
    });

    it('makes due what was dispatched to a host, and the answer to that is still taken (rule 3.1a)', async () => {
      const { id } = await extend();
      const sent = await dispatched(store(), id);
      expect(await store().takeOver({ host: host('compute-2') })).toBe(0);
      expect(await store().claimDue('conductor-1', LEASE, 10)).toEqual([]);
      expect(await store().takeOver({ host: HOST })).toBe(1);
      await pass(2);
      expect((await store().claimDue('conductor-1', LEASE, 10)).map((operation) => operation.id)).toEqual([id]);
      expect(await answer(store(), sent)).toMatchObject({ id, attempt: 1 });
    });
  });

  describe('operations', () => {
    it('lists newest first, by server and by whether they are open', async () => {
      const server = await activeServer(store());
      await pass(2);
      const { id } = await extendOf(store(), server.id, volumeId());
      await pass(2);
      const newer = await extendOf(store(), server.id, volumeId());
      await store().end(await claimed(store(), id), { result: 'succeeded' });
      const ids = async (filter: { open?: boolean }) =>
        (await store().operations({ serverId: server.id, limit: 10, ...filter })).map((operation) => operation.id);
      expect((await ids({})).slice(0, 2)).toEqual([newer.id, id]);
      expect(await ids({ open: true })).toEqual([newer.id]);
      expect((await ids({ open: false }))[0]).toBe(id);
      expect(await store().operations({ limit: 1 })).toHaveLength(1);
      expect(await store().operations({ serverId: serverId(), limit: 1 })).toEqual([]);
    });
  });
}
