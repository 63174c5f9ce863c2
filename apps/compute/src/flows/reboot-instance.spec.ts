import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { truncate } from 'node:fs/promises';
import { millis, seconds } from '@novella/core';
import { virtualClock, type VirtualClock, waitUntil } from '@novella/testing';
import type { DriverMethod } from '@novella/virt';
import { broken, MIB, OTHER_SERVER, SERVER, testHost, type TestHost, type TestVolume } from '../testing/test-host.js';
import { decide } from './reboot-instance.js';

const failed = (code: string) => ({ status: 'failed', error: expect.objectContaining({ code }) as object });

type Break = [string, (host: TestHost) => void];
const driverBreaks = (...methods: DriverMethod[]): Break[] =>
  methods.flatMap((method): Break[] => [
    [`${method}, before`, (host) => host.fake.failNext(method, broken(), 'before')],
    [`${method}, after`, (host) => host.fake.failNext(method, broken(), 'after')],
  ]);
const connectorBreaks = (...methods: ('connect' | 'size')[]): Break[] =>
  methods.map((method): Break => [`connector ${method}`, (host) => (host.faults.connector = { [method]: broken() })]);

describe('reboot_instance', () => {
  let host: TestHost;
  let clock: VirtualClock;
  let disk: TestVolume;

  beforeEach(async () => {
    clock = virtualClock();
    host = await testHost({ clock });
    disk = await host.volume(1, 2);
    await host.build([disk]);
  });
  afterEach(() => host.remove());

  const powered = (powerState: string, guestMib: number | null, hostMib = 2) => ({
    status: 'powered',
    powerState,
    disks: [{ volume: disk.volume, hostBytes: hostMib * MIB, guestBytes: guestMib === null ? null : guestMib * MIB }],
  });
  const off = () => host.fake.setPowerState(SERVER, 'shutdown');
  const run = async () => (await host.fake.guest(SERVER))?.run ?? null;
  const calls = (method: DriverMethod) => host.fake.calls.filter((call) => call.method === method).length;

  it.each(['soft', 'hard'] as const)('(%s) gives the guest a new run, which sees its volume as it is', async (type) => {
    const before = await run();
    await truncate(disk.path, 3 * MIB);
    expect(await host.reboot(type, [disk])).toEqual(powered('running', 3, 3));
    expect(await run()).not.toBe(before);
  });

  it('(soft) waits for a guest that does not listen as long as the grace, (hard) not at all', async () => {
    host.fake.setDeaf(SERVER, true);
    expect(await host.reboot('hard', [disk], host.token(undefined, 1))).toEqual(powered('running', 2));
    expect(clock.monotonic()).toBe(0);
    const rebooting = host.reboot('soft', [disk], host.token(undefined, 2));
    await waitUntil(() => clock.sleeping > 1);
    await clock.advance(seconds(60));
    expect(await rebooting).toEqual(powered('running', 2));
  });

  it.each(['shutdown', 'crashed', 'paused'] as const)('runs a guest that was %s', async (powerState) => {
    await host.fake.setPowerState(SERVER, powerState);
    expect(await host.reboot('hard', [disk])).toEqual(powered('running', 2));
  });

  it('reboots once when the command comes twice, also after a restart', async () => {
    const token = host.token();
    await host.reboot('hard', [disk], token);
    const rebooted = await run();
    expect(await host.reboot('hard', [disk], token)).toEqual(powered('running', 2));
    await host.restart();
    expect(await host.reboot('hard', [disk], host.token())).toEqual(powered('running', 2));
    expect(await run()).toBe(rebooted);
  });

  it('reboots once more when it was asked for once more meanwhile', async () => {
    await host.reboot('soft', [disk], host.token());
    const first = await run();
    await host.reboot('hard', [disk], host.token(), SERVER, 2);
    expect(await run()).not.toBe(first);
  });

  it('reboots again for another operation', async () => {
    await host.reboot('hard', [disk], host.token(undefined, 1));
    const first = await run();
    await host.reboot('hard', [disk], host.token(undefined, 2));
    expect(await run()).not.toBe(first);
  });

  it.each([
    ...driverBreaks('guest', 'stopGuest', 'startGuest'),
    ...connectorBreaks('connect', 'size'),
    ['report', (at: TestHost) => void (at.faults.report = broken())] as Break,
  ])('reboots exactly once when it is run again after a cut at %s', async (where, breakIt) => {
    const before = await run();
    const token = host.token();
    breakIt(host);
    const cut = host.reboot('hard', [disk], token);
    if (where === 'report') await expect(cut).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
    else expect(await cut).toEqual(failed('hypervisor-unreachable'));
    await host.restart();
    expect(await host.reboot('hard', [disk], token)).toEqual(powered('running', 2));
    expect((await run())! - before!).toBe(1);
  });

  it('runs a guest that went off by itself between its note and its stop', async () => {
    const token = host.token();
    host.fake.failNext('stopGuest', broken(), 'before');
    await host.reboot('hard', [disk], token);
    await off();
    expect(await host.reboot('hard', [disk], token)).toEqual(powered('running', 2));
  });

  it('takes a guest that somebody else has started anew meanwhile for rebooted', async () => {
    const token = host.token();
    host.fake.failNext('stopGuest', broken(), 'before');
    await host.reboot('hard', [disk], token);
    await off();
    await host.fake.setPowerState(SERVER, 'running');
    const theirs = await run();
    expect(await host.reboot('hard', [disk], token)).toEqual(powered('running', 2));
    expect(await run()).toBe(theirs);
  });

  it.each(driverBreaks('stopGuest', 'startGuest'))(
    'boots a saved guest although it was cut off at %s, and somebody else lets it go on meanwhile',
    async (_, breakIt) => {
      await host.suspend([disk]);
      await truncate(disk.path, 3 * MIB);
      const token = host.token();
      breakIt(host);
      await host.reboot('hard', [disk], token);
      await host.fake.setPowerState(SERVER, 'running');
      expect(await host.reboot('hard', [disk], token)).toEqual(powered('running', 3, 3));
      expect(host.fake.knownBytes(SERVER, disk.volume)).toBe(3 * MIB);
    },
  );

  it('does not call rebooted what was never stopped', async () => {
    host.virt.stopGuest = () => Promise.resolve();
    expect(await host.reboot('hard', [disk])).toEqual(failed('hypervisor-refused'));
  });

  it('touches nothing when its note cannot be written', async () => {
    const before = await run();
    host.journal.noteReboot = () => Promise.reject(broken());
    expect(await host.reboot('hard', [disk])).toEqual(failed('hypervisor-unreachable'));
    expect(await run()).toBe(before);
  });

  it('knows nothing of the reboots of a server that was deleted and built anew', async () => {
    const token = host.token();
    await host.reboot('hard', [disk], token);
    await host.delete([disk]);
    expect(host.journal.begunReboot(SERVER)).toBeNull();
  });

  it('fails to reboot a server that has no guest here, or one of somebody else', async () => {
    expect(await host.reboot('soft', [disk], host.token(), OTHER_SERVER)).toEqual(failed('domain-not-found'));
    host.fake.addForeignDomain(OTHER_SERVER, 'theirs');
    expect(await host.reboot('soft', [disk], host.token(), OTHER_SERVER)).toEqual(failed('domain-not-ours'));
  });

  it('stops at its next step when a newer command has come meanwhile', async () => {
    const held = host.fake.hangNext('stopGuest', 'after');
    const rebooting = host.reboot('hard', [disk]);
    await held.reached;
    const deleting = host.delete([disk]);
    await clock.advance(millis(0));
    held.release();
    expect(await Promise.all([rebooting, deleting])).toEqual([{ status: 'stale' }, { status: 'deleted' }]);
    expect(calls('startGuest')).toBe(0);
  });

  it('does nothing for a command that a newer one has overtaken', async () => {
    const early = host.token();
    await host.stop([disk]);
    expect(await host.reboot('hard', [disk], early)).toEqual({ status: 'stale' });
    expect(calls('startGuest')).toBe(0);
  });
});

describe('what is left to do for a reboot', () => {
  it.each([
    ['the guest runs as it did', 7, 7, 'stop-and-start'],
    ['the guest is off, and ran', null, 7, 'start'],
    ['the guest is off, and was', null, null, 'start'],
    ['the guest runs anew', 8, 7, 'rebooted-already'],
    ['the guest runs, and was off', 7, null, 'rebooted-already'],
  ] as const)('%s', (_given, now, before, plan) => {
    expect(decide(now, before)).toBe(plan);
  });
});
