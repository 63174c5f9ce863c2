import { describe, expect, it } from '@jest/globals';
import { bytes, type ServerId } from '@novella/core';
import type { GuestDisk } from '../driver.js';
import { code, type DriverFixture, MIB } from './fixture.js';

/** One volume in several guests. */
export function sharingConformance(f: DriverFixture): void {
  describe('a volume in two guests', () => {
    const attachToTwo = async (disk: GuestDisk): Promise<[ServerId, ServerId]> => {
      const [one, other] = [await f.runningWith(disk), await f.runningWith()];
      await f.driver.attachDisk(other, disk);
      return [one, other];
    };

    it.each(['virtio', 'scsi'] as const)('is seen by both on %s, and grows in each by its own resize', async (bus) => {
      const disk = await f.newDisk(8, { shareable: true, bus, device: bus === 'scsi' ? 'sda' : 'vdb' });
      const [one, other] = await attachToTwo(disk);
      const wanted = await f.grow(disk, 16);
      expect(await f.liveResize().resizeDisk(one, disk.volume, wanted)).toBe(wanted);
      expect(await f.guestBytes(other, disk.volume)).toBe(8 * MIB);
      expect(await f.liveResize().resizeDisk(other, disk.volume, wanted)).toBe(wanted);
      expect(await f.guestBytes(one, disk.volume)).toBe(wanted);
    });

    it('is not cut by the older resize of the other', async () => {
      const disk = await f.newDisk(8, { shareable: true });
      const [one, other] = await attachToTwo(disk);
      await f.liveResize().resizeDisk(one, disk.volume, await f.grow(disk, 32));
      const late = f.liveResize().resizeDisk(other, disk.volume, bytes(16 * MIB));
      await expect(late).rejects.toEqual(code('hypervisor-refused'));
      expect(await f.liveResize().resizeDisk(other, disk.volume, bytes(32 * MIB))).toBe(32 * MIB);
    });

    it('goes from one and stays in the other', async () => {
      const disk = await f.newDisk(8, { shareable: true, bus: 'scsi', device: 'sda' });
      const [one, other] = await attachToTwo(disk);
      await f.driver.detachDisk(one, disk.volume);
      expect((await f.driver.guest(one))?.disks).toEqual([]);
      expect(await f.guestBytes(other, disk.volume)).toBe(8 * MIB);
    });

    it('is refused to the second one when it is not shareable', async () => {
      const disk = await f.newDisk(8);
      await f.runningWith(disk);
      const server = await f.runningWith();
      await expect(f.driver.attachDisk(server, disk)).rejects.toEqual(code('hypervisor-refused'));
      expect((await f.driver.guest(server))?.disks).toEqual([]);
      const third = f.spec(f.newServer(), { disks: [disk] });
      await expect(f.driver.createGuest(third)).rejects.toEqual(code('hypervisor-refused'));
    });

    it('is refused for ever when it is qcow2, and nothing is defined', async () => {
      const disk = await f.newDisk(8, { shareable: true, format: 'qcow2' });
      const never = expect.objectContaining({ code: 'hypervisor-refused', grade: 'final' });
      const server = f.newServer();
      await expect(f.driver.createGuest(f.spec(server, { disks: [disk] }))).rejects.toEqual(never);
      expect(await f.driver.guest(server)).toBeNull();
      const running = await f.runningWith();
      await expect(f.driver.attachDisk(running, disk)).rejects.toEqual(never);
      expect((await f.driver.guest(running))?.disks).toEqual([]);
    });
  });
}
