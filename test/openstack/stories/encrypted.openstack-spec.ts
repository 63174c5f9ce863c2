import { beforeAll, describe, expect, it } from '@jest/globals';
import { type Bytes, bytes } from '@novella/core';
import { waitUntil } from '@novella/testing';
import { BOOT_MS, Cloud, type Server, size } from './cloud.js';
import { type Inventory, takeInventory } from './inventory.js';

const LARGEST_HEADER = 16 * 2 ** 20;

/**
 * LUKS, with the key that Cinder's key manager has for all volumes. What guests see is without the header. On Ceph, Cinder
 * writes the header itself, and makes the volume larger by it; a volume in a file it leaves empty. A volume that it has
 * grown is as large as it says, header and all.
 */
describe('encrypted volumes', () => {
  let cloud: Cloud;
  let before: Inventory;
  let server: Server;
  let volumes: string[];
  const headers = new Map<string, Bytes>();

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
    server = await cloud.server('encrypted', cloud.images.virtio);
  }, BOOT_MS);

  const withoutHeader = (volume: string, sizeGib: number) => bytes(size(sizeGib) - (headers.get(volume) ?? 0));
  /** The header of a volume of that size, once the guest sees so much of it. */
  async function headerIn(volume: string, sizeGib: number): Promise<Bytes> {
    const look = async () => {
      const { size: seen } = await server.guest.waitForDisk(volume);
      return seen > size(sizeGib) - LARGEST_HEADER && { header: bytes(size(sizeGib) - seen) };
    };
    const what = `the guest to see ${sizeGib} GiB of ${volume}`;
    return (await waitUntil(look, { what, timeout: BOOT_MS, every: 100 })).header;
  }
  async function extendsEnd(count: number): Promise<void> {
    const ended = await cloud.ended(server.id, 'extend_volume', count);
    expect(ended.map(({ events }) => events[0]?.result)).toEqual(Array(count).fill('Success'));
  }

  it(
    'are attached, and the guest sees what is behind the header',
    async () => {
      volumes = await Promise.all(cloud.typesOf(['files-luks', 'ceph-luks']).map((type) => cloud.volume(type)));
      for (const volume of volumes) {
        await cloud.demo.run('server', 'add', 'volume', server.id, volume);
        expect(await headerIn(volume, 1)).toBeGreaterThanOrEqual(0);
        await cloud.untilVolume(volume, 'in-use', 1);
      }
    },
    BOOT_MS,
  );

  it(
    'grow under the running guest',
    async () => {
      await Promise.all(volumes.map((volume) => cloud.grow(volume, 2)));
      for (const volume of volumes) headers.set(volume, await headerIn(volume, 2));
      for (const header of headers.values()) expect(header).toBeGreaterThan(0);
      await extendsEnd(volumes.length);
    },
    BOOT_MS,
  );

  it(
    'are opened again when the server starts, with what they have grown by meanwhile',
    async () => {
      await cloud.demo.run('server', 'stop', server.id);
      await cloud.untilServer(server.id, 'SHUTOFF');
      await Promise.all(volumes.map((volume) => cloud.grow(volume, 3)));
      await extendsEnd(2 * volumes.length);
      await cloud.demo.run('server', 'start', server.id);
      const seen = volumes.map((volume) => server.guest.waitForSize(volume, withoutHeader(volume, 3), BOOT_MS));
      await Promise.all(seen);
    },
    BOOT_MS + 60_000,
  );

  it('are detached and deleted, and nothing is left', async () => {
    for (const volume of volumes) await cloud.detach(server, volume, 3);
    await cloud.deleteVolumes(...volumes);
    await cloud.deleteServers(server.id);
    await cloud.untilAsBefore(before);
  });
});
