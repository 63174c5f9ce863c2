import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { rm, stat } from 'node:fs/promises';
import { NovellaError } from '@novella/core';
import type { DriverMethod } from '@novella/virt';
import { broken, MIB, OTHER_SERVER, SERVER, testHost, type TestHost } from '../testing/test-host.js';

const failed = (code: string) => ({ status: 'failed', error: expect.objectContaining({ code }) as object });

type Break = [string, (host: TestHost) => void];
const driverBreaks = (...methods: DriverMethod[]): Break[] =>
  methods.flatMap((method): Break[] => [
    [`${method}, before`, (host) => host.fake.failNext(method, broken(), 'before')],
    [`${method}, after`, (host) => host.fake.failNext(method, broken(), 'after')],
  ]);
const connectorBreaks = (...methods: ('connect' | 'disconnect' | 'size')[]): Break[] =>
  methods.map((method): Break => [`connector ${method}`, (host) => (host.faults.connector = { [method]: broken() })]);

describe('attach_volume and detach_volume', () => {
  let host: TestHost;
  let disk: Awaited<ReturnType<TestHost['volume']>>;

  beforeEach(async () => {
    host = await testHost();
    disk = await host.volume(1, 2);
    await host.build([]);
  });
  afterEach(() => host.remove());

  const attached = (guestMib: number | null) => ({
    status: 'attached',
    disk: { volume: disk.volume, hostBytes: 2 * MIB, guestBytes: guestMib === null ? null : guestMib * MIB },
  });
  const disks = async () => (await host.fake.guest(SERVER))?.disks.map(({ volume, device }) => [volume, device]);

  it('attaches to a running guest and reports both sizes', async () => {
    expect(await host.attach(disk)).toEqual(attached(2));
    expect(await disks()).toEqual([[disk.volume, 'vdb']]);
  });

  it('attaches to a guest that is off, which sees no size yet', async () => {
    await host.fake.setPowerState(SERVER, 'shutdown');
    expect(await host.attach(disk)).toEqual(attached(null));
  });

  it('leaves a disk that is there as it is', async () => {
    await host.attach(disk);
    expect(await host.attach(disk)).toEqual(attached(2));
    expect(await disks()).toHaveLength(1);
  });

  it('does not attach what is not there, may not be opened, or to no guest', async () => {
    const encrypted = { ...disk, connection: { ...disk.connection, encrypted: true } };
    expect(await host.attach(encrypted)).toEqual(failed('volume-key-missing'));
    await rm(disk.path);
    expect(await host.attach(disk)).toEqual(failed('host-device-missing'));
    const outside = { ...disk, connection: { ...disk.connection, devicePath: '/etc/hostname' } };
    expect(await host.attach(outside)).toEqual(failed('path-outside-roots'));
    expect(await host.outcome('attach_volume', { token: host.token(), server: OTHER_SERVER, disk })).toEqual(
      failed('domain-not-found'),
    );
    expect(await disks()).toEqual([]);
  });

  it('detaches, and says so again when nothing is there', async () => {
    await host.attach(disk);
    expect(await host.detach(disk)).toEqual({ status: 'detached' });
    expect(await disks()).toEqual([]);
    expect(await host.detach(disk)).toEqual({ status: 'detached' });
    expect((await stat(disk.path)).size).toBe(2 * MIB);
  });

  it('detaches from a server that has no guest, and a volume whose device is gone', async () => {
    await host.attach(disk);
    await rm(disk.path);
    expect(await host.detach(disk)).toEqual({ status: 'detached' });
    await host.fake.destroyGuest(SERVER);
    expect(await host.detach(disk)).toEqual({ status: 'detached' });
  });

  it('does not call detached what the guest still holds', async () => {
    await host.attach(disk);
    host.virt.detachDisk = () => Promise.resolve();
    expect(await host.detach(disk)).toEqual(failed('guest-busy'));
  });

  const refused = () => new NovellaError('hypervisor-refused', 'refused by the test');

  it('says what went wrong with a detach while the guest has its disk', async () => {
    await host.attach(disk);
    host.fake.failNext('detachDisk', refused(), 'before');
    expect(await host.detach(disk)).toEqual(failed('hypervisor-refused'));
  });

  it.each<Break>([
    ['the answer that it has done so', (on) => on.fake.failNext('detachDisk', refused(), 'after')],
    ['the device', (on) => (on.faults.connector = { disconnect: refused() })],
  ])('never lets a detach be taken for undone when the guest has let go and %s is lost', async (_what, breakIt) => {
    await host.attach(disk);
    breakIt(host);
    expect(await host.detach(disk)).toEqual(failed('guest-disk-missing'));
    host.faults.connector = {};
    expect(await host.detach(disk)).toEqual({ status: 'detached' });
  });

  it('knows nothing of a detach that failed when the guest cannot be looked at either', async () => {
    await host.attach(disk);
    host.fake.failNext('detachDisk', refused(), 'after');
    const guest = host.virt.guest.bind(host.virt);
    let looks = 0;
    host.virt.guest = (server) => ((looks += 1) === 1 ? guest(server) : Promise.reject(refused()));
    expect(await host.detach(disk)).toEqual(failed('hypervisor-unreachable'));
  });

  it.each([...driverBreaks('guest', 'attachDisk'), ...connectorBreaks('connect', 'size')])(
    'attaches when it is run again after a cut at %s (rule 3.4b)',
    async (_where, breakIt) => {
      const token = host.token();
      breakIt(host);
      expect(await host.attach(disk, token)).toEqual(failed('hypervisor-unreachable'));
      await host.restart();
      expect(await host.attach(disk, token)).toEqual(attached(2));
      expect(await disks()).toEqual([[disk.volume, 'vdb']]);
    },
  );

  it.each([...driverBreaks('guest', 'detachDisk'), ...connectorBreaks('disconnect')])(
    'detaches when it is run again after a cut at %s (rule 3.4b)',
    async (_where, breakIt) => {
      await host.attach(disk);
      const token = host.token();
      breakIt(host);
      expect(await host.detach(disk, token)).toEqual(failed('hypervisor-unreachable'));
      await host.restart();
      expect(await host.detach(disk, token)).toEqual({ status: 'detached' });
      expect(await disks()).toEqual([]);
    },
  );
});
