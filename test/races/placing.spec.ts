import { afterEach, describe, expect, it } from '@jest/globals';
import type { HostName, ServerId } from '@novella/core';
import { flavor } from '@novella/testing';
import { ManyHosts } from './many-hosts.js';

let many: ManyHosts | null = null;
afterEach(async () => {
  await many?.stop();
  many = null;
});

const serverId = (n: number) => `${String(n).padStart(8, '0')}-1111-4111-8111-111111111111` as ServerId;
const SMALL = flavor({ vcpus: 1, memoryMib: 512, rootGib: 1 });
const LARGE = flavor({ vcpus: 3, memoryMib: 1536, rootGib: 3 });
const room = (vcpus: number) => ({ vcpus, memoryMib: vcpus * 512, diskGib: vcpus });

async function buildAtOnce(flavors: readonly (typeof SMALL)[]) {
  const deployment = await ManyHosts.start({ 'compute-1': room(4), 'compute-2': room(5), 'compute-3': room(2) }, 3);
  many = deployment;
  await Promise.all(flavors.map((wanted, n) => deployment.acceptBuild(serverId(n), null, { flavor: wanted })));
  await deployment.settle();
  const services = await deployment.store.services('nova-compute');
  const servers = await Promise.all(flavors.map((_, n) => deployment.store.instance(serverId(n))));
  return { deployment, services, servers };
}

describe('servers that are built at once by three conductors', () => {
  it('never take more of a host than it has, and all that there is', async () => {
    const { deployment, services, servers } = await buildAtOnce(Array.from({ length: 20 }, () => SMALL));
    expect(services.map(({ host, used }) => ({ host, ...used }))).toEqual([
      { host: 'compute-1', ...room(4) },
      { host: 'compute-2', ...room(5) },
      { host: 'compute-3', ...room(2) },
    ]);
    expect(servers.filter((server) => server?.vmState === 'active')).toHaveLength(11);
    const refused = servers.filter((server) => server?.vmState === 'error');
    expect(refused.map((server) => ({ host: server?.host, fault: server?.fault?.details }))).toEqual(
      Array.from({ length: 9 }, () => ({ host: null, fault: expect.stringMatching(/^no-valid-host/) })),
    );
    const guests = [...deployment.hosts].map(([host, { guests: here }]) => [host, here.size]);
    expect(guests).toEqual([
      ['compute-1', 4],
      ['compute-2', 5],
      ['compute-3', 2],
    ]);
  });

  it('fit where they fit although others want the same room', async () => {
    const { services, servers } = await buildAtOnce([LARGE, LARGE, LARGE, LARGE]);
    expect(services.map(({ used }) => used)).toEqual([room(3), room(3), room(0)]);
    expect(servers.map((server) => server?.vmState).sort()).toEqual(['active', 'active', 'error', 'error']);
  });

  it('leave a disabled host alone', async () => {
    const deployment = await ManyHosts.start({ 'compute-1': room(4), 'compute-2': room(4) }, 2);
    many = deployment;
    const [first] = await deployment.store.services('nova-compute');
    await deployment.store.updateService(first?.id ?? '', { disabled: true });
    await Promise.all([1, 2, 3].map((n) => deployment.acceptBuild(serverId(n), null, { flavor: SMALL })));
    await deployment.settle();
    expect([...deployment.hosts].map(([host, { guests }]) => [host, guests.size])).toEqual([
      ['compute-1', 0],
      ['compute-2' as HostName, 3],
    ]);
  });
});
