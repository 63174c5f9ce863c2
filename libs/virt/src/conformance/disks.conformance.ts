import { rm } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { code, type DriverFixture, MIB } from './fixture.js';

/** Disks as they come and go. */
export function disksConformance(f: DriverFixture): void {
  describe('attachDisk', () => {
    it.each(['virtio', 'scsi'] as const)(
      'gives a running guest a disk on %s, now and for its next start',
      async (bus) => {
        const server = await f.runningWith();
        const disk = await f.newDisk(8, { bus, device: bus === 'scsi' ? 'sda' : 'vdb' });
        const guest = await f.driver.attachDisk(server, disk);
        expect(guest.disks.map(({ volume, guestBytes }) => ({ volume, guestBytes }))).toEqual([
          { volume: disk.volume, guestBytes: 8 * MIB },
        ]);
        await f.under.powerOff(server);
        expect((await f.driver.createGuest(f.spec(server))).disks).toEqual(guest.disks);
      },
    );

    it('gives a paused guest disks', async () => {
      const disks = [await f.newDisk(8), await f.newDisk(9, { bus: 'scsi', device: 'sda' })];
      const server = await f.runningWith();
      await f.under.pause(server);
      for (const disk of disks) await f.driver.attachDisk(server, disk);
      const sizes = (await f.driver.guest(server))?.disks.map(({ guestBytes }) => guestBytes);
      expect(sizes?.sort()).toEqual([8 * MIB, 9 * MIB]);
    });

    it('leaves a disk alone that is there', async () => {
      const server = await f.runningWith();
      const disk = await f.newDisk(8);
      const first = await f.driver.attachDisk(server, disk);
      expect(await f.driver.attachDisk(server, { ...disk, device: 'vdf' })).toEqual(first);
    });

    it('takes several SCSI disks at the same time', async () => {
      const server = await f.runningWith();
      const disks = [
        await f.newDisk(8, { bus: 'scsi', device: 'sda' }),
        await f.newDisk(9, { bus: 'scsi', device: 'sdb' }),
      ];
      await Promise.all(disks.map((disk) => f.driver.attachDisk(server, disk)));
      const seen = (await f.driver.guest(server))?.disks.map((disk) => disk.guestBytes);
      expect(seen).toEqual([8 * MIB, 9 * MIB]);
    });

    it('gives a guest that is off a disk for its next start', async () => {
      const server = await f.runningWith();
      await f.under.powerOff(server);
      const disk = await f.newDisk(8);
      const guest = await f.driver.attachDisk(server, disk);
      expect(guest.disks.map((one) => one.guestBytes)).toEqual([null]);
      await f.driver.createGuest(f.spec(server));
      expect(await f.guestBytes(server, disk.volume)).toBe(8 * MIB);
    });

    it('refuses a device that cannot be opened, and a device name that is taken', async () => {
      const [first, second, gone] = [await f.newDisk(8), await f.newDisk(8), await f.newDisk(8, { device: 'vdc' })];
      const server = await f.runningWith(first);
      await rm(gone.source.path);
      await expect(f.driver.attachDisk(server, second)).rejects.toEqual(code('hypervisor-refused'));
      await expect(f.driver.attachDisk(server, gone)).rejects.toEqual(code('hypervisor-refused'));
      expect((await f.driver.guest(server))?.disks.map(({ volume }) => volume)).toEqual([first.volume]);
    });

    it('refuses a guest that is not there', async () => {
      await expect(f.driver.attachDisk(f.newServer(), await f.newDisk(8))).rejects.toEqual(code('domain-not-found'));
    });
  });

  describe('detachDisk', () => {
    // A SCSI disk goes without the guest's help, for which an operating system would have to run in it.
    it('takes the disk out of a running guest and of its definition', async () => {
      const [stays, goes] = [
        await f.newDisk(8, { bus: 'scsi', device: 'sda' }),
        await f.newDisk(8, { bus: 'scsi', device: 'sdb' }),
      ];
      const server = await f.runningWith(stays, goes);
      await f.driver.detachDisk(server, goes.volume);
      expect((await f.driver.guest(server))?.disks.map(({ volume }) => volume)).toEqual([stays.volume]);
      await f.under.powerOff(server);
      expect((await f.driver.createGuest(f.spec(server))).disks.map(({ volume }) => volume)).toEqual([stays.volume]);
    });

    it('lets a disk be attached again, under the same name', async () => {
      const disk = await f.newDisk(8, { bus: 'scsi', device: 'sda' });
      const server = await f.runningWith(disk);
      await f.driver.detachDisk(server, disk.volume);
      await f.grow(disk, 16);
      await f.driver.attachDisk(server, disk);
      expect(await f.guestBytes(server, disk.volume)).toBe(16 * MIB);
    });

    it('takes a SCSI disk out of a paused guest, but not one that the guest must let go of', async () => {
      const [scsi, virtio] = [await f.newDisk(8, { bus: 'scsi', device: 'sda' }), await f.newDisk(8)];
      const server = await f.runningWith(scsi, virtio);
      await f.under.pause(server);
      await f.driver.detachDisk(server, scsi.volume);
      await expect(f.driver.detachDisk(server, virtio.volume)).rejects.toEqual(code('guest-busy'));
      const paused = await f.driver.guest(server);
      expect(paused).toMatchObject({ powerState: 'paused', disks: [{ volume: virtio.volume }] });
      await f.under.powerOff(server);
      expect((await f.driver.startGuest(server)).disks).toEqual(paused?.disks);
    });

    it('takes the disk out of the definition of a guest that is off', async () => {
      const [stays, goes] = [await f.newDisk(8), await f.newDisk(8, { device: 'vdc' })];
      const server = await f.runningWith(stays, goes);
      await f.under.powerOff(server);
      await f.driver.detachDisk(server, goes.volume);
      expect((await f.driver.createGuest(f.spec(server))).disks.map(({ volume }) => volume)).toEqual([stays.volume]);
    });

    it('does nothing when there is no such disk or guest', async () => {
      const server = await f.runningWith();
      const { volume } = await f.newDisk(8);
      await f.driver.detachDisk(server, volume);
      await f.driver.detachDisk(f.newServer(), volume);
      expect((await f.driver.guest(server))?.powerState).toBe('running');
    });
  });
}
