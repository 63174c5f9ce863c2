import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { truncate } from 'node:fs/promises';
import { minutes, seconds } from '@novella/core';
import { virtualClock, type VirtualClock, waitUntil } from '@novella/testing';
import { MIB, OTHER_SERVER, SERVER, testHost, type TestHost, type TestVolume } from './testing/test-host.js';

const failed = (code: string) => ({ status: 'failed', error: expect.objectContaining({ code }) as object });

describe('commands on a host whose hypervisor does not answer for one server', () => {
  let host: TestHost;
  let clock: VirtualClock;
  let disk: TestVolume;
  let otherDisk: TestVolume;

  beforeEach(async () => {
    clock = virtualClock();
    host = await testHost({ clock });
    disk = await host.volume(1, 1);
    otherDisk = await host.volume(2, 1);
    await host.build([disk]);
    await host.build([otherDisk], { server: OTHER_SERVER });
  });
  afterEach(() => host.remove());

  /** So many commands are in work, each with its limit. */
  const inWork = (count: number) => waitUntil(() => clock.sleeping === count);

  it('reports one that gets no answer as failed when its time is over, and does no more of it (rule 6.7)', async () => {
    await truncate(disk.path, 2 * MIB);
    const held = host.fake.hangNext('guest');
    const extending = host.extend(disk, 2);
    await held.reached;
    await clock.advance(seconds(60));
    expect(await extending).toEqual(failed('hypervisor-unreachable'));
    held.release();
    await clock.advance(seconds(1));
    expect(await host.guestMib(disk)).toBe(1);
    expect(host.reports).toHaveLength(3);
  });

  it('reports one that waits for it as busy when its time is over', async () => {
    const held = host.fake.hangNext('startGuest');
    const starting = host.start([disk]);
    await held.reached;
    const extending = host.extend(disk, 1);
    await inWork(2);
    await clock.advance(seconds(60));
    expect(await extending).toEqual(failed('guest-busy'));
    held.release();
    expect(await starting).toMatchObject({ status: 'powered' });
  });

  it('keeps everything else from the server until the unanswered call has ended, and then does it', async () => {
    const held = host.fake.hangNext('startGuest');
    const starting = host.start([disk]);
    await held.reached;
    await clock.advance(minutes(3));
    expect(await starting).toEqual(failed('hypervisor-unreachable'));
    const deleting = host.delete([disk]);
    await inWork(1);
    expect(host.fake.calls.some(({ method }) => method === 'destroyGuest')).toBe(false);
    held.release();
    expect(await deleting).toEqual({ status: 'deleted' });
  });

  it('serves another server meanwhile, however many commands there are for the one that hangs', async () => {
    const hung = await Promise.all(Array.from({ length: 5 }, (_, n) => host.volume(n + 3, 1)));
    for (const volume of hung) await host.attach(volume);
    const releases = hung.map(() => host.fake.hangNext('guest'));
    const before = host.fake.calls.length;
    const hanging = hung.map((volume) => host.extend(volume, 1));
    await Promise.all(releases.slice(0, 4).map(({ reached }) => reached));
    await inWork(5);
    // Four of the five hang in the hypervisor; the last waits for them, and not in the way of anybody else.
    expect(host.fake.calls.slice(before).map(({ server }) => server)).toEqual(Array(4).fill(SERVER));
    for (const held of releases.slice(4)) held.release();

    await truncate(otherDisk.path, 2 * MIB);
    const extended = host.extend(otherDisk, 2, host.token(), OTHER_SERVER);
    // Faults are per method: what is left of them is for the next calls.
    expect(await extended).toMatchObject({ status: 'grown', guestBytes: 2 * MIB });
    for (const held of releases) held.release();
    expect((await Promise.all(hanging)).map(({ status }) => status)).toEqual(Array(5).fill('grown'));
  });

  it('ends the wait of a command that a newer one has overtaken', async () => {
    const waits = host.extend(disk, 2);
    // The device never comes to the wanted size, but the newer command does not wait for that.
    const detaching = host.detach(disk);
    expect(await waits).toEqual({ status: 'stale' });
    expect(await detaching).toEqual({ status: 'detached' });
  });

  it('does not let a command for one volume overtake one for another, or for the server', async () => {
    const held = host.fake.hangNext('startGuest', 'after');
    const starting = host.start([disk]);
    await held.reached;
    const extending = host.extend(disk, 1);
    await inWork(2);
    held.release();
    expect(await starting).toMatchObject({ status: 'powered' });
    expect(await extending).toMatchObject({ status: 'grown' });
  });

  it('begins nothing anew when the process stops, and reports what had begun', async () => {
    const held = host.fake.hangNext('startGuest', 'after');
    const starting = host.start([disk]);
    await held.reached;
    host.stopping.abort(new Error('stopping'));
    held.release();
    expect(await starting).toMatchObject({ status: 'powered' });
  });
});
