import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Bytes, bytes, type PowerState, type ServerId, type VolumeId } from '@novella/core';
import type { GuestDisk, GuestSpec, LiveResize, VirtDriver } from '../driver.js';

/** A driver under test, and what no driver offers but its hypervisor can do. */
export interface DriverUnderTest {
  readonly driver: VirtDriver;
  addForeignDomain(uuid: string, name: string): Promise<void>;
  /** Done by somebody else than the driver. */
  powerOff(server: ServerId): Promise<void>;
  pause(server: ServerId): Promise<void>;
  close(): Promise<void>;
}

const MIB = 2 ** 20;
const EVENT_LIMIT_MS = 30_000;
const POLL_MS = 20;

/** What every driver must do, whatever is behind it. `open` gives one with no guests. */
export function virtDriverConformance(name: string, open: () => Promise<DriverUnderTest>): void {
  describe(`${name} as a virt driver`, () => {
    let under: DriverUnderTest;
    let driver: VirtDriver;
    let folder: string;
    let counter = 0;

    beforeAll(async () => {
      under = await open();
      driver = under.driver;
    });
    afterAll(() => under.close());
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'novella-virt-'));
    });
    afterEach(async () => {
      for (const { server } of await driver.guests()) await driver.destroyGuest(server);
      await rm(folder, { recursive: true, force: true });
    });

    const next = (kind: string): string => `${kind}-0000-4000-8000-${String((counter += 1)).padStart(12, '0')}`;
    const newServer = (): ServerId => next('5e50e500') as ServerId;

    async function newDisk(mib: number, changes: Partial<GuestDisk> = {}): Promise<GuestDisk> {
      const volume = next('70100000') as VolumeId;
      const path = join(folder, volume);
      await writeFile(path, '');
      await truncate(path, mib * MIB);
      const source = { kind: 'file', path } as const;
      const plain = { format: 'raw', device: 'vdb', bus: 'virtio', shareable: false, readOnly: false } as const;
      return { volume, source, ...plain, ...changes };
    }

    function spec(server: ServerId, changes: Partial<GuestSpec> = {}): GuestSpec {
      return {
        server,
        domainName: `instance-${server.slice(-8)}`,
        displayName: `<a> & "b" 'c' \u0007`,
        projectId: 'd0c0ffee',
        vcpus: 1,
        memoryMib: 64,
        kernel: null,
        rootDisk: null,
        bootVolume: null,
        disks: [],
        consolePath: join(folder, `${server}.console`),
        ...changes,
      };
    }

    async function runningWith(...disks: GuestDisk[]): Promise<ServerId> {
      const server = newServer();
      await driver.createGuest(spec(server, { disks }));
      return server;
    }

    const liveResize = (): LiveResize => {
      if (!driver.liveResize) throw new Error(`${name} cannot resize a disk of a running guest`);
      return driver.liveResize;
    };
    const guestBytes = async (server: ServerId, volume: VolumeId): Promise<Bytes | null | undefined> =>
      (await driver.guest(server))?.disks.find((disk) => disk.volume === volume)?.guestBytes;
    const grow = async (disk: GuestDisk, mib: number): Promise<Bytes> => {
      await truncate(disk.source.path, mib * MIB);
      return bytes(mib * MIB);
    };
    const code = (expected: string): object => expect.objectContaining({ code: expected });

    describe('hypervisor', () => {
      it('names itself, its version and what the host has', async () => {
        const facts = await driver.hypervisor();
        expect(facts.type).not.toBe('');
        expect(facts.version).toMatch(/^\d+\.\d+\.\d+$/);
        expect(facts.vcpus).toBeGreaterThan(0);
        expect(facts.memoryMib).toBeGreaterThan(0);
      });
    });

    describe('createGuest', () => {
      it('answers the running guest with the sizes that it sees', async () => {
        const [one, other] = [await newDisk(8), await newDisk(16, { device: 'vdc' })];
        const server = newServer();
        expect(await driver.createGuest(spec(server, { disks: [one, other] }))).toEqual({
          server,
          powerState: 'running',
          disks: [
            { volume: one.volume, device: 'vdb', path: one.source.path, guestBytes: 8 * MIB },
            { volume: other.volume, device: 'vdc', path: other.source.path, guestBytes: 16 * MIB },
          ],
        });
      });

      it('places several disks on the SCSI bus', async () => {
        const disks = [
          await newDisk(8, { device: 'sda', bus: 'scsi' }),
          await newDisk(9, { device: 'sdb', bus: 'scsi' }),
        ];
        const server = await runningWith(...disks);
        expect((await driver.guest(server))?.disks.map((disk) => disk.guestBytes)).toEqual([8 * MIB, 9 * MIB]);
      });

      it('leaves a guest as it is when it is called again', async () => {
        const disk = await newDisk(8);
        const server = newServer();
        const first = await driver.createGuest(spec(server, { disks: [disk] }));
        expect(await driver.createGuest(spec(server, { disks: [] }))).toEqual(first);
        expect(await driver.guests()).toHaveLength(1);
      });

      it('starts a guest that is there and off', async () => {
        const server = await runningWith();
        await under.powerOff(server);
        expect((await driver.createGuest(spec(server))).powerState).toBe('running');
      });

      it('leaves the guest defined when it cannot start, so that a later call can', async () => {
        const disk = await newDisk(8);
        const server = newServer();
        await rm(disk.source.path);
        await expect(driver.createGuest(spec(server, { disks: [disk] }))).rejects.toEqual(code('hypervisor-refused'));
        expect((await driver.guest(server))?.powerState).toBe('shutdown');
        await writeFile(disk.source.path, '');
        await grow(disk, 8);
        expect((await driver.createGuest(spec(server, { disks: [disk] }))).powerState).toBe('running');
      });

      it('refuses the name of another domain', async () => {
        await under.addForeignDomain('f0000000-0000-4000-8000-000000000001', 'somebody-elses');
        const server = newServer();
        const taken = driver.createGuest(spec(server, { domainName: 'somebody-elses' }));
        await expect(taken).rejects.toEqual(code('domain-not-ours'));
        expect(await driver.guest(server)).toBeNull();
      });

      it('makes one guest of two calls at the same time', async () => {
        const server = newServer();
        const both = await Promise.all([driver.createGuest(spec(server)), driver.createGuest(spec(server))]);
        expect(both.map(({ powerState }) => powerState)).toEqual(['running', 'running']);
        expect(await driver.guests()).toHaveLength(1);
      });
    });

    describe('a domain that is not ours', () => {
      const uuid = 'f0000000-0000-4000-8000-000000000002' as ServerId;
      beforeAll(() => under.addForeignDomain(uuid, 'not-ours'));

      it('is not among the guests', async () => {
        expect(await driver.guests()).toEqual([]);
      });

      it.each<[string, (disk: GuestDisk) => Promise<unknown>]>([
        ['guest', () => driver.guest(uuid)],
        ['createGuest', () => driver.createGuest(spec(uuid))],
        ['destroyGuest', () => driver.destroyGuest(uuid)],
        ['attachDisk', (disk) => driver.attachDisk(uuid, disk)],
        ['detachDisk', (disk) => driver.detachDisk(uuid, disk.volume)],
        ['resizeDisk', (disk) => liveResize().resizeDisk(uuid, disk.volume, bytes(16 * MIB))],
      ])('is refused by %s', async (_method, act) => {
        await expect(act(await newDisk(8))).rejects.toEqual(code('domain-not-ours'));
      });
    });

    describe('guest', () => {
      it('is null when there is none', async () => {
        expect(await driver.guest(newServer())).toBeNull();
      });

      it('shows no sizes of a guest that is off', async () => {
        const disk = await newDisk(8);
        const server = await runningWith(disk);
        await under.powerOff(server);
        expect(await driver.guest(server)).toEqual({
          server,
          powerState: 'shutdown',
          disks: [{ volume: disk.volume, device: 'vdb', path: disk.source.path, guestBytes: null }],
        });
      });

      it('shows the sizes of one that is paused', async () => {
        const disk = await newDisk(8);
        const server = await runningWith(disk);
        await under.pause(server);
        expect((await driver.guest(server))?.powerState).toBe('paused');
        expect(await guestBytes(server, disk.volume)).toBe(8 * MIB);
      });

      it('does not show the new size of a device that nobody has told it', async () => {
        const disk = await newDisk(8);
        const server = await runningWith(disk);
        await grow(disk, 16);
        expect(await guestBytes(server, disk.volume)).toBe(8 * MIB);
      });
    });

    describe('destroyGuest', () => {
      it('leaves no guest and no console, and the disks as they are', async () => {
        const disk = await newDisk(8);
        const server = newServer();
        const consolePath = join(folder, 'console');
        await driver.createGuest(spec(server, { disks: [disk], consolePath }));
        await driver.destroyGuest(server);
        expect(await driver.guest(server)).toBeNull();
        await expect(stat(consolePath)).rejects.toEqual(code('ENOENT'));
        expect((await stat(disk.source.path)).size).toBe(8 * MIB);
      });

      it('does nothing to a guest that is not there, or not any more', async () => {
        const server = await runningWith();
        await driver.destroyGuest(server);
        await driver.destroyGuest(server);
        expect(await driver.guests()).toEqual([]);
      });

      it('removes one that is off', async () => {
        const server = await runningWith();
        await under.powerOff(server);
        await driver.destroyGuest(server);
        expect(await driver.guest(server)).toBeNull();
      });
    });

    describe('attachDisk', () => {
      it.each(['virtio', 'scsi'] as const)(
        'gives a running guest a disk on %s, now and for its next start',
        async (bus) => {
          const server = await runningWith();
          const disk = await newDisk(8, { bus, device: bus === 'scsi' ? 'sda' : 'vdb' });
          const guest = await driver.attachDisk(server, disk);
          expect(guest.disks.map(({ volume, guestBytes }) => ({ volume, guestBytes }))).toEqual([
            { volume: disk.volume, guestBytes: 8 * MIB },
          ]);
          await under.powerOff(server);
          expect((await driver.createGuest(spec(server))).disks).toEqual(guest.disks);
        },
      );

      it('leaves a disk alone that is there', async () => {
        const server = await runningWith();
        const disk = await newDisk(8);
        const first = await driver.attachDisk(server, disk);
        expect(await driver.attachDisk(server, { ...disk, device: 'vdf' })).toEqual(first);
      });

      it('takes several SCSI disks at the same time', async () => {
        const server = await runningWith();
        const disks = [
          await newDisk(8, { bus: 'scsi', device: 'sda' }),
          await newDisk(9, { bus: 'scsi', device: 'sdb' }),
        ];
        await Promise.all(disks.map((disk) => driver.attachDisk(server, disk)));
        const seen = (await driver.guest(server))?.disks.map((disk) => disk.guestBytes);
        expect(seen).toEqual([8 * MIB, 9 * MIB]);
      });

      it('gives a guest that is off a disk for its next start', async () => {
        const server = await runningWith();
        await under.powerOff(server);
        const disk = await newDisk(8);
        const guest = await driver.attachDisk(server, disk);
        expect(guest.disks.map((one) => one.guestBytes)).toEqual([null]);
        await driver.createGuest(spec(server));
        expect(await guestBytes(server, disk.volume)).toBe(8 * MIB);
      });

      it('refuses a device that cannot be opened, and a device name that is taken', async () => {
        const [first, second, gone] = [await newDisk(8), await newDisk(8), await newDisk(8, { device: 'vdc' })];
        const server = await runningWith(first);
        await rm(gone.source.path);
        await expect(driver.attachDisk(server, second)).rejects.toEqual(code('hypervisor-refused'));
        await expect(driver.attachDisk(server, gone)).rejects.toEqual(code('hypervisor-refused'));
        expect((await driver.guest(server))?.disks.map(({ volume }) => volume)).toEqual([first.volume]);
      });

      it('refuses a guest that is not there', async () => {
        await expect(driver.attachDisk(newServer(), await newDisk(8))).rejects.toEqual(code('domain-not-found'));
      });
    });

    describe('detachDisk', () => {
      // A SCSI disk goes without the guest's help, for which an operating system would have to run in it.
      it('takes the disk out of a running guest and of its definition', async () => {
        const [stays, goes] = [
          await newDisk(8, { bus: 'scsi', device: 'sda' }),
          await newDisk(8, { bus: 'scsi', device: 'sdb' }),
        ];
        const server = await runningWith(stays, goes);
        await driver.detachDisk(server, goes.volume);
        expect((await driver.guest(server))?.disks.map(({ volume }) => volume)).toEqual([stays.volume]);
        await under.powerOff(server);
        expect((await driver.createGuest(spec(server))).disks.map(({ volume }) => volume)).toEqual([stays.volume]);
      });

      it('lets a disk be attached again, under the same name', async () => {
        const disk = await newDisk(8, { bus: 'scsi', device: 'sda' });
        const server = await runningWith(disk);
        await driver.detachDisk(server, disk.volume);
        await grow(disk, 16);
        await driver.attachDisk(server, disk);
        expect(await guestBytes(server, disk.volume)).toBe(16 * MIB);
      });

      it('takes the disk out of the definition of a guest that is off', async () => {
        const [stays, goes] = [await newDisk(8), await newDisk(8, { device: 'vdc' })];
        const server = await runningWith(stays, goes);
        await under.powerOff(server);
        await driver.detachDisk(server, goes.volume);
        expect((await driver.createGuest(spec(server))).disks.map(({ volume }) => volume)).toEqual([stays.volume]);
      });

      it('does nothing when there is no such disk or guest', async () => {
        const server = await runningWith();
        const { volume } = await newDisk(8);
        await driver.detachDisk(server, volume);
        await driver.detachDisk(newServer(), volume);
        expect((await driver.guest(server))?.powerState).toBe('running');
      });
    });

    describe('resizeDisk', () => {
      it.each(['virtio', 'scsi'] as const)('answers the size that a running guest then sees on %s', async (bus) => {
        const disk = await newDisk(8, { bus, device: bus === 'scsi' ? 'sda' : 'vdb' });
        const server = await runningWith(disk);
        const wanted = await grow(disk, 16);
        expect(await liveResize().resizeDisk(server, disk.volume, wanted)).toBe(wanted);
        expect(await guestBytes(server, disk.volume)).toBe(wanted);
      });

      it('resizes the disk of a paused guest', async () => {
        const disk = await newDisk(8);
        const server = await runningWith(disk);
        await under.pause(server);
        expect(await liveResize().resizeDisk(server, disk.volume, await grow(disk, 16))).toBe(16 * MIB);
      });

      it('resizes one disk and not its neighbour', async () => {
        const [one, other] = [await newDisk(8), await newDisk(8, { device: 'vdc' })];
        const server = await runningWith(one, other);
        await grow(one, 16);
        await liveResize().resizeDisk(server, other.volume, await grow(other, 16));
        expect(await guestBytes(server, one.volume)).toBe(8 * MIB);
      });

      it.each([4, 8])('leaves a disk of 8 MiB and its device as they are when %i MiB are wanted', async (mib) => {
        const disk = await newDisk(8);
        const server = await runningWith(disk);
        expect(await liveResize().resizeDisk(server, disk.volume, bytes(mib * MIB))).toBe(8 * MIB);
        expect((await stat(disk.source.path)).size).toBe(8 * MIB);
      });

      it('never grows the device by itself', async () => {
        const disk = await newDisk(8);
        const server = await runningWith(disk);
        const resize = liveResize().resizeDisk(server, disk.volume, bytes(16 * MIB));
        await expect(resize).rejects.toEqual(code('disk-cannot-grow'));
        expect((await stat(disk.source.path)).size).toBe(8 * MIB);
        expect(await guestBytes(server, disk.volume)).toBe(8 * MIB);
      });

      it('refuses a disk that the guest does not have, a guest that is off and one that is not there', async () => {
        const [disk, notThere] = [await newDisk(8), await newDisk(16)];
        const server = await runningWith(disk);
        const resize = (to: ServerId, volume: VolumeId): Promise<Bytes> =>
          liveResize().resizeDisk(to, volume, bytes(16 * MIB));
        await expect(resize(server, notThere.volume)).rejects.toEqual(code('guest-disk-missing'));
        await under.powerOff(server);
        await expect(resize(server, disk.volume)).rejects.toEqual(code('hypervisor-refused'));
        await expect(resize(newServer(), disk.volume)).rejects.toEqual(code('domain-not-found'));
      });

      it('answers the largest of several sizes that are wanted at the same time, at the end', async () => {
        const disk = await newDisk(8);
        const server = await runningWith(disk);
        await grow(disk, 32);
        const sizes = [32, 12, 24, 16].map((mib) => bytes(mib * MIB));
        const answers = await Promise.all(sizes.map((size) => liveResize().resizeDisk(server, disk.volume, size)));
        answers.forEach((answer, index) => expect(answer).toBeGreaterThanOrEqual(sizes[index] ?? 0));
        expect(await guestBytes(server, disk.volume)).toBe(32 * MIB);
      });

      it('shows a size that came while the guest was off at its next start', async () => {
        const disk = await newDisk(8);
        const server = await runningWith(disk);
        await under.powerOff(server);
        await grow(disk, 16);
        await driver.createGuest(spec(server));
        expect(await guestBytes(server, disk.volume)).toBe(16 * MIB);
      });
    });

    describe('onPowerState', () => {
      it('tells each change of a guest of ours', async () => {
        const seen: (readonly [ServerId, PowerState])[] = [];
        driver.onPowerState((server, powerState) => void seen.push([server, powerState]));
        const server = await runningWith();
        await under.pause(server);
        await under.powerOff(server);
        const ofServer = (): PowerState[] => seen.filter(([id]) => id === server).map(([, powerState]) => powerState);
        const deadline = performance.now() + EVENT_LIMIT_MS;
        while (!ofServer().includes('shutdown') && performance.now() < deadline) await sleep(POLL_MS);
        expect(ofServer()).toEqual(['running', 'paused', 'shutdown']);
      });
    });
  });
}
