import { beforeAll, describe, expect, it } from '@jest/globals';
import type { VolumeType } from '../deployment/cinder.js';
import { BOOT_MS, Cloud, type Server, size } from './cloud.js';
import { type Inventory, takeInventory } from './inventory.js';

const TYPES: readonly VolumeType[] = ['files', 'loops', 'ceph'];

/** The same on each kind of storage, all at once: what Cinder has grown, the kernel of the guest tells. */
describe('a volume of each back end', () => {
  let cloud: Cloud;
  let before: Inventory;
  let server: Server;
  let volumes: string[];

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
    server = await cloud.server('back-ends', cloud.images.virtio);
  }, BOOT_MS);

  const growAll = (sizeGib: number) => Promise.all(volumes.map((volume) => cloud.grow(volume, sizeGib)));
  const seenByAll = (sizeGib: number) =>
    Promise.all(volumes.map((volume) => server.guest.waitForSize(volume, size(sizeGib), BOOT_MS)));
  const results = async (count: number) => {
    const ended = await cloud.ended(server.id, 'extend_volume', count);
    return ended.map(({ events }) => events[0]?.result);
  };

  it('is attached', async () => {
    volumes = await Promise.all(cloud.typesOf(TYPES).map((type) => cloud.attachedVolume(server, type)));
  });

  it('grows under a running guest', async () => {
    await growAll(2);
    await seenByAll(2);
    expect(await results(volumes.length)).toEqual(volumes.map(() => 'Success'));
  });

  it('grows under a paused guest, which sees it when it goes on', async () => {
    await cloud.demo.run('server', 'pause', server.id);
    await cloud.untilServer(server.id, 'PAUSED');
    await growAll(3);
    expect(await results(2 * volumes.length)).toEqual(Array(2 * volumes.length).fill('Success'));
    await cloud.demo.run('server', 'unpause', server.id);
    await seenByAll(3);
  });

  it(
    'grows while the server is off, which sees it when it starts',
    async () => {
      await cloud.demo.run('server', 'stop', server.id);
      await cloud.untilServer(server.id, 'SHUTOFF');
      await growAll(4);
      expect(await results(3 * volumes.length)).toEqual(Array(3 * volumes.length).fill('Success'));
      await cloud.demo.run('server', 'start', server.id);
      await cloud.untilServer(server.id, 'ACTIVE');
      await seenByAll(4);
    },
    BOOT_MS,
  );

  it('is detached and deleted, and nothing is left', async () => {
    for (const volume of volumes) await cloud.detach(server, volume, 4);
    await cloud.deleteVolumes(...volumes);
    await cloud.deleteServers(server.id);
    await cloud.untilAsBefore(before);
  });
});
