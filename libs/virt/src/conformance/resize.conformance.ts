import { stat } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { type Bytes, bytes, type ServerId, type VolumeId } from '@novella/core';
import type { GuestDisk } from '../driver.js';
import { code, type DriverFixture, MIB } from './fixture.js';

/** Disks as they grow. */
export function resizeConformance(f: DriverFixture): void {
  describe('resizeDisk', () => {
    it.each(['virtio', 'scsi'] as const)('answers the size that the guest then sees on %s', async (bus) => {
      const disk = await f.newDisk(8, { bus, device: bus === 'scsi' ? 'sda' : 'vdb' });
      const server = await f.runningWith(disk);
      for (const [state, mib] of [
        ['running', 16],
        ['paused', 24],
      ] as const) {
        if (state === 'paused') await f.under.pause(server);
        const wanted = await f.grow(disk, mib);
        expect(await f.liveResize().resizeDisk(server, disk.volume, wanted)).toBe(wanted);
        expect(await f.driver.guest(server)).toMatchObject({ powerState: state, disks: [{ guestBytes: wanted }] });
      }
    });

    it('resizes one disk and not its neighbour', async () => {
      const [one, other] = [await f.newDisk(8), await f.newDisk(8, { device: 'vdc' })];
      const server = await f.runningWith(one, other);
      await f.grow(one, 16);
      await f.liveResize().resizeDisk(server, other.volume, await f.grow(other, 16));
      expect(await f.guestBytes(server, one.volume)).toBe(8 * MIB);
    });

    it('leaves a disk and its device as they are when no more is wanted, or more than the device has', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      const resize = (mib: number): Promise<Bytes> => f.liveResize().resizeDisk(server, disk.volume, bytes(mib * MIB));
      expect([await resize(4), await resize(8)]).toEqual([8 * MIB, 8 * MIB]);
      await expect(resize(16)).rejects.toEqual(code('disk-cannot-grow'));
      expect((await stat(disk.source.path)).size).toBe(8 * MIB);
      expect(await f.guestBytes(server, disk.volume)).toBe(8 * MIB);
    });

    it('never makes a file smaller that has grown meanwhile', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      await f.grow(disk, 32);
      const resize = f.liveResize().resizeDisk(server, disk.volume, bytes(16 * MIB));
      await expect(resize).rejects.toEqual(code('hypervisor-refused'));
      expect((await stat(disk.source.path)).size).toBe(32 * MIB);
      expect(await f.guestBytes(server, disk.volume)).toBe(8 * MIB);
    });

    it('refuses a disk that is read-only', async () => {
      const disk = await f.newDisk(8, { readOnly: true });
      const server = await f.runningWith(disk);
      const wanted = await f.grow(disk, 16);
      const resize = f.liveResize().resizeDisk(server, disk.volume, wanted);
      await expect(resize).rejects.toEqual(code('disk-cannot-grow'));
      expect(await f.guestBytes(server, disk.volume)).toBe(8 * MIB);
    });

    it('refuses a disk that the guest does not have, a guest that is off and one that is not there', async () => {
      const [disk, notThere] = [await f.newDisk(8), await f.newDisk(16)];
      const server = await f.runningWith(disk);
      const resize = (to: ServerId, volume: VolumeId): Promise<Bytes> =>
        f.liveResize().resizeDisk(to, volume, bytes(16 * MIB));
      await expect(resize(server, notThere.volume)).rejects.toEqual(code('guest-disk-missing'));
      await f.under.powerOff(server);
      await expect(resize(server, disk.volume)).rejects.toEqual(code('hypervisor-refused'));
      await expect(resize(f.newServer(), disk.volume)).rejects.toEqual(code('domain-not-found'));
    });

    it('answers the largest of several sizes that are wanted at the same time, at the end', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      await f.grow(disk, 32);
      const sizes = [32, 12, 24, 16].map((mib) => bytes(mib * MIB));
      const answers = await Promise.all(sizes.map((size) => f.liveResize().resizeDisk(server, disk.volume, size)));
      answers.forEach((answer, index) => expect(answer).toBeGreaterThanOrEqual(sizes[index] ?? 0));
      expect(await f.guestBytes(server, disk.volume)).toBe(32 * MIB);
    });

    it('shows a size that came while the guest was off at its next start', async () => {
      const disk = await f.newDisk(8);
      const server = await f.runningWith(disk);
      await f.under.powerOff(server);
      await f.grow(disk, 16);
      await f.driver.createGuest(f.spec(server));
      expect(await f.guestBytes(server, disk.volume)).toBe(16 * MIB);
    });
  });

  describe('resizeDisk of a qcow2 disk', () => {
    const qcow2 = (mib: number, bus: 'virtio' | 'scsi' = 'virtio'): Promise<GuestDisk> =>
      f.newDisk(mib, { format: 'qcow2', bus, device: bus === 'scsi' ? 'sda' : 'vdb' });

    it.each(['virtio', 'scsi'] as const)('grows it by itself on %s, for the next start too', async (bus) => {
      const disk = await qcow2(8, bus);
      const server = await f.runningWith(disk);
      expect(await f.guestBytes(server, disk.volume)).toBe(8 * MIB);
      expect(await f.liveResize().resizeDisk(server, disk.volume, bytes(16 * MIB))).toBe(16 * MIB);
      expect(await f.guestBytes(server, disk.volume)).toBe(16 * MIB);
      await f.under.powerOff(server);
      expect((await f.driver.startGuest(server)).disks).toMatchObject([{ guestBytes: 16 * MIB }]);
    });

    it('leaves it as it is when no more is wanted, and grows it in a paused guest', async () => {
      const disk = await qcow2(8);
      const server = await f.runningWith(disk);
      const resize = (mib: number): Promise<Bytes> => f.liveResize().resizeDisk(server, disk.volume, bytes(mib * MIB));
      expect([await resize(4), await resize(8)]).toEqual([8 * MIB, 8 * MIB]);
      await f.under.pause(server);
      expect(await resize(16)).toBe(16 * MIB);
    });

    it('shows the virtual size of one that is attached to a running guest', async () => {
      const server = await f.runningWith();
      const guest = await f.driver.attachDisk(server, await qcow2(24));
      expect(guest.disks).toMatchObject([{ guestBytes: 24 * MIB }]);
    });

    it('answers the largest of several sizes that are wanted at the same time', async () => {
      const disk = await qcow2(8);
      const server = await f.runningWith(disk);
      const sizes = [12, 32, 24].map((mib) => bytes(mib * MIB));
      await Promise.all(sizes.map((size) => f.liveResize().resizeDisk(server, disk.volume, size)));
      expect(await f.guestBytes(server, disk.volume)).toBe(32 * MIB);
    });
  });
}
