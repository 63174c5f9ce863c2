import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { rm, truncate } from 'node:fs/promises';
import { seconds } from '@novella/core';
import { virtualClock, type VirtualClock, waitUntil } from '@novella/testing';
import type { DriverMethod } from '@novella/virt';
import { broken, MIB, OTHER_SERVER, SERVER, testHost, type TestHost, type TestVolume } from '../testing/test-host.js';

const failed = (code: string) => ({ status: 'failed', error: expect.objectContaining({ code }) as object });

type Break = [string, (host: TestHost) => void];
const driverBreaks = (...methods: DriverMethod[]): Break[] =>
  methods.flatMap((method): Break[] => [
    [`${method}, before`, (host) => host.fake.failNext(method, broken(), 'before')],
    [`${method}, after`, (host) => host.fake.failNext(method, broken(), 'after')],
  ]);
const connectorBreaks = (...methods: ('connect' | 'size')[]): Break[] =>
  methods.map((method): Break => [`connector ${method}`, (host) => (host.faults.connector = { [method]: broken() })]);

describe('start_instance and stop_instance', () => {
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

  describe('start', () => {
    it('starts a guest that is off, which then sees what its volume has grown to', async () => {
      await off();
      await truncate(disk.path, 3 * MIB);
      expect(await host.start([disk])).toEqual(powered('running', 3, 3));
    });

    it.each(['running', 'paused'] as const)('leaves a guest that is %s alone', async (powerState) => {
      await host.fake.setPowerState(SERVER, powerState);
      const before = await run();
      expect(await host.start([disk])).toEqual(powered(powerState, 2));
      expect(await run()).toBe(before);
    });

    it('starts nothing when a device of the guest cannot be connected', async () => {
      await off();
      await rm(disk.path);
      expect(await host.start([disk])).toEqual(failed('host-device-missing'));
      expect(await run()).toBeNull();
    });

    it('says nothing of a volume that the guest does not have, and does not connect it', async () => {
      const other = await host.volume(2, 1);
      await rm(other.path);
      await off();
      expect(await host.start([disk, other])).toEqual(powered('running', 2));
    });

    it('starts when it is run again after a start that has failed in the hypervisor', async () => {
      await off();
      const token = host.token();
      await rm(disk.path);
      expect(await host.start([disk], token)).toEqual(failed('host-device-missing'));
      disk = await host.volume(1, 2);
      expect(await host.start([disk], token)).toEqual(powered('running', 2));
    });

    it.each([...driverBreaks('guest', 'startGuest'), ...connectorBreaks('connect', 'size')])(
      'starts once when it is run again after a cut at %s',
      async (_where, breakIt) => {
        await off();
        const token = host.token();
        breakIt(host);
        expect(await host.start([disk], token)).toEqual(failed('hypervisor-unreachable'));
        const started = await run();
        await host.restart();
        expect(await host.start([disk], token)).toEqual(powered('running', 2));
        if (started !== null) expect(await run()).toBe(started);
      },
    );
  });

  describe('stop', () => {
    it('stops a guest that listens, at once', async () => {
      expect(await host.stop([disk])).toEqual(powered('shutdown', null));
      expect(clock.monotonic()).toBe(0);
    });

    it("takes the power of one that does not listen after the host's grace, and not before", async () => {
      host.fake.setDeaf(SERVER, true);
      const stopping = host.stop([disk]);
      await waitUntil(() => calls('stopGuest') > 0);
      await clock.advance(seconds(59));
      expect(await run()).not.toBeNull();
      await clock.advance(seconds(1));
      expect(await stopping).toEqual(powered('shutdown', null));
    });

    it('is done with a guest that is off', async () => {
      await off();
      expect(await host.stop([disk])).toEqual(powered('shutdown', null));
    });

    it('has stopped a guest whose volume went away', async () => {
      await rm(disk.path);
      expect(await host.stop([disk])).toEqual({ status: 'powered', powerState: 'shutdown', disks: [] });
    });

    it('does not call stopped what runs', async () => {
      host.virt.stopGuest = () => Promise.resolve();
      expect(await host.stop([disk])).toEqual(failed('hypervisor-refused'));
    });

    it('leaves a guest alone on which a block job runs', async () => {
      host.fake.setBusy(disk.volume, true);
      expect(await host.stop([disk])).toEqual(failed('guest-busy'));
      expect(await run()).not.toBeNull();
    });

    it.each(driverBreaks('guest', 'stopGuest'))(
      'stops when it is run again after a cut at %s',
      async (_where, breakIt) => {
        const token = host.token();
        breakIt(host);
        expect(await host.stop([disk], token)).toEqual(failed('hypervisor-unreachable'));
        await host.restart();
        expect(await host.stop([disk], token)).toEqual(powered('shutdown', null));
      },
    );

    it('is handed back, not reported, when the process stops while the guest takes its time', async () => {
      host.fake.setDeaf(SERVER, true);
      const token = host.token();
      const before = host.reports.length;
      const stopping = host.stop([disk], token);
      await waitUntil(() => clock.sleeping > 1);
      host.stopping.abort(broken());
      await expect(stopping).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
      expect(host.reports).toHaveLength(before);
      host.fake.setDeaf(SERVER, false);
      await host.restart();
      expect(await host.stop([disk], token)).toEqual(powered('shutdown', null));
    });

    it('does not keep a delete waiting for a guest that takes its time', async () => {
      host.fake.setDeaf(SERVER, true);
      const stopping = host.stop([disk]);
      await waitUntil(() => clock.sleeping > 1);
      expect(await host.delete([disk])).toEqual({ status: 'deleted' });
      expect(await stopping).toEqual({ status: 'stale' });
      expect(clock.monotonic()).toBe(0);
    });
  });

  it.each(['start', 'stop'] as const)('fails to %s a server that has no guest here', async (what) => {
    expect(await host[what]([disk], host.token(), OTHER_SERVER)).toEqual(failed('domain-not-found'));
  });

  it('does nothing for a command that a newer one has overtaken', async () => {
    const early = host.token();
    await host.stop([disk]);
    expect(await host.start([disk], early)).toEqual({ status: 'stale' });
    expect(await run()).toBeNull();
  });
});
