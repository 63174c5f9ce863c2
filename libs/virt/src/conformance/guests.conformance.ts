import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { bytes, millis, type ServerId } from '@novella/core';
import type { GuestDisk } from '../driver.js';
import { code, type DriverFixture, MIB } from './fixture.js';

/** Guests as they come, are read and go. */
export function guestsConformance(f: DriverFixture): void {
  describe('hypervisor', () => {
    it('names itself, its version and what the host has', async () => {
      const facts = await f.driver.hypervisor();
      expect(facts.type).not.toBe('');
      expect(facts.version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(facts.vcpus).toBeGreaterThan(0);
      expect(facts.memoryMib).toBeGreaterThan(0);
    });
  });

  describe('createGuest', () => {
    it('answers the running guest with the sizes that it sees', async () => {
      const [one, other] = [await f.newDisk(8), await f.newDisk(16, { device: 'vdc' })];
      const server = f.newServer();
      expect(await f.driver.createGuest(f.spec(server, { disks: [one, other] }))).toEqual({
        server,
        powerState: 'running',
        run: expect.any(Number),
        disks: [
          { volume: one.volume, device: 'vdb', path: one.source.path, guestBytes: 8 * MIB },
          { volume: other.volume, device: 'vdc', path: other.source.path, guestBytes: 16 * MIB },
        ],
      });
    });

    it('places several disks on the SCSI bus', async () => {
      const disks = [
        await f.newDisk(8, { device: 'sda', bus: 'scsi' }),
        await f.newDisk(9, { device: 'sdb', bus: 'scsi' }),
      ];
      const server = await f.runningWith(...disks);
      expect((await f.driver.guest(server))?.disks.map((disk) => disk.guestBytes)).toEqual([8 * MIB, 9 * MIB]);
    });

    it('leaves a guest as it is when it is called again', async () => {
      const disk = await f.newDisk(8);
      const server = f.newServer();
      const first = await f.driver.createGuest(f.spec(server, { disks: [disk] }));
      expect(await f.driver.createGuest(f.spec(server, { disks: [] }))).toEqual(first);
      expect(await f.driver.guests()).toHaveLength(1);
    });

    it('starts a guest that is there and off', async () => {
      const server = await f.runningWith();
      await f.under.powerOff(server);
      expect((await f.driver.createGuest(f.spec(server))).powerState).toBe('running');
    });

    it('leaves the guest defined when it cannot start, so that a later call can', async () => {
      const disk = await f.newDisk(8);
      const server = f.newServer();
      await rm(disk.source.path);
      await expect(f.driver.createGuest(f.spec(server, { disks: [disk] }))).rejects.toEqual(code('hypervisor-refused'));
      expect((await f.driver.guest(server))?.powerState).toBe('shutdown');
      await writeFile(disk.source.path, '');
      await f.grow(disk, 8);
      expect((await f.driver.createGuest(f.spec(server, { disks: [disk] }))).powerState).toBe('running');
    });

    it('refuses the name of another domain', async () => {
      await f.under.addForeignDomain('f0000000-0000-4000-8000-000000000001', 'somebody-elses');
      const server = f.newServer();
      const taken = f.driver.createGuest(f.spec(server, { domainName: 'somebody-elses' }));
      await expect(taken).rejects.toEqual(code('domain-not-ours'));
      expect(await f.driver.guest(server)).toBeNull();
    });

    it('makes one guest of two calls at the same time', async () => {
      const server = f.newServer();
      const both = await Promise.all([f.driver.createGuest(f.spec(server)), f.driver.createGuest(f.spec(server))]);
      expect(both.map(({ powerState }) => powerState)).toEqual(['running', 'running']);
      expect(await f.driver.guests()).toHaveLength(1);
    });
  });

  describe('a domain that is not ours', () => {
    const uuid = 'f0000000-0000-4000-8000-000000000002' as ServerId;
    beforeAll(() => f.under.addForeignDomain(uuid, 'not-ours'));

    it('is not among the guests', async () => {
      expect(await f.driver.guests()).toEqual([]);
    });

    it.each<[string, (disk: GuestDisk) => Promise<unknown>]>([
      ['guest', () => f.driver.guest(uuid)],
      ['createGuest', () => f.driver.createGuest(f.spec(uuid))],
      ['destroyGuest', () => f.driver.destroyGuest(uuid)],
      ['startGuest', () => f.driver.startGuest(uuid)],
      ['stopGuest', () => f.driver.stopGuest(uuid, millis(0), new AbortController().signal)],
      ['attachDisk', (disk) => f.driver.attachDisk(uuid, disk)],
      ['detachDisk', (disk) => f.driver.detachDisk(uuid, disk.volume)],
      ['resizeDisk', (disk) => f.liveResize().resizeDisk(uuid, disk.volume, bytes(16 * MIB))],
    ])('is refused by %s', async (_method, act) => {
      await expect(act(await f.newDisk(8))).rejects.toEqual(code('domain-not-ours'));
    });
  });

  describe('guest', () => {
    it('is null when there is none', async () => {
      expect(await f.driver.guest(f.newServer())).toBeNull();
    });

    it('shows no sizes of a guest that is off', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      await f.under.powerOff(server);
      expect(await f.driver.guest(server)).toEqual({
        server,
        powerState: 'shutdown',
        run: null,
        disks: [{ volume: disk.volume, device: 'vdb', path: disk.source.path, guestBytes: null }],
      });
    });

    it('shows the sizes of one that is paused', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      await f.under.pause(server);
      expect((await f.driver.guest(server))?.powerState).toBe('paused');
      expect(await f.guestBytes(server, disk.volume)).toBe(8 * MIB);
    });

    it('does not show the new size of a device that nobody has told it', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      await f.grow(disk, 16);
      expect(await f.guestBytes(server, disk.volume)).toBe(8 * MIB);
    });
  });

  describe('destroyGuest', () => {
    it('leaves no guest and no console, and the disks as they are', async () => {
      const disk = await f.newDisk(8);
      const server = f.newServer();
      const consolePath = join(f.folder, 'console');
      await f.driver.createGuest(f.spec(server, { disks: [disk], consolePath }));
      await f.driver.destroyGuest(server);
      expect(await f.driver.guest(server)).toBeNull();
      await expect(stat(consolePath)).rejects.toEqual(code('ENOENT'));
      expect((await stat(disk.source.path)).size).toBe(8 * MIB);
    });

    it('removes a guest that is off, and does nothing to one that is not there any more', async () => {
      const server = await f.runningWith();
      await f.under.powerOff(server);
      await f.driver.destroyGuest(server);
      await f.driver.destroyGuest(server);
      expect(await f.driver.guests()).toEqual([]);
    });
  });
}
