import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BOOT_MS, Cloud, type Server, size } from './cloud.js';
import { type Inventory, takeInventory } from './inventory.js';

/** 120 for the two minutes that an operator may need. */
const OUTAGE_S = Number(process.env['NOVELLA_TEST_OUTAGE_S'] ?? 15);
const EVENTS = { method: 'POST', has: 'os-server-external-events' } as const;

/** What the services around do wrong, and what the guest sees in the end all the same. */
describe('with services that fail', () => {
  let cloud: Cloud;
  let before: Inventory;
  let server: Server;
  let volume: string;
  let volumeSize = 1;

  beforeAll(async () => {
    cloud = await Cloud.open();
    before = await takeInventory(cloud.facts);
    server = await cloud.server('faults', cloud.images.virtio);
    volume = await cloud.attachedVolume(server, 'files');
  }, BOOT_MS);
  afterEach(async () => {
    await cloud.rules('to-nova', []);
    await cloud.rules('to-cinder', []);
  });

  const grow = async (): Promise<void> => {
    volumeSize += 1;
    await cloud.grow(volume, volumeSize);
  };
  const guestSees = () => server.guest.waitForSize(volume, size(volumeSize), BOOT_MS);
  const extendsSoFar = async () => (await cloud.actionsOf(server.id, 'extend_volume')).length;

  it('an event that never comes is made up for when the host comes back', async () => {
    await cloud.rules('to-nova', [{ ...EVENTS, does: { what: 'lost', body: '{"events": []}' } }]);
    await grow();
    await cloud.untilCount('to-nova', 'answered', 1);
    await cloud.untilVolume(volume, 'in-use', volumeSize);
    expect(await extendsSoFar()).toBe(0);
    process.kill(await cloud.pidOf(server.host), 'SIGKILL');
    await guestSees();
    const [made] = await cloud.ended(server.id, 'extend_volume', 1);
    expect(made?.events[0]?.result).toBe('Success');
  });

  it('an event of which Cinder hears only a 503 is made up for too', async () => {
    await cloud.rules('to-nova', [{ ...EVENTS, does: { what: 'answer', status: 503 } }]);
    const known = await extendsSoFar();
    await grow();
    await cloud.untilCount('to-nova', 'answered', 1);
    await cloud.untilVolume(volume, 'in-use', volumeSize);
    expect(await extendsSoFar()).toBe(known);
    process.kill(await cloud.pidOf(server.host), 'SIGKILL');
    await guestSees();
  });

  it('an event for a volume that did not grow changes nothing and ends well', async () => {
    const known = await extendsSoFar();
    expect(await cloud.event(server.id, volume)).toMatchObject({ events: [{ code: 200, status: 'completed' }] });
    const [newest] = await cloud.ended(server.id, 'extend_volume', known + 1);
    expect(newest?.events[0]?.result).toBe('Success');
    await guestSees();
  });

  it('an event for a volume that the server does not have ends with the reason', async () => {
    const known = await extendsSoFar();
    await cloud.event(server.id, '77777777-7777-4777-8777-777777777777');
    const [newest] = await cloud.ended(server.id, 'extend_volume', known + 1);
    expect(newest?.events[0]?.result).toBe('Error');
    expect(newest?.message).toContain('volume-not-attached');
  });

  it('an event that comes twice is two actions, and the volume grows once', async () => {
    const known = await extendsSoFar();
    await cloud.rules('to-nova', [{ ...EVENTS, does: { what: 'twice' } }]);
    await grow();
    await guestSees();
    const both = await cloud.ended(server.id, 'extend_volume', known + 2);
    expect(both.slice(0, 2).map(({ events }) => events[0]?.result)).toEqual(['Success', 'Success']);
  });

  it.each([500, 503])('a Cinder that answers %d for a while is waited for', async (status) => {
    const known = await extendsSoFar();
    await cloud.rules('to-cinder', [{ has: '/v3/', does: { what: 'answer', status } }]);
    await grow();
    await cloud.untilCount('to-cinder', 'met', 2);
    await cloud.rules('to-cinder', []);
    await guestSees();
    const [newest] = await cloud.ended(server.id, 'extend_volume', known + 1);
    expect(newest?.events[0]?.result).toBe('Success');
  });

  it(`a Cinder that answers 500 and 503 for ${OUTAGE_S} seconds is waited for`, async () => {
    const known = await extendsSoFar();
    await cloud.rules('to-cinder', [{ has: '/v3/', does: { what: 'answer', status: 500 } }]);
    await grow();
    for (
      let since = performance.now(), status = 500;
      performance.now() - since < 1000 * OUTAGE_S;
      status = 1003 - status
    ) {
      await cloud.rules('to-cinder', [{ has: '/v3/', does: { what: 'answer', status } }]);
      await sleep(5_000);
    }
    await cloud.rules('to-cinder', []);
    await guestSees();
    const [newest] = await cloud.ended(server.id, 'extend_volume', known + 1);
    expect(newest?.events[0]?.result).toBe('Success');
  });

  it('a Cinder that is slow is waited for', async () => {
    await cloud.rules('to-cinder', [{ has: '/v3/', does: { what: 'slow', ms: 3000 } }]);
    await grow();
    await guestSees();
  });

  it('a Keystone that is away while an event comes is waited for, or the event made up for', async () => {
    await cloud.rules('to-nova', [{ ...EVENTS, does: { what: 'slow', ms: 2000 } }]);
    await grow();
    await cloud.untilCount('to-nova', 'met', 1);
    await cloud.keystone(false);
    await cloud.untilCount('to-nova', 'answered', 1);
    await cloud.keystone(true);
    process.kill(await cloud.pidOf(server.host), 'SIGKILL');
    await guestSees();
  });

  it("a service's token that is refused in the middle is got anew", async () => {
    await cloud.rules('to-cinder', [{ has: '/v3/', does: { what: 'slow', ms: 1000 } }]);
    await cloud.revokeTokensOf('nova');
    const known = await extendsSoFar();
    await grow();
    await cloud.revokeTokensOf('nova');
    await guestSees();
    const [newest] = await cloud.ended(server.id, 'extend_volume', known + 1);
    expect(newest?.events[0]?.result).toBe('Success');
  });

  it('a token of the user that ends while a volume is attached does not stop it', async () => {
    const other = await cloud.volume('files');
    await cloud.rules('to-cinder', [{ method: 'PUT', has: '/attachments/', does: { what: 'slow', ms: 1500 } }]);
    await cloud.demo.run('server', 'add', 'volume', server.id, other);
    await cloud.revokeTokensOf('demo');
    await server.guest.waitForSize(other, size(1));
    await cloud.untilVolume(other, 'in-use', 1);
    await cloud.detach(server, other, 1);
    await cloud.deleteVolumes(other);
  });

  it('leaves nothing behind', async () => {
    await cloud.detach(server, volume, volumeSize);
    await cloud.deleteVolumes(volume);
    await cloud.deleteServers(server.id);
    await cloud.untilAsBefore(before);
  });
});
