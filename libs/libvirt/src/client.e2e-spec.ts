import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type PrivateLibvirtd, startPrivateLibvirtd } from '@novella/testing';
import { LibvirtClient } from './client.js';
import { type DomainEvents, LIFECYCLE } from './events.js';
import { LIBVIRT_ERROR, LibvirtError } from './libvirt-error.js';
import type { DomainRef } from './wire-types.js';

jest.setTimeout(180_000);
const MIB = 2 ** 20;
const EVENT_LIMIT_MS = 60_000;
const UUID = '5e50e500-0000-4000-8000-0000000000e1';

describe('LibvirtClient with a real libvirtd', () => {
  let libvirtd: PrivateLibvirtd;
  let client: LibvirtClient;
  let folder: string;
  let domain: DomainRef;
  const lifecycle: DomainEvents['lifecycle'][] = [];

  beforeAll(async () => {
    libvirtd = await startPrivateLibvirtd();
    client = new LibvirtClient({ socketPath: libvirtd.socketPath, firstBackoffMs: 20 });
    client.on('lifecycle', (event) => void lifecycle.push(event));
    folder = await mkdtemp(join(tmpdir(), 'novella-libvirt-client-'));
    const disk = (name: string): string => join(folder, name);
    for (const name of ['virtio', 'scsi']) {
      await writeFile(disk(name), '');
      await truncate(disk(name), 8 * MIB);
    }
    const xml = `<domain type='qemu'><name>client-e2e</name><uuid>${UUID}</uuid><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<controller type='scsi' model='virtio-scsi'/>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${disk('virtio')}'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><alias name='ua-scsi'/><source file='${disk('scsi')}'/><target dev='sda' bus='scsi'/></disk>
</devices></domain>`;
    domain = (await client.call('domainDefineXmlFlags', { xml, flags: 1 })).domain;
  });
  afterAll(async () => {
    await client.close();
    await libvirtd.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function until(seen: () => boolean): Promise<void> {
    const deadline = performance.now() + EVENT_LIMIT_MS;
    while (!seen() && performance.now() < deadline) await sleep(10);
  }
  const events = (): number[] => lifecycle.filter((event) => event.domain.uuid === UUID).map(({ event }) => event);

  it('reads what the host is', async () => {
    expect(await client.call('connectGetType', undefined)).toEqual({ type: 'QEMU' });
    const node = await client.call('nodeGetInfo', undefined);
    expect(node.cpus).toBeGreaterThan(0);
    expect(node.memory).toBeGreaterThan(0n);
    expect((await client.call('connectGetVersion', undefined)).version).toBeGreaterThan(1_000_000n);
  });

  it('finds the domain that it defined, by uuid, by name and in the list', async () => {
    expect(domain).toEqual({ name: 'client-e2e', uuid: UUID, id: -1 });
    expect((await client.call('domainLookupByUuid', { uuid: UUID })).domain).toEqual(domain);
    expect((await client.call('domainLookupByName', { name: 'client-e2e' })).domain).toEqual(domain);
    expect(await client.call('connectListAllDomains', { needResults: 1, flags: 0 })).toEqual({
      domains: [domain],
      count: 1,
    });
  });

  it("hands on libvirt's own error", async () => {
    const lookup = client.call('domainLookupByName', { name: 'not-there' });
    await expect(lookup).rejects.toBeInstanceOf(LibvirtError);
    await expect(lookup).rejects.toMatchObject({ code: LIBVIRT_ERROR.noDomain, procedure: 'domainLookupByName' });
  });

  it('starts, pauses, resizes, detaches and ends a guest, and sees the events', async () => {
    await client.call('domainCreateWithFlags', { domain, flags: 0 });
    await client.call('domainSuspend', { domain });
    expect((await client.call('domainGetState', { domain, flags: 0 })).state).toBe(3);
    await client.call('domainResume', { domain });

    await truncate(join(folder, 'virtio'), 16 * MIB);
    await client.call('domainBlockResize', { domain, disk: 'vda', size: BigInt(16 * MIB), flags: 1 });
    const info = await client.call('domainGetBlockInfo', { domain, path: 'vda', flags: 0 });
    expect(info.capacity).toBe(BigInt(16 * MIB));

    const removed: string[] = [];
    const stop = client.on('device-removed', ({ alias }) => void removed.push(alias));
    const xml = `<disk type='file' device='disk'><target dev='sda' bus='scsi'/></disk>`;
    await client.call('domainDetachDeviceFlags', { domain, xml, flags: 1 });
    await until(() => removed.length > 0);
    stop();
    expect(removed).toEqual(['ua-scsi']);

    await client.call('domainDestroyFlags', { domain, flags: 0 });
    await until(() => events().includes(LIFECYCLE.stopped));
    expect(events()).toEqual(
      expect.arrayContaining([LIFECYCLE.defined, LIFECYCLE.started, LIFECYCLE.suspended, LIFECYCLE.resumed]),
    );
    expect(events().at(-1)).toBe(LIFECYCLE.stopped);
  });

  it('answers a hundred calls that are made at once', async () => {
    const states = await Promise.all(
      Array.from({ length: 100 }, () => client.call('domainGetState', { domain, flags: 0 })),
    );
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set([5]));
  });

  it('sees events again after libvirtd was started anew', async () => {
    let reconnected = 0;
    client.onReconnected(() => (reconnected += 1));
    await libvirtd.restart();
    await until(() => reconnected === 1);
    lifecycle.length = 0;
    await client.call('domainCreateWithFlags', { domain, flags: 0 });
    await until(() => events().includes(LIFECYCLE.started));
    expect(events()).toContain(LIFECYCLE.started);
    await client.call('domainDestroyFlags', { domain, flags: 0 });
    await client.call('domainUndefineFlags', { domain, flags: 0 });
  });
});
