import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFacts } from '../deployment/facts.js';
import { BOOT_MS, Cloud, type Server, size } from './cloud.js';
import { type Inventory, takeInventory } from './inventory.js';

const { disk } = (await readFacts()).images;

/** Cinder copies the image into them; the servers have no image. Only a PC's BIOS boots what is in it. */
(disk === null ? describe.skip : describe)('servers that boot from volumes', () => {
  let cloud: Cloud;
  let before: Inventory;
  let volumes: string[];
  let servers: Server[];

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
  });

  const seenByAll = (sizeGib: number) =>
    Promise.all(servers.map(({ guest }, n) => guest.waitForSize(volumes[n] ?? '', size(sizeGib), BOOT_MS)));

  it(
    'are made of volumes that are made of an image',
    async () => {
      const types = cloud.typesOf(['files', 'ceph']);
      volumes = await Promise.all(types.map((type) => cloud.volume(type, 1, '--image', disk ?? '')));
      servers = await Promise.all(volumes.map((volume, n) => cloud.serverFrom(`boot-${n}`, '--volume', volume)));
      await seenByAll(1);
      for (const { guest } of servers) expect(await guest.text()).toContain('novella.booted=volume');
    },
    2 * BOOT_MS,
  );

  it('see the disk that they run from grow', async () => {
    await Promise.all(volumes.map((volume) => cloud.grow(volume, 2)));
    await seenByAll(2);
    for (const { id } of servers) {
      const [ended] = await cloud.ended(id, 'extend_volume', 1);
      expect(ended?.events[0]?.result).toBe('Success');
    }
  });

  it('leave the volumes, and nothing else, when they are deleted', async () => {
    await cloud.deleteServers(...servers.map(({ id }) => id));
    for (const volume of volumes) await cloud.untilVolume(volume, 'available', 2);
    await cloud.deleteVolumes(...volumes);
    await cloud.untilAsBefore(before);
  });
});
