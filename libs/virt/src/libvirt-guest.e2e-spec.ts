import { execFile } from 'node:child_process';
import { rename, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { bytes, millis, type ServerId, type VolumeId } from '@novella/core';
import {
  type PrivateLibvirtd,
  startPrivateLibvirtd,
  temporaryDirectory,
  type TemporaryDirectory,
} from '@novella/testing';
import { BOOT_DISK, writeBootDisk } from './conformance/boot-disk.js';
import {
  bootLinux,
  type LinuxGuest,
  makeVolume,
  type TestVolume,
  type VolumeKind,
  virtualSize,
} from './conformance/linux-guest.js';
import { virsh } from './conformance/virsh.js';
import { LibvirtDriver } from './libvirt-driver.js';

jest.setTimeout(700_000);
const mib = (count: number) => bytes(count * 2 ** 20);
const serverId = (number: number): ServerId => `5e50e500-0000-4000-8000-0000000000a${number}` as ServerId;

interface BootVolume {
  readonly volume: VolumeId;
  readonly bus: 'virtio' | 'scsi';
  readonly format: 'raw' | 'qcow2';
}
const BOOT_VOLUMES = {
  neighbour: { volume: 'b0010000-0000-4000-8000-000000000001' as VolumeId, bus: 'virtio', format: 'raw' },
  elsewhere: { volume: 'b0020000-0000-4000-8000-000000000001' as VolumeId, bus: 'scsi', format: 'qcow2' },
} as const satisfies Record<string, BootVolume>;

/** Two hosts: a libvirtd of its own each. One guest is on the second, the others are on the first. */
describe('LibvirtDriver with Linux guests', () => {
  let hosts: PrivateLibvirtd[] = [];
  let drivers: LibvirtDriver[] = [];
  let directory: TemporaryDirectory;
  let guest: LinuxGuest;
  let neighbour: LinuxGuest;
  let elsewhere: LinuxGuest;
  const volumes: TestVolume[] = [];

  beforeAll(async () => {
    directory = await temporaryDirectory();
    hosts = [await startPrivateLibvirtd(), await startPrivateLibvirtd()];
    const open = ({ socketPath }: PrivateLibvirtd): Promise<LibvirtDriver> =>
      LibvirtDriver.open({ socketPath, domainType: 'qemu' });
    const [here, there] = await Promise.all([open(hosts[0]!), open(hosts[1]!)]);
    drivers = [here, there];
    [guest, neighbour, elsewhere] = await Promise.all([
      bootLinux(here, serverId(1), directory.path),
      bootFromVolume(here, serverId(2), BOOT_VOLUMES.neighbour),
      bootFromVolume(there, serverId(3), BOOT_VOLUMES.elsewhere),
    ]);
  });
  afterAll(async () => {
    await Promise.all(drivers.map((driver) => driver.close()));
    await Promise.all(hosts.map((host) => host.stop()));
    await Promise.all(volumes.map(({ remove }) => remove()));
    await directory.remove();
  });

  /** Neither kernel nor image: what it boots is on the volume. */
  async function bootFromVolume(driver: LibvirtDriver, server: ServerId, boot: BootVolume): Promise<LinuxGuest> {
    const { volume, format, bus } = boot;
    const raw = join(directory.path, `${volume}.raw`);
    const path = join(directory.path, volume);
    await writeBootDisk(raw, volume);
    if (format === 'raw') await rename(raw, path);
    else await promisify(execFile)('qemu-img', ['convert', '-f', 'raw', '-O', format, raw, path]);
    const device = bus === 'scsi' ? 'sdz' : 'vdz';
    const plain = { device, shareable: false, readOnly: false, source: { kind: 'file', path } } as const;
    const disks = [{ ...plain, volume, format, bus }];
    return bootLinux(driver, server, directory.path, { kernel: null, disks, bootVolume: volume });
  }

  async function newVolume(kind: VolumeKind): Promise<TestVolume> {
    // virtio-blk tells the guest no more than the first 20 characters.
    const volume = `a1b2c3${String(volumes.length).padStart(2, '0')}-0000-4000-8000-000000000001` as VolumeId;
    const made = await makeVolume(join(directory.path, volume), volume, mib(8), kind);
    volumes.push(made);
    return made;
  }
  const paused = async (run: () => Promise<void>): Promise<void> => {
    await virsh(hosts[0]!, 'suspend', guest.server);
    await run();
    await virsh(hosts[0]!, 'resume', guest.server);
  };
  const resize = ({ driver, server }: LinuxGuest, volume: VolumeId, count: number): Promise<number> =>
    (driver as LibvirtDriver).liveResize.resizeDisk(server, volume, mib(count));

  it.each([
    ['virtio, raw', BOOT_VOLUMES.neighbour, () => neighbour],
    ['scsi, qcow2', BOOT_VOLUMES.elsewhere, () => elsewhere],
  ] as const)('boots from its only disk, a volume, and sees it grow: %s', async (_kind, { volume, format }, which) => {
    const { console } = which();
    expect(await console.text()).toContain(`novella.booted=${volume}`);
    await console.waitForSize(volume, BOOT_DISK);
    if (format === 'raw') await truncate(join(directory.path, volume), mib(32));
    expect(await resize(which(), volume, 32)).toBe(mib(32));
    await console.waitForSize(volume, mib(32));
  });

  const kinds = (['virtio', 'scsi'] as const).flatMap((bus) =>
    (['raw', 'qcow2'] as const).flatMap((format) =>
      (['file', 'block'] as const).map((source): VolumeKind => ({ bus, format, source })),
    ),
  );

  it.each(kinds)('sees a disk come, grow running and paused, and go: $bus, $format, $source', async (kind) => {
    const { driver, server, console } = guest;
    const { disk, grow } = await newVolume(kind);
    await driver.attachDisk(server, disk);
    await console.waitForSize(disk.volume, mib(8));
    await grow(mib(16));
    expect(await resize(guest, disk.volume, 16)).toBe(mib(16));
    const { name } = await console.waitForSize(disk.volume, mib(16));
    expect(await console.text()).toContain(`${name}: detected capacity change from 16384 to 32768`);
    await paused(async () => {
      await grow(mib(24));
      expect(await resize(guest, disk.volume, 24)).toBe(mib(24));
    });
    await console.waitForSize(disk.volume, mib(24));
    if (kind.format === 'qcow2') expect(await virtualSize(disk.source.path)).toBe(mib(24));
    await driver.detachDisk(server, disk.volume);
    await console.waitForNoDisk(disk.volume);
    expect((await driver.guest(server))?.disks).toEqual([]);
  });

  it.each(['virtio', 'scsi'] as const)(
    'sees a disk on %s that came while it was paused, and lets go of it',
    async (bus) => {
      const { driver, server, console } = guest;
      const { disk } = await newVolume({ bus, format: 'raw', source: 'file' });
      await paused(async () => {
        expect((await driver.attachDisk(server, disk)).powerState).toBe('paused');
      });
      await console.waitForSize(disk.volume, mib(8));
      const detach = (): Promise<void> => driver.detachDisk(server, disk.volume);
      if (bus === 'scsi') {
        await paused(detach); // QEMU takes it, and tells the guest when it goes on
      } else {
        await paused(() => expect(detach()).rejects.toMatchObject({ code: 'guest-busy' }));
        expect((await driver.guest(server))?.disks).toHaveLength(1);
        await detach();
      }
      await console.waitForNoDisk(disk.volume);
    },
  );

  it('goes on from its saved memory, and sees what has grown meanwhile when it is told what QEMU shows already', async () => {
    const { driver, server, console } = guest;
    const never = new AbortController().signal;
    const grown = [];
    for (const [index, kind] of kinds.entries()) {
      const volume = await newVolume(kind);
      const disk = { ...volume.disk, device: `${kind.bus === 'scsi' ? 'sd' : 'vd'}${'hijklmno'.charAt(index)}` };
      await driver.attachDisk(server, disk);
      await console.waitForSize(disk.volume, mib(8));
      grown.push({ ...volume, disk });
    }
    expect((await driver.suspendGuest(server, never)).powerState).toBe('saved');
    for (const { disk, grow } of grown) {
      await grow(mib(16));
      if (disk.format === 'qcow2') {
        await promisify(execFile)('qemu-img', ['resize', '-q', '-f', 'qcow2', disk.source.path, String(mib(16))]);
      }
    }
    const resumed = await driver.resumeGuest(server, never);
    expect(resumed.disks.map(({ guestBytes }) => guestBytes)).toEqual(kinds.map(() => mib(16)));
    for (const { disk } of grown) {
      expect(await resize(guest, disk.volume, 16)).toBe(mib(16));
      await console.waitForSize(disk.volume, mib(16));
    }
    // Had it booted, it would have said so.
    expect(await console.text()).not.toContain('GUEST ready');
    for (const { disk } of grown) await driver.detachDisk(server, disk.volume);
    expect((await driver.guest(server))?.disks).toEqual([]);
  });

  it.each([
    ['virtio', 'file', 'one host', () => neighbour],
    ['scsi', 'file', 'two hosts', () => elsewhere],
    ['virtio', 'block', 'two hosts', () => elsewhere],
  ] as const)('grows in each of two guests by its own resize: %s, %s, on %s', async (bus, source, _hosts, second) => {
    const { disk, grow } = await newVolume({ bus, source, format: 'raw', shareable: true });
    const both = [guest, second()];
    for (const { driver, server, console } of both) {
      await driver.attachDisk(server, disk);
      await console.waitForSize(disk.volume, mib(8));
    }
    await grow(mib(16));
    expect(await resize(guest, disk.volume, 16)).toBe(mib(16));
    await guest.console.waitForSize(disk.volume, mib(16));
    const seen = (await second().driver.guest(second().server))?.disks.find((one) => one.volume === disk.volume);
    expect(seen?.guestBytes).toBe(mib(8));
    expect(await resize(second(), disk.volume, 16)).toBe(mib(16));
    await second().console.waitForSize(disk.volume, mib(16));
    // QEMU set the length of a file twice; to what it had.
    if (source === 'file') expect((await stat(disk.source.path)).size).toBe(mib(16));
    for (const { driver, server, console } of both) {
      await driver.detachDisk(server, disk.volume);
      await console.waitForNoDisk(disk.volume);
    }
  });

  it('refuses a volume to the second host when it is not shareable: QEMU locks it', async () => {
    const { disk } = await newVolume({ bus: 'virtio', format: 'raw', source: 'file' });
    await guest.driver.attachDisk(guest.server, disk);
    const second = elsewhere.driver.attachDisk(elsewhere.server, disk);
    await expect(second).rejects.toMatchObject({ code: 'hypervisor-refused' });
    await guest.driver.detachDisk(guest.server, disk.volume);
  });

  it('cuts the power of a Linux that does not listen', async () => {
    const { driver, server } = guest;
    await driver.stopGuest(server, millis(300), new AbortController().signal);
    expect(await driver.guest(server)).toMatchObject({ powerState: 'shutdown', run: null });
  });
});
