import { lstat } from 'node:fs/promises';
import { type Bytes, bytes, type VolumeId } from '@novella/core';
import { FakeDriver, type LiveResize } from '@novella/virt';

export interface Told {
  readonly volume: VolumeId;
  readonly size: Bytes;
}

/** A hypervisor in memory over real files, which notes what sizes it was told. */
export function watchedHypervisor(): { readonly driver: FakeDriver; readonly told: Told[] } {
  const driver = new FakeDriver({ deviceSize: async ({ path }) => bytes((await lstat(path)).size) });
  const told: Told[] = [];
  const resize = driver.liveResize.resizeDisk.bind(driver.liveResize);
  const liveResize: LiveResize = {
    resizeDisk: (server, volume, size) => {
      told.push({ volume, size });
      return resize(server, volume, size);
    },
  };
  return { driver: Object.assign(driver, { liveResize }), told };
}
