import { stat } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { bytes, NovellaError, type PowerState, type ServerId, type VolumeId } from '@novella/core';
import { virtDriverConformance } from './conformance/virt-driver.conformance.js';
import type { GuestDisk, GuestSpec } from './driver.js';
import { FakeDriver } from './fake-driver.js';

virtDriverConformance('FakeDriver', () => {
  const driver = new FakeDriver({ deviceSize: async ({ path }) => bytes((await stat(path)).size) });
  return Promise.resolve({
    driver,
    addForeignDomain: (uuid: string, name: string) => {
      driver.addForeignDomain(uuid, name);
      return Promise.resolve();
    },
    powerOff: (server: ServerId) => driver.setPowerState(server, 'shutdown'),
    pause: (server: ServerId) => driver.setPowerState(server, 'paused'),
    close: () => driver.close(),
  });
});

const SERVER = '5e50e500-0000-4000-8000-000000000001' as ServerId;
const VOLUME = '70100000-0000-4000-8000-000000000001' as VolumeId;
const disk: GuestDisk = {
  volume: VOLUME,
  source: { kind: 'file', path: '/volumes/one' },
  format: 'raw',
  device: 'vdb',
  bus: 'virtio',
  shareable: false,
  readOnly: false,
};
const spec: GuestSpec = {
  server: SERVER,
  domainName: 'instance-00000001',
  displayName: 'one',
  projectId: 'p',
  vcpus: 1,
  memoryMib: 64,
  kernel: null,
  rootDisk: null,
  bootVolume: null,
  disks: [disk],
  consolePath: '/console',
};

async function running(): Promise<FakeDriver> {
  const driver = new FakeDriver({ deviceSize: () => Promise.resolve(bytes(200)) });
  await driver.createGuest(spec);
  return driver;
}

describe('FakeDriver with prepared faults', () => {
  it('fails the next call before anything is done, and only that one', async () => {
    const driver = await running();
    driver.failNext('detachDisk', new NovellaError('guest-busy', 'prepared'));
    await expect(driver.detachDisk(SERVER, VOLUME)).rejects.toMatchObject({ code: 'guest-busy' });
    expect((await driver.guest(SERVER))?.disks).toHaveLength(1);
    await driver.detachDisk(SERVER, VOLUME);
    expect((await driver.guest(SERVER))?.disks).toHaveLength(0);
  });

  it('loses the answer of a call that was done', async () => {
    const driver = await running();
    driver.failNext('detachDisk', new NovellaError('hypervisor-unreachable', 'prepared'), 'after');
    await expect(driver.detachDisk(SERVER, VOLUME)).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
    expect((await driver.guest(SERVER))?.disks).toHaveLength(0);
  });

  it('holds a call until it is released', async () => {
    const driver = await running();
    const held = driver.hangNext('destroyGuest');
    const destroyed = driver.destroyGuest(SERVER);
    await held.reached;
    expect(await driver.guest(SERVER)).not.toBeNull();
    held.release();
    await destroyed;
    expect(await driver.guest(SERVER)).toBeNull();
  });

  it('refuses to resize a disk on which a block job runs, until it has ended', async () => {
    let size = bytes(200);
    const driver = new FakeDriver({ deviceSize: () => Promise.resolve(size) });
    await driver.createGuest(spec);
    size = bytes(400);
    driver.setBusy(VOLUME, true);
    await expect(driver.liveResize.resizeDisk(SERVER, VOLUME, size)).rejects.toMatchObject({ code: 'guest-busy' });
    driver.setBusy(VOLUME, false);
    expect(await driver.liveResize.resizeDisk(SERVER, VOLUME, size)).toBe(size);
  });

  it('answers nothing while it is not reachable, and tells all power states afterwards', async () => {
    const driver = await running();
    const told: [ServerId, PowerState][] = [];
    driver.onPowerState((server, powerState) => void told.push([server, powerState]));
    driver.setReachable(false);
    await expect(driver.guests()).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
    expect(told).toEqual([]);
    driver.setReachable(true);
    expect(told).toEqual([[SERVER, 'running']]);
  });
});
