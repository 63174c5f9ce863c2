import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  type BootImage,
  type BootImages,
  bytes,
  gib,
  gibToBytes,
  minutes,
  type ProjectId,
  type UserId,
} from '@novella/core';
import { EVERY_PROJECT } from '@novella/persistence';
import {
  activeServer,
  answer,
  attachedVolume,
  dispatched,
  FLAVOR,
  HOST,
  must,
  newInstance,
  newMapping,
  openOperation,
  requester,
  serverId,
  volumeId,
  type Subject,
} from './world.js';

export function instanceTests({ store }: Subject): void {
  const create = (changes: Parameters<typeof newInstance>[0] = {}, mappings: Parameters<typeof newMapping>[0][] = []) =>
    store().createInstance({
      instance: newInstance(changes),
      mappings: mappings.map((mapping) => newMapping(mapping)),
      requester: requester(),
      confirmWithin: minutes(1),
    });

  describe('createInstance', () => {
    it('writes a building server with its build, queued, and numbers that grow', async () => {
      const first = await create({ metadata: { key: 'value' }, description: 'a server' });
      const second = await create();
      expect(first.instance).toMatchObject({
        vmState: 'building',
        taskState: 'scheduling',
        powerState: 'nostate',
        host: null,
        generation: 0,
        fault: null,
        metadata: { key: 'value' },
        description: 'a server',
        deletedAt: null,
      });
      expect(second.instance.number).toBeGreaterThan(first.instance.number);
      expect(await store().instance(first.instance.id)).toEqual(first.instance);
      expect(await store().operation(first.operation)).toMatchObject({
        kind: 'build',
        state: 'queued',
        initiator: 'user',
        requestedSeq: 1,
        decidedSeq: 0,
        volumeId: null,
      });
    });

    it('lets a build with volumes wait for nova-api, and names their devices', async () => {
      const wanted = [{}, { device: '/dev/vdb' }, { bus: 'scsi' as const }, { size: gib(3) }];
      const { mappings, operation } = await create({}, wanted);
      expect(mappings.map((mapping) => mapping.device)).toEqual(['/dev/vdc', '/dev/vdb', '/dev/sda', '/dev/vdd']);
      expect(mappings[3]).toMatchObject({
        size: 3,
        wantedBytes: gibToBytes(gib(3)),
        attachmentId: null,
        attachedAt: null,
      });
      expect(await store().operation(operation)).toMatchObject({ state: 'waiting', waitingFor: 'api' });
    });

    it('keeps what the server boots from as it was then', async () => {
      const image: BootImage = {
        id: randomUUID(),
        diskFormat: 'ami',
        size: bytes(2 ** 40 + 1),
        hash: { algorithm: 'sha512', value: 'ab'.repeat(64) },
        minDiskGib: 1,
        minMemoryMib: 64,
        commandLine: "console=ttyS0 'quoted'",
      };
      const bootImages: BootImages = { image, kernel: { ...image, id: randomUUID(), hash: null }, ramdisk: null };
      const { instance } = await create({ bootImages });
      expect(instance.bootImages).toEqual(bootImages);
      expect((await store().instance(instance.id))?.bootImages).toEqual(bootImages);
    });

    it('gives the boot volume the first name, and a name asked for twice only once', async () => {
      const { mappings } = await create({ imageRef: null }, [
        { device: '/dev/vdc' },
        { device: '/dev/vdc' },
        { bootIndex: 0 },
      ]);
      expect(mappings.map((mapping) => mapping.device)).toEqual(['/dev/vdc', '/dev/vdb', '/dev/vda']);
    });
  });

  describe('createInstances', () => {
    it('writes all of them, each with a build and an action of the same request', async () => {
      const asked = requester();
      const given = [0, 1, 2].map((launchIndex) =>
        newInstance({ launchIndex, name: `s-${launchIndex}`, userData: 'eA==' }),
      );
      const made = await store().createInstances({ instances: given, requester: asked });
      expect(made.map(({ id, launchIndex }) => [id, launchIndex])).toEqual(
        given.map(({ id, launchIndex }) => [id, launchIndex]),
      );
      for (const { id } of made) {
        expect(await openOperation(store(), id, 'build')).toMatchObject({ state: 'queued' });
        expect(await store().instanceActions(id)).toMatchObject([{ action: 'create', requestId: asked.requestId }]);
      }
      const listed = must(await store().instances({ projectId: EVERY_PROJECT, limit: 10, marker: null }));
      expect(listed.map(({ name }) => name)).toEqual(['s-2', 's-1', 's-0']);
      expect((await store().instanceExtras(made.map(({ id }) => id))).size).toBe(3);
    });
  });

  describe('instance', () => {
    it('answers null for a server that is not there or deleted; instanceEvenDeleted still knows it', async () => {
      const server = await activeServer(store());
      expect(await store().instance(serverId())).toBeNull();
      expect(await store().instanceEvenDeleted(serverId())).toBeNull();
      await store().requestDelete(server.id, requester());
      const sent = await dispatched(store(), (await openOperation(store(), server.id, 'delete')).id);
      await store().end(await answer(store(), sent), { result: 'succeeded', changes: { instance: { deleted: true } } });
      expect(await store().instance(server.id)).toBeNull();
      const deleted = must(await store().instanceEvenDeleted(server.id));
      expect(deleted).toMatchObject({ vmState: 'deleted', taskState: null, host: HOST });
      expect(deleted.deletedAt).toEqual(deleted.terminatedAt);
      expect(deleted.deletedAt).not.toBeNull();
      expect((await store().instancesForEvents([server.id])).size).toBe(0);
      expect(await store().requestDelete(server.id, requester())).toBe('server-not-found');
      expect(await store().instances({ projectId: EVERY_PROJECT, limit: 10, marker: null })).toEqual([]);
      expect(await store().instanceActions(server.id)).toHaveLength(2);
    });
  });

  describe('usage', () => {
    it('sums up what the undeleted servers of a project, or of a user in it, have by their flavors', async () => {
      const projectId = 'project-1' as ProjectId;
      const usage = (userId: UserId | null) => store().usage({ projectId, userId });
      expect(await usage(null)).toEqual({ instances: 0, cores: 0, memoryMib: 0 });
      await create();
      await create({ userId: 'user-2' as UserId, flavor: { ...FLAVOR, vcpus: 3, memoryMib: 2_000_000_000 } });
      await create({ userId: 'user-2' as UserId, flavor: { ...FLAVOR, vcpus: 3, memoryMib: 2_000_000_000 } });
      await create({ projectId: 'project-2' as ProjectId });
      const gone = await activeServer(store());
      await store().requestDelete(gone.id, requester());
      const sent = await dispatched(store(), (await openOperation(store(), gone.id, 'delete')).id);
      await store().end(await answer(store(), sent), { result: 'succeeded', changes: { instance: { deleted: true } } });
      expect(await usage(null)).toEqual({ instances: 3, cores: 7, memoryMib: 4_000_000_512 });
      expect(await usage('user-2' as UserId)).toEqual({ instances: 2, cores: 6, memoryMib: 4_000_000_000 });
    });
  });

  describe('reads for many servers', () => {
    it('answers the mappings of each in the order of their devices', async () => {
      const one = await activeServer(store());
      const two = await activeServer(store());
      for (const device of ['/dev/vdaa', '/dev/vdc', '/dev/vdb']) await attachedVolume(store(), one, { device });
      const unknown = serverId();
      const mappings = await store().blockDeviceMappings([one.id, two.id, unknown]);
      expect(mappings.get(one.id)?.map((mapping) => mapping.device)).toEqual(['/dev/vdb', '/dev/vdc', '/dev/vdaa']);
      expect(mappings.get(two.id)).toEqual([]);
      expect(mappings.get(unknown)).toEqual([]);
      expect((await store().blockDeviceMappings([])).size).toBe(0);
    });

    it('answers host and project of the servers that events name', async () => {
      const placed = await activeServer(store());
      const { instance } = await create({ projectId: 'project-2' as ProjectId });
      const found = await store().instancesForEvents([placed.id, instance.id, instance.id, serverId()]);
      expect([...found]).toEqual(
        expect.arrayContaining([
          [placed.id, { host: HOST, projectId: 'project-1' }],
          [instance.id, { host: null, projectId: 'project-2' }],
        ]),
      );
      expect(found.size).toBe(2);
    });
  });

  describe('odd text', () => {
    it('stores what Postgres cannot hold as U+FFFD, in text, keys and documents', async () => {
      const odd = 'a\u0000b\ud800c😀';
      const { instance } = await create({ name: odd, metadata: { [odd]: odd }, description: odd });
      const clean = 'a\ufffdb\ufffdc😀';
      expect(await store().instance(instance.id)).toMatchObject({
        name: clean,
        description: clean,
        metadata: { [clean]: clean },
      });
      const named = { limit: 5, marker: null, patterns: { name: odd } };
      const found = must(await store().instances({ projectId: EVERY_PROJECT, ...named }));
      expect(found.map((row) => row.id)).toEqual([instance.id]);
      expect(await store().flavor(odd)).toBeNull();
      expect(await store().instanceAction(instance.id, odd)).toBeNull();
    });

    it('keeps a tag of 255 emoji', async () => {
      const tag = '😀'.repeat(255);
      const server = await activeServer(store());
      const mapping = await attachedVolume(store(), server, { tag, volumeId: volumeId() });
      expect(mapping.tag).toBe(tag);
    });
  });
}
