import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { bytes } from '@novella/core';
import { startRealCinder } from '../openstack/real-cinder.js';
import { Cloud, type StartBlockStorage } from './cloud.js';

const GIB = 2 ** 30;

const realCinder =
  (useLoop: boolean): StartBlockStorage =>
  async ({ endpoint, token }) => {
    const cinder = await startRealCinder({ novaEndpoint: endpoint, novaToken: token, useLoop });
    return { url: cinder.url, volumesDir: cinder.volumesDir, close: () => cinder.stop() };
  };

/** OpenStack's own Cinder grows the volume and tells our API by itself; the guest's kernel says the size. */
describe.each([
  { backEnd: 'files', useLoop: false, image: 'imageId', disk: /^vd/ },
  { backEnd: 'loop devices', useLoop: true, image: 'scsiImageId', disk: /^sd/ },
] as const)("OpenStack's own Cinder on $backEnd", ({ useLoop, image, disk }) => {
  let cloud: Cloud;

  beforeAll(async () => {
    cloud = await Cloud.start(realCinder(useLoop));
  }, 180_000);
  afterAll(async () => {
    await cloud.stop();
  }, 60_000);

  it('grows a volume that is attached through our API, and the guest reports each size', async () => {
    const server = await cloud.server(cloud.images[image]);
    const volume = await cloud.attachedVolume(server);
    for (const size of [2, 3]) {
      await cloud.grow(volume, size);
      expect((await server.guest.waitForSize(volume, bytes(size * GIB))).name).toMatch(disk);
    }
    const ended = { action: 'extend_volume', events: [{ event: 'compute_extend_volume', result: 'Success' }] };
    expect(await cloud.extendsOf(server.id, 2)).toMatchObject([ended, ended]);
  }, 120_000);
});
