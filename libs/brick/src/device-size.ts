import { type BigIntStats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bytes, bytesFromBigint, NovellaError, sectorsToBytes } from '@novella/core';

/** `major:minor` of a device node, as the C library packs them into st_rdev. */
export function deviceNumbers(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** A file's length, or what the kernel says of a block device: the figure of BLKGETSIZE64, read from sysfs. */
export async function deviceSize(stat: BigIntStats, sysfs: string): Promise<Bytes> {
  if (stat.isFile()) return bytesFromBigint(stat.size);
  const attribute = join(sysfs, 'dev/block', deviceNumbers(stat.rdev), 'size');
  const text = await readFile(attribute, 'utf8').catch((cause: unknown) => {
    throw new NovellaError('host-device-missing', 'the kernel knows no such block device', { attribute }, { cause });
  });
  return sectorsToBytes(parseCount(text, attribute));
}

/** The length of the file, or the size of the block device, at that path. Error: host-device-missing. */
export async function sizeOfPath(path: string): Promise<Bytes> {
  const found = await stat(path, { bigint: true }).catch((cause: unknown) => {
    throw new NovellaError('host-device-missing', 'there is no such file or device on the host', { path }, { cause });
  });
  return deviceSize(found, '/sys');
}

/** What a loop device shows of; null for any other device. `path` may be that of a file that was since deleted. */
export async function loopBacking(stat: BigIntStats, sysfs: string): Promise<{ path: string; offset: Bytes } | null> {
  if (!stat.isBlockDevice()) return null;
  const loop = join(sysfs, 'dev/block', deviceNumbers(stat.rdev), 'loop');
  const [path, offset] = await Promise.all([read(join(loop, 'backing_file')), read(join(loop, 'offset'))]);
  if (path === null || offset === null) return null;
  return { path: path.trimEnd(), offset: bytesFromBigint(BigInt(parseCount(offset, loop))) };
}

const read = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(() => null);

function parseCount(text: string, attribute: string): number {
  const digits = text.trim();
  if (/^\d+$/.test(digits)) return Number(digits);
  throw new NovellaError('internal', 'sysfs answered no number', { attribute, text: digits.slice(0, 64) });
}
