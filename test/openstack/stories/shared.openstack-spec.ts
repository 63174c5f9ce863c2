import { beforeAll, describe, expect, it } from '@jest/globals';
import { BOOT_MS, Cloud, type Server, size } from './cloud.js';
import { type Inventory, takeInventory } from './inventory.js';

describe('a volume of two servers on two hosts', () => {
  let cloud: Cloud;
  let before: Inventory;
  let servers: Server[];
  let volumes: string[];

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
    // One after the other: two at once may find the same host to be the emptiest.
    const one = await cloud.server('shared-1', cloud.images.virtio);
    const two = await cloud.server('shared-2', cloud.images.virtio);
    servers = [one, two];
  }, 2 * BOOT_MS);

  it('has its size in both guests, each on a host of its own', async () => {
    expect(new Set(servers.map(({ host }) => host)).size).toBe(2);
    volumes = await Promise.all(cloud.typesOf(['files-shared', 'ceph-shared']).map((type) => cloud.volume(type)));
    for (const volume of volumes) for (const server of servers) await cloud.attach(server, volume);
  });

  it('grows once, and both kernels tell the new size', async () => {
    await Promise.all(volumes.map((volume) => cloud.grow(volume, 2)));
    const seen = servers.flatMap(({ guest }) => volumes.map((volume) => guest.waitForSize(volume, size(2))));
    await Promise.all(seen);
    for (const { id } of servers) {
      const ended = await cloud.ended(id, 'extend_volume', volumes.length);
      expect(ended.map(({ events }) => events[0]?.result)).toEqual(volumes.map(() => 'Success'));
    }
  });

  it('stays with the one when it goes from the other, and grows there', async () => {
    const [one, two] = servers as [Server, Server];
    for (const volume of volumes) {
      await cloud.demo.run('server', 'remove', 'volume', one.id, volume);
      await one.guest.waitForNoDisk(volume);
      await cloud.ended(one.id, 'detach_volume', 1);
      await cloud.grow(volume, 3);
      await two.guest.waitForSize(volume, size(3));
    }
  });

  it('is detached and deleted, and nothing is left', async () => {
    for (const volume of volumes) await cloud.detach(servers[1] as Server, volume, 3);
    await cloud.deleteVolumes(...volumes);
    await cloud.deleteServers(...servers.map(({ id }) => id));
    await cloud.untilAsBefore(before);
  });
});
