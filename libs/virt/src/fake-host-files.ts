import { lstat } from 'node:fs/promises';
import { growQcow2, luksOverhead, qcow2Size, spawnRunner } from '@novella/brick';
import { bytes } from '@novella/core';
import type { FakeDriverOptions } from './fake-driver.js';

/** Disks of a FakeDriver's guests as the real files of this host: measured each time, a qcow2 file grown by qemu-img. */
export const hostFiles: Required<Pick<FakeDriverOptions, 'deviceSize' | 'growQcow2'>> = {
  deviceSize: async ({ path }, format) => {
    if (format === 'qcow2') return qcow2Size(path);
    return bytes((await lstat(path)).size - (format === 'luks' ? await luksOverhead(path) : 0));
  },
  growQcow2: (path, size) => growQcow2(spawnRunner, path, size),
};
