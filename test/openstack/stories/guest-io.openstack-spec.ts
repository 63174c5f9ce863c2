import { beforeAll, describe, expect, it } from '@jest/globals';
import { BOOT_MS, Cloud, type Server, size } from './cloud.js';
import { comparedUpTo, guestIo } from './guest-io.js';
import { type Inventory, takeInventory } from './inventory.js';

/** For each back end; 25 make a hundred with qcow2, which the development Cinder has alone. */
const GROWS = Number(process.env['NOVELLA_TEST_GROWS'] ?? 3);

/** A guest that writes all over its volumes, past all caches, and compares what it reads, while they grow. */
describe('a guest at work', () => {
  let cloud: Cloud;
  let before: Inventory;
  let server: Server;
  const volumes = new Map<string, string>();

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
    server = await cloud.server('io', cloud.images.io);
  }, BOOT_MS);

  it.each(['files', 'loops', 'ceph'] as const)(
    `reads what it wrote to a volume on %s that grows ${GROWS} times under it`,
    async (type) => {
      if (cloud.typesOf([type]).length === 0) return;
      const volume = await cloud.attachedVolume(server, type);
      volumes.set(type, volume);
      await comparedUpTo(server.guest, volume, 1);
      for (let grown = 1; grown <= GROWS; grown += 1) {
        await cloud.grow(volume, 1 + grown);
        await server.guest.waitForSize(volume, size(1 + grown));
      }
      await comparedUpTo(server.guest, volume, 1 + GROWS);
      const { wrong, compared } = await guestIo(server.guest, volume);
      process.stdout.write(`          ${type}: ${compared} blocks compared during ${GROWS} grows, ${wrong} differ\n`);
      expect(wrong).toBe(0);
      await cloud.detach(server, volume, 1 + GROWS);
      await cloud.deleteVolumes(volume);
    },
    120_000 + GROWS * 30_000,
  );

  it('leaves nothing behind', async () => {
    await cloud.deleteServers(server.id);
    await cloud.untilAsBefore(before);
  });
});
