import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { millis, type PowerState, type ServerId } from '@novella/core';
import { code, type DriverFixture, MIB } from './fixture.js';

const EVENT_LIMIT_MS = 30_000;
const POLL_MS = 20;
/** Longer than a test may take: whoever waits it out fails. */
const LONG_GRACE_MS = 3_600_000;
/** Enough for a call to have begun; were it not, the test would only be easier. */
const SOON_MS = 100;

/** Guests as they start and stop. */
export function powerConformance(f: DriverFixture): void {
  const stop = (server: ServerId, graceMs: number, signal = new AbortController().signal): Promise<void> =>
    f.driver.stopGuest(server, millis(graceMs), signal);
  const powerState = async (server: ServerId): Promise<PowerState | undefined> =>
    (await f.driver.guest(server))?.powerState;

  describe('startGuest', () => {
    it('starts a guest that is off, with its disks as they now are', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      await stop(server, 0);
      await f.grow(disk, 16);
      expect(await f.driver.startGuest(server)).toMatchObject({
        powerState: 'running',
        disks: [{ volume: disk.volume, guestBytes: 16 * MIB }],
      });
    });

    it('leaves a guest alone that runs or is paused', async () => {
      const server = await f.runningWith();
      const before = await f.driver.guest(server);
      expect(await f.driver.startGuest(server)).toEqual(before);
      await f.under.pause(server);
      expect(await f.driver.startGuest(server)).toEqual({ ...before, powerState: 'paused' });
    });

    it('starts it once when it is called twice at the same time', async () => {
      const server = await f.runningWith();
      await stop(server, 0);
      const [one, other] = await Promise.all([f.driver.startGuest(server), f.driver.startGuest(server)]);
      expect(one).toEqual(other);
      expect(one.powerState).toBe('running');
    });

    it('leaves the guest off when a disk cannot be opened', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      await stop(server, 0);
      await rm(disk.source.path);
      await expect(f.driver.startGuest(server)).rejects.toEqual(code('hypervisor-refused'));
      expect(await powerState(server)).toBe('shutdown');
    });

    it('refuses a guest that is not there', async () => {
      await expect(f.driver.startGuest(f.newServer())).rejects.toEqual(code('domain-not-found'));
    });
  });

  describe('run', () => {
    it('is another one with each start, none while the guest is off, and the same over a pause', async () => {
      const server = await f.runningWith();
      const first = (await f.driver.guest(server))?.run;
      await f.under.pause(server);
      await f.under.resume(server);
      expect((await f.driver.guest(server))?.run).toBe(first);
      await stop(server, 0);
      expect((await f.driver.guest(server))?.run).toBeNull();
      const second = (await f.driver.startGuest(server)).run;
      expect([first, second]).toEqual([expect.any(Number), expect.any(Number)]);
      expect(second).not.toBe(first);
    });
  });

  describe('stopGuest', () => {
    it('lets a guest shut down that listens, long before its grace is over', async () => {
      const server = await f.obedient();
      await stop(server, LONG_GRACE_MS);
      expect(await f.driver.guest(server)).toMatchObject({ powerState: 'shutdown', run: null });
    });

    it('cuts the power of a guest that does not listen, at the end of its grace', async () => {
      const server = await f.deafWith();
      await stop(server, 300);
      expect(await powerState(server)).toBe('shutdown');
    });

    it('cuts the power at once without a grace, and does nothing to a guest that is off', async () => {
      const disk = await f.newDisk(8);
      const server = await f.deafWith(disk);
      await stop(server, 0);
      expect(await f.driver.guest(server)).toMatchObject({
        powerState: 'shutdown',
        disks: [{ volume: disk.volume, guestBytes: null }],
      });
      await stop(server, LONG_GRACE_MS);
      expect(await powerState(server)).toBe('shutdown');
    });

    it('cuts the power of a paused guest at once: it cannot hear', async () => {
      const server = await f.deafWith();
      await f.under.pause(server);
      await stop(server, LONG_GRACE_MS);
      expect(await powerState(server)).toBe('shutdown');
    });

    it('ends when the guest goes off by another hand, and leaves a later run of it alone', async () => {
      const server = await f.deafWith();
      const stopped = stop(server, LONG_GRACE_MS);
      await sleep(SOON_MS);
      await f.under.powerOff(server);
      const restarted = await f.driver.startGuest(server);
      await stopped;
      expect(await f.driver.guest(server)).toEqual(restarted);
    });

    it('answers when it is off to each of two who ask at the same time', async () => {
      const server = await f.deafWith();
      await Promise.all([stop(server, 300), stop(server, 300)]);
      expect(await powerState(server)).toBe('shutdown');
    });

    it("gives the signal's reason, and leaves the power on, when it is aborted", async () => {
      const server = await f.deafWith();
      const abort = new AbortController();
      const stopped = stop(server, LONG_GRACE_MS, abort.signal);
      const reason = new Error('enough');
      const seen = expect(stopped).rejects.toBe(reason);
      await sleep(SOON_MS);
      abort.abort(reason);
      await seen;
      await expect(stop(server, 0, abort.signal)).rejects.toBe(reason);
      expect(await powerState(server)).toBe('running');
    });

    it('lets others act on the guest while it waits', async () => {
      const server = await f.deafWith();
      const abort = new AbortController();
      const stopped = stop(server, LONG_GRACE_MS, abort.signal);
      const seen = expect(stopped).rejects.toThrow('enough');
      expect((await f.driver.attachDisk(server, await f.newDisk(8))).disks).toHaveLength(1);
      abort.abort(new Error('enough'));
      await seen;
    });

    it('is refused while a block job runs on a disk, and works after it', async () => {
      const disk = await f.newDisk(8);
      const server = await f.deafWith(disk);
      const endJob = await f.under.startBlockJob(server, disk);
      await expect(stop(server, 0)).rejects.toEqual(code('guest-busy'));
      expect(await powerState(server)).toBe('running');
      await endJob();
      await stop(server, 0);
      expect(await powerState(server)).toBe('shutdown');
    });

    it('refuses a guest that is not there', async () => {
      await expect(stop(f.newServer(), 0)).rejects.toEqual(code('domain-not-found'));
    });
  });

  describe('onPowerState', () => {
    it('tells each change of a guest of ours', async () => {
      const seen: (readonly [ServerId, PowerState])[] = [];
      f.driver.onPowerState((server, powerState) => void seen.push([server, powerState]));
      const server = await f.runningWith();
      await f.under.pause(server);
      await f.under.powerOff(server);
      const ofServer = (): PowerState[] => seen.filter(([id]) => id === server).map(([, powerState]) => powerState);
      const deadline = performance.now() + EVENT_LIMIT_MS;
      while (!ofServer().includes('shutdown') && performance.now() < deadline) await sleep(POLL_MS);
      expect(ofServer()).toEqual(['running', 'paused', 'shutdown']);
    });
  });
}
