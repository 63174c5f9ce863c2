import { lstat } from 'node:fs/promises';
import { growQcow2, qcow2Size, spawnRunner } from '@novella/brick';
import { bytes } from '@novella/core';
import type { FakeDriverOptions } from './fake-driver.js';

/** Disks of a FakeDriver's guests as the real files of this host: measured each time, a qcow2 file grown by qemu-img. */
export const hostFiles: Required<Pick<FakeDriverOptions, 'deviceSize' | 'growQcow2'>> = {
  deviceSize: async ({ path }, format) => (format === 'qcow2' ? qcow2Size(path) : bytes((await lstat(path)).size)),
  growQcow2: (path, size) => growQcow2(spawnRunner, path, size),
};
