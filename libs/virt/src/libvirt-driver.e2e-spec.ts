import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { bytes, type PowerState, type ServerId, type VolumeId } from '@novella/core';
import { type PrivateLibvirtd, startPrivateLibvirtd, waitUntil } from '@novella/testing';
import { virsh } from './conformance/virsh.js';
import { domainXml } from './domain-xml.js';
import type { GuestDisk, GuestSpec } from './driver.js';
import { LibvirtDriver } from './libvirt-driver.js';

jest.setTimeout(240_000);
const run = promisify(execFile);
const MIB = 2 ** 20;
const volumeId = (number: number): VolumeId =>
  `70100000-0000-4000-8000-${String(number).padStart(12, '0')}` as VolumeId;
const serverId = (number: number): ServerId =>
  `5e50e500-0000-4000-8000-${String(number).padStart(12, '0')}` as ServerId;

describe('LibvirtDriver on a real libvirt', () => {
  let libvirtd: PrivateLibvirtd;
  let driver: LibvirtDriver;
  let folder: string;

  beforeAll(async () => {
    libvirtd = await startPrivateLibvirtd();
    driver = await LibvirtDriver.open({
      socketPath: libvirtd.socketPath,
      domainType: 'qemu',
      detach: { waitMs: 500, attempts: 1 },
    });
    folder = await mkdtemp(join(tmpdir(), 'novella-virt-libvirt-'));
  });
  afterEach(async () => {
    for (const { server } of await driver.guests()) await driver.destroyGuest(server);
  });
  afterAll(async () => {
    await driver.close();
    await libvirtd.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function fileDisk(number: number, changes: Partial<GuestDisk> = {}): Promise<GuestDisk> {
    const path = join(folder, `volume-${number}`);
    await writeFile(path, '');
    await truncate(path, 8 * MIB);
    return {
      volume: volumeId(number),
      source: { kind: 'file', path },
      format: 'raw',
      device: 'vdb',
      bus: 'virtio',
      shareable: false,
      readOnly: false,
      ...changes,
    };
  }

  const spec = (server: ServerId, changes: Partial<GuestSpec> = {}): GuestSpec => ({
    server,
    domainName: `instance-${server.slice(-8)}`,
    displayName: 'one',
    projectId: 'p',
    vcpus: 1,
    memoryMib: 64,
    kernel: null,
    rootDisk: null,
    bootVolume: null,
    disks: [],
    consolePath: join(folder, `${server}.console`),
    ...changes,
  });

  it("writes XML that libvirt's own schema accepts", async () => {
    const disks = [
      await fileDisk(1, { shareable: true, readOnly: true }),
      await fileDisk(2, { device: 'sda', bus: 'scsi', source: { kind: 'block', path: '/dev/loop-not-there' } }),
    ];
    const xml = domainXml(
      spec(serverId(1), {
        disks,
        displayName: `<&>'" \u0007 \ud800 €`,
        bootVolume: volumeId(2),
        kernel: { kernelPath: '/boot/<k>', initrdPath: '/boot/&i', commandLine: `console=ttyS0 a="b" c='d'` },
        rootDisk: { path: '/images/root', format: 'qcow2', bus: 'virtio' },
      }),
      { domainType: 'qemu', emulator: '/usr/bin/qemu-system-x86_64', machine: 'q35', pciRootPorts: 16 },
    );
    await writeFile(join(folder, 'domain.xml'), xml);
    await virsh(libvirtd, 'define', '--validate', join(folder, 'domain.xml'));
    const guest = await driver.guest(serverId(1));
    expect(guest?.disks.map(({ volume }) => volume)).toEqual([volumeId(1), volumeId(2)]);
  });

  it('opens a qcow2 root disk without the backing file that the image claims', async () => {
    const path = join(folder, 'root.qcow2');
    await run('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', '/not/there', path, '8M']);
    const guest = await driver.createGuest(spec(serverId(2), { rootDisk: { path, format: 'qcow2', bus: 'virtio' } }));
    expect(guest.powerState).toBe('running');
  });

  it('starts with ten disks, and takes another while root ports are left', async () => {
    const disks = await Promise.all(
      Array.from({ length: 10 }, (_, index) => fileDisk(100 + index, { device: `vd${'bcdefghijk'[index] ?? ''}` })),
    );
    const server = serverId(3);
    await driver.createGuest(spec(server, { disks }));
    const guest = await driver.attachDisk(server, await fileDisk(120, { device: 'vdz' }));
    expect(guest.disks).toHaveLength(11);
  });

  it('grows a block device after the host has grown it, not before', async () => {
    const backing = join(folder, 'loop');
    await writeFile(backing, '');
    await truncate(backing, 8 * MIB);
    const loop = (await run('losetup', ['--find', '--show', backing])).stdout.trim();
    try {
      const disk = await fileDisk(4, { source: { kind: 'block', path: loop } });
      const server = serverId(4);
      await driver.createGuest(spec(server, { disks: [disk] }));
      await truncate(backing, 16 * MIB);
      const early = driver.liveResize.resizeDisk(server, disk.volume, bytes(16 * MIB));
      await expect(early).rejects.toMatchObject({ code: 'disk-cannot-grow', facts: { hostBytes: 8 * MIB } });
      await run('losetup', ['-c', loop]);
      expect(await driver.liveResize.resizeDisk(server, disk.volume, bytes(16 * MIB))).toBe(16 * MIB);
      await driver.destroyGuest(server);
    } finally {
      await run('losetup', ['-d', loop]);
    }
  });

  // libvirt then tells how much of it is allocated where it told its length before.
  it.each(['file', 'block'] as const)('grows a sparse %s that the guest has written to', async (kind) => {
    const disk = await fileDisk(20);
    const { path } = disk.source;
    const loop = kind === 'block' ? (await run('losetup', ['--find', '--show', path])).stdout.trim() : null;
    try {
      const source = { kind, path: loop ?? path };
      const server = serverId(20);
      await driver.createGuest(spec(server, { disks: [{ ...disk, source }] }));
      const qdev = `/machine/peripheral/ua-${disk.volume}/virtio-backend`;
      const write = `qemu-io -d ${qdev} "write 1M 64k"`;
      expect(await virsh(libvirtd, 'qemu-monitor-command', server, '--hmp', write)).toBe('');
      await truncate(path, 16 * MIB);
      if (loop !== null) await run('losetup', ['-c', loop]);
      expect(await driver.liveResize.resizeDisk(server, disk.volume, bytes(16 * MIB))).toBe(16 * MIB);
      expect((await stat(path)).size).toBe(16 * MIB);
      await driver.destroyGuest(server);
    } finally {
      if (loop !== null) await run('losetup', ['-d', loop]);
    }
  });

  it('answers guest-busy while a block job runs on the disk, and grows it afterwards', async () => {
    const disk = await fileDisk(5);
    await writeFile(disk.source.path, Buffer.alloc(8 * MIB, 1));
    const server = serverId(5);
    await driver.createGuest(spec(server, { disks: [disk] }));
    const target = join(folder, 'copy');
    await virsh(libvirtd, 'blockcopy', server, 'vdb', target, '--format', 'raw', '--transient-job', '--bandwidth', '1');
    await truncate(disk.source.path, 16 * MIB);
    const resize = (): Promise<number> => driver.liveResize.resizeDisk(server, disk.volume, bytes(16 * MIB));
    await expect(resize()).rejects.toMatchObject({ code: 'guest-busy' });
    await virsh(libvirtd, 'blockjob', server, 'vdb', '--abort');
    expect(await resize()).toBe(16 * MIB);
  });

  it('answers guest-busy when the guest does not let go of a disk, which then is where it was', async () => {
    const disk = await fileDisk(6);
    const server = serverId(6);
    await driver.createGuest(spec(server, { disks: [disk] }));
    await expect(driver.detachDisk(server, disk.volume)).rejects.toMatchObject({
      code: 'guest-busy',
      facts: { asked: 1 },
    });
    expect((await driver.guest(server))?.disks).toHaveLength(1);
    await virsh(libvirtd, 'destroy', server);
    expect((await driver.guest(server))?.disks).toHaveLength(1);
  });

  it('ends the wait for a disk when the guest is paused', async () => {
    const disk = await fileDisk(12);
    const server = serverId(12);
    const { socketPath } = libvirtd;
    const patient = await LibvirtDriver.open({ socketPath, domainType: 'qemu', detach: { waitMs: 3_600_000 } });
    await patient.createGuest(spec(server, { disks: [disk] }));
    const refused = expect(patient.detachDisk(server, disk.volume)).rejects.toMatchObject({ code: 'guest-busy' });
    await sleep(1_000); // by then the guest was asked; were it not, it would only be refused sooner
    await virsh(libvirtd, 'suspend', server);
    await refused;
    await patient.close();
  });

  it('goes on with its guests when libvirtd comes back, and tells their power states', async () => {
    const disk = await fileDisk(7);
    const [running, stopped] = [serverId(7), serverId(8)];
    await driver.createGuest(spec(running, { disks: [disk] }));
    await driver.createGuest(spec(stopped));
    await virsh(libvirtd, 'destroy', stopped);
    await libvirtd.stopDaemon();
    await expect(driver.guests()).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
    const told = new Map<ServerId, PowerState>();
    driver.onPowerState((server, powerState) => told.set(server, powerState));
    await libvirtd.startDaemon();
    await waitUntil(() => told.size === 2);
    expect(Object.fromEntries(told)).toEqual({ [running]: 'running', [stopped]: 'shutdown' });
    await truncate(disk.source.path, 16 * MIB);
    expect(await driver.liveResize.resizeDisk(running, disk.volume, bytes(16 * MIB))).toBe(16 * MIB);
  });

  it('tells that a guest has died, also when it was not told that it lives', async () => {
    const server = serverId(9);
    await driver.createGuest(spec(server));
    const fresh = await LibvirtDriver.open({ socketPath: libvirtd.socketPath, domainType: 'qemu' });
    const told: PowerState[] = [];
    fresh.onPowerState((_server, powerState) => void told.push(powerState));
    await virsh(libvirtd, 'destroy', server);
    await waitUntil(() => told.length > 0);
    await fresh.close();
    expect(told).toEqual(['shutdown']);
  });

  it('cannot be opened where no libvirtd listens', async () => {
    const opened = LibvirtDriver.open({ socketPath: join(folder, 'no-socket'), domainType: 'qemu' });
    await expect(opened).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
  });
});
