import { describe, expect, it } from '@jest/globals';
import { bytes, gib, millis, minutes } from '@novella/core';
import type { Operation } from '@novella/persistence';
import {
  activeServer,
  answer,
  attachedVolume,
  claimed,
  dispatched,
  extendOf,
  failure,
  LEASE,
  mappingOf,
  must,
  requester,
  type Subject,
  volumeId,
} from './world.js';

export function endTests({ store }: Subject): void {
  const extend = async () => {
    const server = await activeServer(store());
    const volume = volumeId();
    const { id } = await extendOf(store(), server.id, volume);
    return { server, volume, id };
  };

  describe('end', () => {
    it('tells in the details of the event what caused a failure (rule 2.8c)', async () => {
      const server = await activeServer(store());
      const { id } = await extendOf(store(), server.id, volumeId());
      const error = {
        code: 'disk-cannot-grow',
        grade: 'infeasible',
        message: 'libvirt refused',
        facts: { cause: 'read-only' },
      } as const;
      await store().end(await claimed(store(), id), { result: 'failed', error });
      const [newest] = await store().instanceActions(server.id);
      const action = await store().instanceAction(server.id, must(newest).requestId);
      expect(action?.events).toMatchObject([
        { result: 'Error', details: 'disk-cannot-grow: libvirt refused (read-only)' },
      ]);
    });

    it('leaves a server that is being deleted so, whatever else it says of the task', async () => {
      const server = await activeServer(store());
      const mapping = await attachedVolume(store(), server);
      const sent = await dispatched(store(), (await extendOf(store(), server.id, mapping.volumeId)).id);
      await store().requestDelete(server.id, requester());
      await store().end(await answer(store(), sent), {
        result: 'succeeded',
        changes: { instance: { taskState: null } },
      });
      expect(await store().instance(server.id)).toMatchObject({ taskState: 'deleting' });
    });

    it('writes what changes with it, and only rows of its server', async () => {
      const server = await activeServer(store());
      const other = await activeServer(store());
      const mapping = await attachedVolume(store(), server);
      const gone = await attachedVolume(store(), server);
      const foreign = await attachedVolume(store(), other);
      const { id } = await extendOf(store(), server.id, mapping.volumeId);
      const sizes = { size: gib(2), wantedBytes: bytes(2 ** 31), hostBytes: bytes(2 ** 31), guestBytes: null };
      const ended = await store().end(await claimed(store(), id), {
        result: 'succeeded',
        verifiedBy: 'host-device',
        visible: 'next-start',
        changes: {
          instance: { powerState: 'paused', fault: { code: 500, message: 'm', details: 'd' } },
          mappings: [
            { id: mapping.id, ...sizes },
            { id: gone.id, removed: true },
            { id: foreign.id, size: gib(8) },
          ],
        },
      });
      expect(ended).toMatchObject({
        state: 'succeeded',
        verifiedBy: 'host-device',
        visible: 'next-start',
        error: null,
      });
      expect(ended?.endedAt).not.toBeNull();
      expect(await mappingOf(store(), server.id, mapping.id)).toEqual({ ...mapping, ...sizes });
      expect((await store().blockDeviceMappings([server.id])).get(server.id)).toHaveLength(1);
      expect((await mappingOf(store(), other.id, foreign.id)).size).toBe(1);
      const changed = must(await store().instance(server.id));
      expect(changed).toMatchObject({
        powerState: 'paused',
        vmState: 'active',
        fault: { code: 500, message: 'm', details: 'd' },
      });
      expect(changed.fault?.created).toBeInstanceOf(Date);
      expect(changed.launchedAt).toEqual(server.launchedAt);
    });

    it('stores, keeps and clears what is sealed to the host', async () => {
      const server = await activeServer(store());
      const mapping = await attachedVolume(store(), server);
      expect(mapping.sealedSecret).toBeNull();
      let operation = await claimed(store(), (await extendOf(store(), server.id, mapping.volumeId)).id);
      for (const [sealedSecret, kept] of [
        ['c2VhbGVk', 'c2VhbGVk'],
        [undefined, 'c2VhbGVk'],
        [null, null],
      ] as const) {
        const change = { id: mapping.id, ...(sealedSecret === undefined ? { size: gib(1) } : { sealedSecret }) };
        operation = must(
          await store().advance(operation, { step: 'x', lease: LEASE, changes: { mappings: [change] } }),
        );
        expect((await mappingOf(store(), server.id, mapping.id)).sealedSecret).toBe(kept);
        expect((await store().operationFacts(operation))?.mappings[0]?.sealedSecret).toBe(kept);
      }
    });

    it('carries sizes above 2^32 bytes exactly', async () => {
      const server = await activeServer(store());
      const mapping = await attachedVolume(store(), server);
      const { id } = await extendOf(store(), server.id, mapping.volumeId);
      const big = bytes(Number.MAX_SAFE_INTEGER);
      const operation = await claimed(store(), id);
      await store().end(operation, {
        result: 'succeeded',
        changes: {
          mappings: [{ id: mapping.id, wantedBytes: big, hostBytes: big, guestBytes: big, overheadBytes: big }],
        },
      });
      expect(await mappingOf(store(), server.id, mapping.id)).toMatchObject({
        wantedBytes: big,
        hostBytes: big,
        guestBytes: big,
        overheadBytes: big,
      });
      const facts = must(await store().operationFacts(operation));
      expect(facts.mappings[0]?.wantedBytes).toBe(big);
    });

    it('makes the operations of the server due that wait for its task, and no others', async () => {
      const { server, id } = await extend();
      const task = await extendOf(store(), server.id, volumeId());
      await store().wait(await claimed(store(), task.id), { for: 'server-task', nextIn: minutes(5) });
      const paths = await extendOf(store(), server.id, volumeId());
      await store().wait(await claimed(store(), paths.id), { for: 'paths', nextIn: minutes(5) });
      await store().end(await claimed(store(), id), { result: 'succeeded' });
      const due = await store().claimDue('conductor-1', LEASE, 10);
      expect(due.map((operation) => operation.id)).toEqual([task.id]);
    });

    it('keeps one entry, with its first time, for what is waited for again and again', async () => {
      const { id } = await extend();
      const again = async () => must((await store().claimDue('conductor-1', LEASE, 10)).find((one) => one.id === id));
      const first = must<Operation>(await store().wait(await again(), { for: 'host', nextIn: millis(0) }));
      for (let times = 0; times < 3; times++) await store().wait(await again(), { for: 'host', nextIn: millis(0) });
      const last = must<Operation>(await store().wait(await again(), { for: 'cinder', nextIn: millis(0) }));
      expect(last.timeline.map(({ note }) => note)).toEqual(['requested', 'host', 'cinder']);
      expect(last.timeline[1]?.at).toBe(first.timeline.at(-1)?.at);
    });

    it('keeps the last 50 entries of the timeline', async () => {
      const { id } = await extend();
      let operation = await claimed(store(), id);
      for (let count = 0; count < 60; count += 1) {
        operation = must(await store().advance(operation, { step: `step-${count}`, lease: LEASE }));
      }
      expect(operation.timeline).toHaveLength(50);
      expect(operation.timeline.at(-1)).toMatchObject({ state: 'queued', note: 'step-59' });
      expect(operation.timeline[0]?.note).toBe('step-10');
      expect(operation.timeline.every((entry) => new Date(entry.at).toISOString() === entry.at)).toBe(true);
    });

    it('stores odd text of an error without failing', async () => {
      const { id } = await extend();
      const odd = failure({ message: 'a\u0000\udc00', facts: { 'k\u0000': '\ud800' } });
      const ended = await store().end(await claimed(store(), id), { result: 'failed', error: odd });
      expect(ended?.error).toMatchObject({ message: 'a\ufffd\ufffd', facts: { 'k\ufffd': '\ufffd' } });
    });
  });
}
