import { stat, truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Bytes, bytes, millis, NovellaError, type PowerState, type ServerId, type VolumeId } from '@novella/core';
import { temporaryDirectory, type TemporaryDirectory, virtualClock } from '@novella/testing';
import { virtDriverConformance } from './conformance/virt-driver.conformance.js';
import type { GuestDisk, GuestSpec } from './driver.js';
import { FakeDriver } from './fake-driver.js';
import { FakeGuestFiles } from './fake-guest-files.js';
import type { Resize } from './fake-guests.js';

virtDriverConformance('FakeDriver', () => {
  // The fake does not look into its files: a qcow2 file is as long as its virtual size.
  const driver = new FakeDriver({ deviceSize: async ({ path }) => bytes((await stat(path)).size) });
  const done = Promise.resolve();
  return Promise.resolve({
    driver,
    addForeignDomain: (uuid: string, name: string) => {
      driver.addForeignDomain(uuid, name);
      return done;
    },
    powerOff: (server: ServerId) => driver.setPowerState(server, 'shutdown'),
    pause: (server: ServerId) => driver.setPowerState(server, 'paused'),
    resume: (server: ServerId) => driver.setPowerState(server, 'running'),
    save: (server: ServerId) => driver.setPowerState(server, 'saved'),
    fallAsleep: (server: ServerId) => driver.setPowerState(server, 'suspended'),
    makeDeaf: (server: ServerId) => {
      driver.setDeaf(server, true);
      return done;
    },
    startBlockJob: (_server: ServerId, { volume }: GuestDisk) => {
      driver.setBusy(volume, true);
      return Promise.resolve(() => {
        driver.setBusy(volume, false);
        return done;
      });
    },
    createQcow2: async (path: string, size: Bytes) => {
      await writeFile(path, '');
      await truncate(path, size);
    },
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

  it('cuts the power of a deaf guest when its grace is over, not before', async () => {
    const clock = virtualClock();
    const driver = new FakeDriver({ deviceSize: () => Promise.resolve(bytes(200)), clock });
    await driver.createGuest(spec);
    driver.setDeaf(SERVER, true);
    const stopped = driver.stopGuest(SERVER, millis(60_000), new AbortController().signal);
    await clock.advance(millis(59_999));
    expect((await driver.guest(SERVER))?.powerState).toBe('running');
    await clock.advance(millis(1));
    await stopped;
    expect((await driver.guest(SERVER))?.powerState).toBe('shutdown');
  });

  it('does not stop a guest when it has become unreachable or busy in the meantime', async () => {
    const clock = virtualClock();
    const driver = new FakeDriver({ deviceSize: () => Promise.resolve(bytes(200)), clock });
    await driver.createGuest(spec);
    driver.setDeaf(SERVER, true);
    for (const [turn, code] of [
      [() => driver.setBusy(VOLUME, true), 'guest-busy'],
      [() => driver.setReachable(false), 'hypervisor-unreachable'],
    ] as const) {
      const stopped = driver.stopGuest(SERVER, millis(1_000), new AbortController().signal);
      const refused = expect(stopped).rejects.toMatchObject({ code });
      await clock.advance(millis(500));
      turn();
      await clock.advance(millis(500));
      await refused;
      driver.setBusy(VOLUME, false);
    }
    driver.setReachable(true);
    expect((await driver.guest(SERVER))?.powerState).toBe('running');
  });

  it('loses the answer of a start and of a stop that were done', async () => {
    const driver = await running();
    const lost = new NovellaError('hypervisor-unreachable', 'prepared');
    driver.failNext('stopGuest', lost, 'after');
    const stopped = driver.stopGuest(SERVER, millis(0), new AbortController().signal);
    await expect(stopped).rejects.toBe(lost);
    expect((await driver.guest(SERVER))?.powerState).toBe('shutdown');
    driver.failNext('startGuest', lost, 'after');
    await expect(driver.startGuest(SERVER)).rejects.toBe(lost);
    expect((await driver.guest(SERVER))?.powerState).toBe('running');
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

describe('FakeDriver.onResize', () => {
  const seenBy = (driver: FakeDriver): Resize[] => {
    const seen: Resize[] = [];
    driver.onResize((resize) => void seen.push(resize));
    return seen;
  };

  it('is told of each resize that came, also of one that changed nothing or was refused', async () => {
    let size = bytes(200);
    const driver = new FakeDriver({ deviceSize: () => Promise.resolve(size) });
    await driver.createGuest(spec);
    const seen = seenBy(driver);
    size = bytes(400);
    await driver.liveResize.resizeDisk(SERVER, VOLUME, size);
    await driver.liveResize.resizeDisk(SERVER, VOLUME, size);
    await expect(driver.liveResize.resizeDisk(SERVER, VOLUME, bytes(800))).rejects.toThrow(NovellaError);
    expect(seen.map(({ from, to }) => [from, to])).toEqual([
      [200, 400],
      [400, 400],
      [400, 400],
    ]);
    expect(seen[0]).toMatchObject({ server: SERVER, volume: VOLUME });
  });

  it('is told of one whose answer was lost, and not of one that did not come', async () => {
    const driver = await running();
    const seen = seenBy(driver);
    const lost = new NovellaError('hypervisor-unreachable', 'prepared');
    driver.failNext('resizeDisk', lost, 'before');
    driver.failNext('resizeDisk', lost, 'after');
    for (const heard of [0, 1]) {
      await expect(driver.liveResize.resizeDisk(SERVER, VOLUME, bytes(200))).rejects.toBe(lost);
      expect(seen).toHaveLength(heard);
    }
  });
});

describe('FakeDriver that keeps its guests in files', () => {
  let dir: TemporaryDirectory;
  beforeEach(async () => {
    dir = await temporaryDirectory();
  });
  afterEach(() => dir.remove());
  const started = (size = 200): FakeDriver =>
    new FakeDriver({ deviceSize: () => Promise.resolve(bytes(size)), keep: new FakeGuestFiles(dir.path) });
  const SECOND = '70100000-0000-4000-8000-000000000002' as VolumeId;

  it.each<[string, (driver: FakeDriver) => Promise<unknown>]>([
    ['nothing', () => Promise.resolve()],
    ['a stop', (driver) => driver.stopGuest(SERVER, millis(0), new AbortController().signal)],
    ['a pause', (driver) => driver.setPowerState(SERVER, 'paused')],
    ['an attach', (driver) => driver.attachDisk(SERVER, { ...disk, volume: SECOND, device: 'vdc' })],
    ['a detach', (driver) => driver.detachDisk(SERVER, VOLUME)],
    ['a resize', (driver) => driver.liveResize.resizeDisk(SERVER, VOLUME, bytes(400))],
    ['a destroy', (driver) => driver.destroyGuest(SERVER)],
  ])('has them as they were after %s', async (_what, change) => {
    await started().createGuest(spec);
    const driver = started(400);
    await change(driver);
    const before = await driver.guests();
    expect(await started().guests()).toEqual(before);
  });

  it('has one that could not start, and gives another run to each start', async () => {
    const broken = new FakeDriver({
      deviceSize: () => Promise.reject(new Error('gone')),
      keep: new FakeGuestFiles(dir.path),
    });
    await expect(broken.createGuest(spec)).rejects.toMatchObject({ code: 'hypervisor-refused' });
    const first = await started().startGuest(SERVER);
    await started().stopGuest(SERVER, millis(0), new AbortController().signal);
    expect((await started().startGuest(SERVER)).run).not.toBe(first.run);
  });

  it('has told nobody of a change that is not yet in the files', async () => {
    const driver = started();
    const kept: (PowerState | undefined)[] = [];
    driver.onPowerState((server) => {
      const [found] = new FakeGuestFiles(dir.path).load().filter(({ spec: { server: id } }) => id === server);
      kept.push(found?.powerState);
    });
    await driver.createGuest(spec);
    expect(kept).toEqual(['running']);
  });
});
