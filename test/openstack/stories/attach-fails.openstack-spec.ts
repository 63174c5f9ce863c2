import { beforeAll, describe, expect, it } from '@jest/globals';
import type { WayRule } from '../deployment/http-way.js';
import { BOOT_MS, Cloud, type Server, size } from './cloud.js';
import { type Inventory, takeInventory } from './inventory.js';

const STEPS: readonly [string, Pick<WayRule, 'method' | 'has'>][] = [
  ['makes no attachment', { method: 'POST', has: 'volume_uuid' }],
  ['does not say how the host reaches the volume', { method: 'PUT', has: '/attachments/' }],
  ['does not complete the attachment', { method: 'POST', has: 'os-complete' }],
];

/** As Cinder says no. */
const REFUSAL = JSON.stringify({ badRequest: { code: 400, message: 'Invalid input received' } });

/** Each request that an attach makes of Cinder, refused for good, or for a while. */
describe('an attach with a Cinder that', () => {
  let cloud: Cloud;
  let before: Inventory;
  let server: Server;
  let volume: string;
  /** With the volume, and the server without it. */
  let detached: Inventory;
  let attached = 0;

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
    server = await cloud.server('attach-fails', cloud.images.virtio);
    volume = await cloud.volume(cloud.typesOf(['files', 'ceph']).at(-1) ?? 'files');
    detached = await takeInventory(cloud.facts);
  }, BOOT_MS);

  const attach = () => cloud.demo.run('--os-compute-api-version', '2.60', 'server', 'add', 'volume', server.id, volume);

  it.each(STEPS)('%s leaves no reservation, no attachment and no disk', async (_, which) => {
    await cloud.rules('to-cinder', [{ ...which, does: { what: 'answer', status: 400, body: REFUSAL } }]);
    await attach().catch(() => undefined);
    await cloud.untilCount('to-cinder', 'answered', 1);
    await cloud.untilVolume(volume, 'available', 1);
    await server.guest.waitForNoDisk(volume);
    await cloud.untilAsBefore(detached);
    const ended = await cloud.ended(server.id, 'attach_volume', 0);
    expect(ended.filter(({ events }) => events[0]?.result !== 'Error')).toHaveLength(attached);
    await cloud.rules('to-cinder', []);
  });

  // Whether the first has made one, nobody can tell after a 503: the user waits for the engine to find out.
  it.each(STEPS.slice(1))('%s at first is asked again, and the guest has its disk', async (_, which) => {
    await cloud.rules('to-cinder', [{ ...which, times: 1, does: { what: 'answer', status: 503 } }]);
    await attach();
    await server.guest.waitForSize(volume, size(1));
    await cloud.untilVolume(volume, 'in-use', 1);
    await cloud.untilCount('to-cinder', 'answered', 1);
    attached += 1;
    await cloud.detach(server, volume, 1);
    await cloud.untilAsBefore(detached);
  });

  it('works again leaves nothing behind', async () => {
    await cloud.deleteVolumes(volume);
    await cloud.deleteServers(server.id);
    await cloud.untilAsBefore(before);
  });
});
