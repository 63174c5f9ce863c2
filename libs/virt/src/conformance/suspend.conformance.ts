import { rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { millis, type PowerState, type ServerId } from '@novella/core';
import type { Guest, GuestDisk } from '../driver.js';
import { code, type DriverFixture, MIB } from './fixture.js';

const EVENT_LIMIT_MS = 30_000;
const POLL_MS = 20;

/** Guests as they are held and go on, with their memory. */
export function suspendConformance(f: DriverFixture): void {
  const never = new AbortController().signal;
  const guest = async (server: ServerId): Promise<Guest> => {
    const found = await f.driver.guest(server);
    if (!found) throw new Error('the guest is gone');
    return found;
  };
  const savedWith = async (...disks: GuestDisk[]): Promise<ServerId> => {
    const server = await f.runningWith(...disks);
    await f.driver.suspendGuest(server, never);
    return server;
  };
  const powerOff = (server: ServerId): Promise<void> => f.driver.stopGuest(server, millis(0), never);

  describe('pauseGuest and unpauseGuest', () => {
    it('hold a guest with its disks, and let it go on', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      const running = await guest(server);
      expect(await f.driver.pauseGuest(server)).toEqual({ ...running, powerState: 'paused' });
      expect(await f.driver.unpauseGuest(server)).toEqual(running);
    });

    it('do nothing to a guest that is so already, is off, or is saved', async () => {
      const server = await f.runningWith();
      expect((await f.driver.unpauseGuest(server)).powerState).toBe('running');
      await f.driver.pauseGuest(server);
      expect((await f.driver.pauseGuest(server)).powerState).toBe('paused');
      await powerOff(server);
      expect((await f.driver.pauseGuest(server)).powerState).toBe('shutdown');
      expect((await f.driver.unpauseGuest(server)).powerState).toBe('shutdown');
      const saved = await savedWith();
      expect((await f.driver.pauseGuest(saved)).powerState).toBe('saved');
      expect((await f.driver.unpauseGuest(saved)).powerState).toBe('saved');
    });

    it('refuse a guest that is not there', async () => {
      await expect(f.driver.pauseGuest(f.newServer())).rejects.toEqual(code('domain-not-found'));
      await expect(f.driver.unpauseGuest(f.newServer())).rejects.toEqual(code('domain-not-found'));
    });
  });

  describe('suspendGuest', () => {
    it('saves the memory of a guest, which is off then and keeps its disks', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      const saved = await f.driver.suspendGuest(server, never);
      const kept = { volume: disk.volume, device: disk.device, path: disk.source.path, guestBytes: null };
      expect(saved).toEqual({ server, powerState: 'saved', run: null, disks: [kept] });
      expect(await f.driver.guests()).toEqual([saved]);
      expect(await f.driver.suspendGuest(server, never)).toEqual(saved);
    });

    it('saves it once when it is called twice at the same time', async () => {
      const server = await f.runningWith();
      const both = await Promise.all([f.driver.suspendGuest(server, never), f.driver.suspendGuest(server, never)]);
      expect(both.map(({ powerState }) => powerState)).toEqual(['saved', 'saved']);
    });

    it('saves a guest that is paused, and leaves one alone that is off', async () => {
      const server = await f.runningWith();
      await f.driver.pauseGuest(server);
      expect((await f.driver.suspendGuest(server, never)).powerState).toBe('saved');
      await powerOff(server);
      expect((await f.driver.suspendGuest(server, never)).powerState).toBe('shutdown');
    });

    it('is refused while a block job runs on a disk: the guest goes on', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      const endJob = await f.under.startBlockJob(server, disk);
      await expect(f.driver.suspendGuest(server, never)).rejects.toEqual(code('guest-busy'));
      expect((await guest(server)).powerState).toBe('running');
      await endJob();
      expect((await f.driver.suspendGuest(server, never)).powerState).toBe('saved');
    });

    it("gives the signal's reason when it is aborted", async () => {
      const server = await f.runningWith();
      const reason = new Error('enough');
      await expect(f.driver.suspendGuest(server, AbortSignal.abort(reason))).rejects.toBe(reason);
      expect((await guest(server)).powerState).toBe('running');
    });

    it('refuses a guest that is not there', async () => {
      await expect(f.driver.suspendGuest(f.newServer(), never)).rejects.toEqual(code('domain-not-found'));
    });
  });

  describe('a saved guest', () => {
    it('takes no disk and lets none go', async () => {
      const disk = await f.newDisk(8);
      const server = await savedWith(disk);
      const other = await f.newDisk(8, { device: 'vdc' });
      await expect(f.driver.attachDisk(server, other)).rejects.toEqual(code('guest-busy'));
      await expect(f.driver.detachDisk(server, disk.volume)).rejects.toEqual(code('guest-busy'));
      expect((await guest(server)).disks).toMatchObject([{ volume: disk.volume }]);
    });

    it('loses its memory when it is started, stopped or destroyed', async () => {
      const server = await savedWith();
      expect((await f.driver.startGuest(server)).powerState).toBe('running');
      await powerOff(server);
      expect((await guest(server)).powerState).toBe('shutdown');
      const stopped = await savedWith();
      await powerOff(stopped);
      expect((await guest(stopped)).powerState).toBe('shutdown');
      const destroyed = await savedWith();
      await f.driver.destroyGuest(destroyed);
      await f.driver.createGuest(f.spec(destroyed));
      await powerOff(destroyed);
      expect((await guest(destroyed)).powerState).toBe('shutdown');
    });
  });

  describe('resumeGuest', () => {
    it('lets a guest go on in another run, and shows its disks as the host has them now', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      const { run } = await guest(server);
      await f.driver.suspendGuest(server, never);
      const wanted = await f.grow(disk, 16);
      const resumed = await f.driver.resumeGuest(server, never);
      expect(resumed).toMatchObject({ powerState: 'running', disks: [{ volume: disk.volume, guestBytes: 16 * MIB }] });
      expect(resumed.run).not.toBe(run);
      expect(await f.liveResize().resizeDisk(server, disk.volume, wanted)).toBe(wanted);
      expect(await guest(server)).toEqual(resumed);
      expect(await f.driver.resumeGuest(server, never)).toEqual(resumed);
    });

    it('lets one go on that was paused when it was saved, or is paused now', async () => {
      const server = await f.runningWith();
      await f.driver.pauseGuest(server);
      await f.driver.suspendGuest(server, never);
      expect((await f.driver.resumeGuest(server, never)).powerState).toBe('running');
      await f.driver.pauseGuest(server);
      expect((await f.driver.resumeGuest(server, never)).powerState).toBe('running');
    });

    it('wakes one that has put itself to sleep, and boots one that is off', async () => {
      const server = await f.asleep();
      expect((await f.driver.resumeGuest(server, never)).powerState).toBe('running');
      const off = await f.runningWith();
      await powerOff(off);
      expect((await f.driver.resumeGuest(off, never)).powerState).toBe('running');
    });

    it('resumes it once when it is called twice at the same time', async () => {
      const server = await savedWith();
      const [one, other] = await Promise.all([
        f.driver.resumeGuest(server, never),
        f.driver.resumeGuest(server, never),
      ]);
      expect(one).toEqual(other);
      expect(one.powerState).toBe('running');
    });

    it('keeps its memory when a disk cannot be opened, and goes on when it can again', async () => {
      const disk = await f.newDisk(8);
      const server = await savedWith(disk);
      await rename(disk.source.path, `${disk.source.path}.away`);
      await expect(f.driver.resumeGuest(server, never)).rejects.toEqual(code('hypervisor-refused'));
      expect((await guest(server)).powerState).toBe('saved');
      await rename(`${disk.source.path}.away`, disk.source.path);
      expect((await f.driver.resumeGuest(server, never)).powerState).toBe('running');
    });

    it("gives the signal's reason when it is aborted", async () => {
      const server = await savedWith();
      const reason = new Error('enough');
      await expect(f.driver.resumeGuest(server, AbortSignal.abort(reason))).rejects.toBe(reason);
      expect((await guest(server)).powerState).toBe('saved');
    });

    it('refuses a guest that is not there', async () => {
      await expect(f.driver.resumeGuest(f.newServer(), never)).rejects.toEqual(code('domain-not-found'));
    });
  });

  describe('onPowerState', () => {
    it('tells that a guest is saved and goes on, by us or by another hand', async () => {
      const seen: PowerState[] = [];
      const server = await f.runningWith();
      f.driver.onPowerState((of, powerState) => {
        if (of === server) seen.push(powerState);
      });
      const told = async (powerState: PowerState): Promise<void> => {
        const deadline = performance.now() + EVENT_LIMIT_MS;
        while (seen.at(-1) !== powerState && performance.now() < deadline) await sleep(POLL_MS);
        expect(seen.at(-1)).toBe(powerState);
      };
      await f.driver.suspendGuest(server, never);
      await told('saved');
      await f.driver.resumeGuest(server, never);
      await told('running');
      await f.under.save(server);
      await told('saved');
      expect((await f.driver.resumeGuest(server, never)).powerState).toBe('running');
    });
  });
}
