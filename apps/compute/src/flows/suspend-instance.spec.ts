import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { rm, truncate } from 'node:fs/promises';
import type { PowerState } from '@novella/core';
import type { DriverMethod } from '@novella/virt';
import { broken, MIB, OTHER_SERVER, SERVER, testHost, type TestHost, type TestVolume } from '../testing/test-host.js';

const failed = (code: string) => ({ status: 'failed', error: expect.objectContaining({ code }) as object });

describe('pause, unpause, suspend and resume', () => {
  let host: TestHost;
  let disk: TestVolume;

  beforeEach(async () => {
    host = await testHost();
    disk = await host.volume(1, 2);
    await host.build([disk]);
  });
  afterEach(() => host.remove());

  const powered = (powerState: PowerState, guestMib: number | null, hostMib = 2) => ({
    status: 'powered',
    powerState,
    disks: [{ volume: disk.volume, hostBytes: hostMib * MIB, guestBytes: guestMib === null ? null : guestMib * MIB }],
  });
  const withoutDisks = (powerState: PowerState) => ({ status: 'powered', powerState, disks: [] });
  const knownMib = (): number => (host.fake.knownBytes(SERVER, disk.volume) ?? 0) / MIB;

  it('pause and unpause hold the guest, with what it sees of its disks', async () => {
    expect(await host.pause([disk])).toEqual(powered('paused', 2));
    expect(await host.unpause([disk])).toEqual(powered('running', 2));
  });

  it('let a paused guest be told at once of a volume that grows', async () => {
    await host.pause([disk]);
    await truncate(disk.path, 3 * MIB);
    expect(await host.extend(disk, 3)).toEqual({ status: 'grown', hostBytes: 3 * MIB, guestBytes: 3 * MIB });
    expect(await host.unpause([disk])).toEqual(powered('running', 3, 3));
  });

  it('suspend and resume save the guest and let it go on', async () => {
    expect(await host.suspend([disk])).toEqual(powered('saved', null));
    expect(await host.resume([disk])).toEqual(powered('running', 2));
  });

  it('leave it to an extend to tell a resumed guest of a volume that has grown meanwhile', async () => {
    await host.suspend([disk]);
    await truncate(disk.path, 3 * MIB);
    expect(await host.extend(disk, 3)).toEqual({ status: 'grown', hostBytes: 3 * MIB, guestBytes: null });
    expect(await host.resume([disk])).toEqual(powered('running', 3, 3));
    // The hypervisor shows the new size, but the guest still goes by the old one.
    expect(knownMib()).toBe(2);
    expect(await host.extend(disk, 3)).toEqual({ status: 'grown', hostBytes: 3 * MIB, guestBytes: 3 * MIB });
    expect(knownMib()).toBe(3);
  });

  it('tell a resumed guest of a volume that has grown without a word to us, too', async () => {
    await host.suspend([disk]);
    await truncate(disk.path, 3 * MIB);
    await host.resume([disk]);
    expect(await host.extend(disk, 3)).toMatchObject({ status: 'grown' });
    expect(knownMib()).toBe(3);
  });

  it('hold, release and save a guest whatever can be measured of its volumes', async () => {
    await rm(disk.path);
    expect(await host.pause([disk])).toEqual(withoutDisks('paused'));
    expect(await host.unpause([disk])).toEqual(withoutDisks('running'));
    expect(await host.suspend([disk])).toEqual(withoutDisks('saved'));
  });

  it('resume nothing while a device of the guest cannot be connected, and keep its memory', async () => {
    await host.suspend([disk]);
    await rm(disk.path);
    expect(await host.resume([disk])).toEqual(failed('host-device-missing'));
    expect(await host.fake.guest(SERVER)).toMatchObject({ powerState: 'saved' });
  });

  it('answer what a guest is that has switched itself off meanwhile', async () => {
    await host.fake.setPowerState(SERVER, 'shutdown');
    expect(await host.pause([disk])).toEqual(powered('shutdown', null));
    expect(await host.unpause([disk])).toEqual(powered('shutdown', null));
    expect(await host.suspend([disk])).toEqual(powered('shutdown', null));
  });

  it.each(['pause', 'unpause', 'suspend', 'resume'] as const)('%s fails without a guest of ours', async (name) => {
    expect(await host[name]([disk], host.token(), OTHER_SERVER)).toEqual(failed('domain-not-found'));
    host.fake.addForeignDomain(OTHER_SERVER, 'foreign');
    expect(await host[name]([disk], host.token(), OTHER_SERVER)).toEqual(failed('domain-not-ours'));
  });

  it.each<['pause' | 'unpause' | 'suspend' | 'resume', DriverMethod]>([
    ['pause', 'pauseGuest'],
    ['unpause', 'unpauseGuest'],
    ['suspend', 'suspendGuest'],
    ['resume', 'resumeGuest'],
  ])('%s does nothing when a newer command has come', async (name, method) => {
    const early = host.token();
    await host.stop([disk]);
    expect(await host[name]([disk], early)).toEqual({ status: 'stale' });
    expect(host.fake.calls.filter((call) => call.method === method)).toEqual([]);
  });

  it('suspend does not save a guest again whose saving was not heard of', async () => {
    host.fake.failNext('suspendGuest', broken(), 'after');
    expect(await host.suspend([disk])).toEqual(failed('hypervisor-unreachable'));
    expect(await host.suspend([disk])).toEqual(powered('saved', null));
  });
});
