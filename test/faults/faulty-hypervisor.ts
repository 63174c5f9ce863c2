import { lstat } from 'node:fs/promises';
import { growQcow2, qcow2Size, spawnRunner } from '@novella/brick';
import { bytes, NovellaError, type ServerId, type VolumeId } from '@novella/core';
import { FakeDriver, type GuestDisk } from '@novella/virt';

export interface FaultyHypervisor {
  readonly driver: FakeDriver;
  /** It will not attach, or not detach, this volume, for good. */
  readonly refused: Set<string>;
}

/** Guests in memory on real files, of any number, on a hypervisor that refuses what a test has named. */
export function faultyHypervisor(): FaultyHypervisor {
  const refused = new Set<string>();
  const driver = new FakeDriver({
    deviceSize: async ({ path }, format) => (format === 'qcow2' ? qcow2Size(path) : bytes((await lstat(path)).size)),
    growQcow2: (path, size) => growQcow2(spawnRunner, path, size),
    hypervisor: { vcpus: 10_000, memoryMib: 2 ** 24 },
  });
  const attach = driver.attachDisk.bind(driver);
  const detach = driver.detachDisk.bind(driver);
  const unlessRefused = <T>(what: 'attach' | 'detach', volume: VolumeId, work: () => Promise<T>): Promise<T> =>
    refused.has(`${what} ${volume}`)
      ? Promise.reject(new NovellaError('hypervisor-refused', 'the test says so', { volume }, { grade: 'final' }))
      : work();
  Object.assign(driver, {
    attachDisk: (server: ServerId, disk: GuestDisk) => unlessRefused('attach', disk.volume, () => attach(server, disk)),
    detachDisk: (server: ServerId, volume: VolumeId) => unlessRefused('detach', volume, () => detach(server, volume)),
  });
  return { driver, refused };
}
