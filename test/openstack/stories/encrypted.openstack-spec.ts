import { beforeAll, describe, expect, it } from '@jest/globals';
import { type Bytes, bytes } from '@novella/core';
import { BOOT_MS, Cloud, type Server, size } from './cloud.js';
import { type Inventory, takeInventory } from './inventory.js';

/** LUKS, with the key that Cinder's key manager has for all volumes. The guest sees less than the volume: its header. */
describe('an encrypted volume', () => {
  let cloud: Cloud;
  let before: Inventory;
  let server: Server;
  let volume: string;
  let header: Bytes;

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
    server = await cloud.server('encrypted', cloud.images.virtio);
  }, BOOT_MS);

  it('is attached, and the guest sees what is behind the header', async () => {
    volume = await cloud.volume('ceph-luks');
    await cloud.demo.run('server', 'add', 'volume', server.id, volume);
    const disk = await server.guest.waitForDisk(volume);
    await cloud.untilVolume(volume, 'in-use', 1);
    header = bytes(size(1) - disk.size);
    expect(header).toBeGreaterThan(0);
    expect(header).toBeLessThanOrEqual(16 * 2 ** 20);
  });

  it('grows by all that it was grown by', async () => {
    await cloud.grow(volume, 2);
    await server.guest.waitForSize(volume, bytes(size(2) - header));
    const [ended] = await cloud.ended(server.id, 'extend_volume', 1);
    expect(ended?.events[0]?.result).toBe('Success');
  });

  it(
    'is opened again when the server starts, with what it has grown by meanwhile',
    async () => {
      await cloud.demo.run('server', 'stop', server.id);
      await cloud.untilServer(server.id, 'SHUTOFF');
      await cloud.grow(volume, 3);
      await cloud.ended(server.id, 'extend_volume', 2);
      await cloud.demo.run('server', 'start', server.id);
      await server.guest.waitForSize(volume, bytes(size(3) - header), BOOT_MS);
    },
    BOOT_MS,
  );

  it('is detached and deleted, and nothing is left', async () => {
    await cloud.detach(server, volume, 3);
    await cloud.deleteVolumes(volume);
    await cloud.deleteServers(server.id);
    await cloud.untilAsBefore(before);
  });
});
