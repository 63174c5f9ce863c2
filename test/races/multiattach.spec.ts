import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { minutes, seconds, type ServerId } from '@novella/core';
import { flavor, SERVER, VOLUME } from '@novella/testing';
import { ManyHosts } from './many-hosts.js';

const OTHER = '12121212-1212-4121-8121-121212121212' as ServerId;
/** Each host has room for one of the servers. */
const WHOLE_HOST = { flavor: flavor({ vcpus: 2, memoryMib: 1024 }) };
const room = { vcpus: 2, memoryMib: 1024, diskGib: 10 };
const TWO = 2 ** 31;

let many: ManyHosts;
beforeEach(async () => {
  many = await ManyHosts.start({ 'compute-1': room, 'compute-2': room }, 2);
  await many.acceptBuild(SERVER, VOLUME, WHOLE_HOST);
  await many.acceptBuild(OTHER, VOLUME, WHOLE_HOST);
  await many.settle();
});
afterEach(() => many.stop());

async function seenBy(server: ServerId): Promise<number | null> {
  return (await many.store.blockDeviceMappings([server])).get(server)?.[0]?.guestBytes ?? null;
}
async function hostOf(server: ServerId) {
  const host = (await many.store.instance(server))?.host ?? null;
  const found = host === null ? undefined : many.hosts.get(host);
  if (found === undefined) throw new Error('the server is on no host');
  return found;
}

describe('a volume that two servers on two hosts have', () => {
  it('grows in both by one event for each', async () => {
    expect(await hostOf(SERVER)).not.toBe(await hostOf(OTHER));
    await many.acceptExtend(VOLUME, 2, [SERVER, OTHER]);
    await many.settle();
    expect([await seenBy(SERVER), await seenBy(OTHER)]).toEqual([TWO, TWO]);
  });

  it('grows in one although the host of the other hangs, and in the other when it no longer does', async () => {
    const hanging = await hostOf(OTHER);
    hanging.hangs = true;
    await many.acceptExtend(VOLUME, 2, [SERVER, OTHER]);
    await many.settle(seconds(30));
    expect([await seenBy(SERVER), await seenBy(OTHER)]).toEqual([TWO, TWO / 2]);
    hanging.hangs = false;
    await many.settle();
    expect([await seenBy(SERVER), await seenBy(OTHER)]).toEqual([TWO, TWO]);
  });

  it('is taken from one while it grows in the other', async () => {
    const requester = many.requester();
    (await hostOf(SERVER)).delays.push(seconds(20));
    await many.acceptExtend(VOLUME, 2, [SERVER]);
    const asked = await many.store.requestDetach({ serverId: OTHER, volumeId: VOLUME, requester });
    expect(asked.kind).toBe('accepted');
    await many.settle(minutes(5));
    expect(await seenBy(SERVER)).toBe(TWO);
    expect((await many.store.blockDeviceMappings([OTHER])).get(OTHER)).toEqual([]);
    expect([...many.volumes.records.values()]).toEqual([{ volume: VOLUME, server: SERVER, state: 'attached' }]);
    expect(many.volumes.wrongs).toEqual([]);
  });
});
