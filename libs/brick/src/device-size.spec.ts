import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { BigIntStats } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceNumbers, deviceSize, loopBacking } from './device-size.js';

const block = (rdev: bigint) => ({ rdev, isFile: () => false, isBlockDevice: () => true }) as unknown as BigIntStats;

describe('deviceNumbers', () => {
  it.each([
    ['/dev/loop0', 0x700n, '7:0'],
    ['/dev/sda1', 0x801n, '8:1'],
    ['a minor above 255', 0x1007_03n, '7:259'],
    ['a major above 255', 0x10305n, '259:5'],
    ['a major above 4095', 0x1000_0000_0001n, '4096:1'],
  ])('unpacks %s', (_name, rdev, numbers) => {
    expect(deviceNumbers(rdev)).toBe(numbers);
  });
});

describe('what sysfs says of a block device', () => {
  let sysfs: string;
  beforeEach(async () => {
    sysfs = await mkdtemp(join(tmpdir(), 'novella-sysfs-'));
    await mkdir(join(sysfs, 'dev/block/7:0/loop'), { recursive: true });
    await writeFile(join(sysfs, 'dev/block/7:0/size'), '4194304\n');
    await writeFile(join(sysfs, 'dev/block/7:0/loop/backing_file'), '/volumes/one\n');
    await writeFile(join(sysfs, 'dev/block/7:0/loop/offset'), '1048576\n');
  });
  afterEach(() => rm(sysfs, { recursive: true, force: true }));

  it('counts sectors of 512 bytes', async () => {
    expect(await deviceSize(block(0x700n), sysfs)).toBe(2 * 2 ** 30);
  });

  it('is missing when the kernel does not know the numbers', async () => {
    await expect(deviceSize(block(0x701n), sysfs)).rejects.toMatchObject({ code: 'host-device-missing' });
  });

  it('is an error when it is no number, never a size of NaN', async () => {
    await writeFile(join(sysfs, 'dev/block/7:0/size'), '\n');
    await expect(deviceSize(block(0x700n), sysfs)).rejects.toMatchObject({ code: 'internal' });
  });

  it('tells the file and offset behind a loop device', async () => {
    expect(await loopBacking(block(0x700n), sysfs)).toEqual({ path: '/volumes/one', offset: 2 ** 20 });
  });

  it('tells nothing for a device that is no loop device', async () => {
    expect(await loopBacking(block(0x701n), sysfs)).toBeNull();
  });
});
