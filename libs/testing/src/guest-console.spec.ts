import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytes, gib, gibToBytes } from '@novella/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GuestConsole, parseConsole } from './guest-console.js';
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.js';

const VOLUME = '01234567-89ab-4def-8123-456789abcdef';
const VIRTIO_SERIAL = VOLUME.slice(0, 20);
const GIB_SECTORS = 2_097_152;
const lines = (...text: string[]) => text.map((line) => `${line}\r\n`).join('');

describe('what the console says', () => {
  it('is the disks by their last known size, without those that are gone', () => {
    const text = lines(
      '[    0.000000] Linux version 6.1',
      'GUEST ready',
      `GUEST disk vda serial=${VIRTIO_SERIAL} sectors=${GIB_SECTORS}`,
      'GUEST disk sda serial=- sectors=8',
      `vda: detected capacity change from ${GIB_SECTORS} to ${2 * GIB_SECTORS}`,
      `GUEST disk vda serial=${VIRTIO_SERIAL} resized sectors=${2 * GIB_SECTORS}`,
      'GUEST disk sda serial=- gone',
    );
    expect(parseConsole(text)).toEqual({
      isReady: true,
      disks: [{ name: 'vda', serial: VIRTIO_SERIAL, size: gibToBytes(gib(2)) }],
      gone: [{ serial: '-' }],
    });
  });

  it('forgets the disks of before when the guest has started again', () => {
    expect(parseConsole(lines('GUEST disk vda serial=a sectors=8', 'GUEST ready')).disks).toEqual([]);
  });

  it('leaves out a last line that is not complete', () => {
    const text = `${lines('GUEST ready')}GUEST disk vda serial=${VIRTIO_SERIAL} sectors=20`;
    expect(parseConsole(text).disks).toEqual([]);
  });
});

describe('a wait on the console', () => {
  let directory: TemporaryDirectory;
  let path: string;
  beforeEach(async () => {
    directory = await temporaryDirectory();
    path = join(directory.path, 'console.log');
  });
  afterEach(() => directory.remove());

  it('goes on over a file that is not there yet and lines that come later', async () => {
    const grown = new GuestConsole(path).waitForSize(VOLUME, gibToBytes(gib(2)));
    await writeFile(path, lines('GUEST ready', `GUEST disk vda serial=${VIRTIO_SERIAL} sectors=${GIB_SECTORS}`));
    await new GuestConsole(path).ready();
    await appendFile(path, lines(`GUEST disk vda serial=${VIRTIO_SERIAL} resized sectors=${2 * GIB_SECTORS}`));
    expect((await grown).name).toBe('vda');
  });

  it.each([
    ['the whole serial of a SCSI disk', VOLUME, VOLUME],
    ['the serial that virtio-blk cuts at 20', VIRTIO_SERIAL, VOLUME],
    ['the start of the serial', VOLUME, VOLUME.slice(0, 8)],
  ])('knows a disk by %s', async (_what, serial, asked) => {
    await writeFile(path, lines('GUEST ready', `GUEST disk sda serial=${serial} sectors=8`));
    expect((await new GuestConsole(path).waitForDisk(asked)).size).toBe(4096);
  });

  it('does not take a disk without a serial, or another size, for the one it waits for', async () => {
    await writeFile(
      path,
      lines('GUEST disk vda serial=- sectors=16', `GUEST disk vdb serial=${VIRTIO_SERIAL} sectors=8`),
    );
    const waiting = new GuestConsole(path).waitForSize(VOLUME, bytes(8192), 1);
    await expect(waiting).rejects.toThrow(`serial=${VIRTIO_SERIAL} sectors=8`);
  });

  it('ends when the disk is gone', async () => {
    await writeFile(path, lines('GUEST ready', `GUEST disk vda serial=${VIRTIO_SERIAL} sectors=8`));
    const guest = new GuestConsole(path);
    await expect(guest.waitForNoDisk(VOLUME, 1)).rejects.toThrow('no disk');
    await appendFile(path, lines(`GUEST disk vda serial=${VIRTIO_SERIAL} gone`));
    await guest.waitForNoDisk(VOLUME);
    expect(await guest.disks()).toEqual([]);
  });

  it('ends when the disk is gone from a guest whose console began anew when it went on', async () => {
    await writeFile(path, lines(`GUEST disk vda serial=${VIRTIO_SERIAL} sectors=8`));
    const guest = new GuestConsole(path);
    await expect(guest.waitForNoDisk(VOLUME, 1)).rejects.toThrow('no disk');
    await appendFile(path, lines(`GUEST disk vda serial=${VIRTIO_SERIAL} gone`));
    await guest.waitForNoDisk(VOLUME);
  });
});
