import { execFile } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { bytes } from '@novella/core';
import { guestImages } from '@novella/testing';
import { COMMAND_LINE } from './linux-guest.js';

const run = promisify(execFile);
export const BOOT_DISK = bytes(24 * 2 ** 20);
/** FAT16 over the whole disk, as mformat wants it told. */
const GEOMETRY = ['-h', '16', '-s', '63', '-T', String(BOOT_DISK / 512)];

/** A disk from which a BIOS boots Linux: its own kernel and initramfs, and `word` on the kernel's command line. */
export async function writeBootDisk(path: string, word: string): Promise<void> {
  const { kernelPath, initrdPath } = await guestImages();
  const config = `${path}.cfg`;
  // The loader knows names of eight letters and three. At level 6 the kernel says its command line.
  const boot = ['KERNEL /vmlinuz', 'INITRD /initrd.gz', `APPEND loglevel=6 ${COMMAND_LINE} novella.booted=${word}`];
  await writeFile(config, ['DEFAULT linux', 'LABEL linux', ...boot, ''].join('\n'));
  await writeFile(path, '');
  await truncate(path, BOOT_DISK);
  await run('mformat', ['-i', path, ...GEOMETRY, '::']);
  for (const [from, to] of [
    [kernelPath, '::vmlinuz'],
    [initrdPath, '::initrd.gz'],
    [config, '::syslinux.cfg'],
  ] as const) {
    await run('mcopy', ['-i', path, from, to]);
  }
  await run('syslinux', ['--install', path]);
}
