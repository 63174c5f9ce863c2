import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { bytes } from '@novella/core';
import { comparedUpTo, guestIo } from '../openstack/stories/guest-io.js';
import { Cloud, developmentCinder } from './cloud.js';

const GIB = 2 ** 30;
/** For each kind of file. Loop devices and Ceph: test/openstack/stories. */
const GROWS = Number(process.env['NOVELLA_TEST_GROWS'] ?? 3);

/** A guest that writes all over its volumes, past all caches, and compares what it reads, while they grow. */
describe('a guest at work', () => {
  let cloud: Cloud;
  let server: Awaited<ReturnType<Cloud['server']>>;

  beforeAll(async () => {
    cloud = await Cloud.start(developmentCinder());
    server = await cloud.server(await cloud.imageWith('novella.io'));
  }, 120_000);
  afterAll(async () => {
    await cloud.stop();
  }, 60_000);

  it.each([
    ['raw', undefined],
    ['qcow2', 'qcow2'],
  ])(
    `reads what it wrote to a %s file that grows ${GROWS} times under it`,
    async (_format, type) => {
      const volume = await cloud.attachedVolume(server, type);
      await comparedUpTo(server.guest, volume, 1);
      for (let grown = 1; grown <= GROWS; grown += 1) {
        await cloud.grow(volume, 1 + grown);
        await server.guest.waitForSize(volume, bytes((1 + grown) * GIB));
      }
      await comparedUpTo(server.guest, volume, 1 + GROWS);
      const { wrong, compared } = await guestIo(server.guest, volume);
      expect(compared).toBeGreaterThan(0);
      expect(wrong).toBe(0);
    },
    120_000 + GROWS * 30_000,
  );
});
