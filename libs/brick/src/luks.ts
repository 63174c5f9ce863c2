import { open } from 'node:fs/promises';
import { type Bytes, bytes, NovellaError } from '@novella/core';
import type { DeviceKey, VolumeSecret } from './connector.js';

/**
 * LUKS, version 1, as QEMU opens it: a header with eight places for keys, and from `payload-offset` on what the guest
 * sees. https://gitlab.com/cryptsetup/cryptsetup/-/wikis/LUKS-standard/on-disk-format.pdf
 */
const MAGIC = Buffer.from('LUKS\xba\xbe', 'latin1');
const VERSION_AT = 6;
const PAYLOAD_OFFSET_AT = 104;
export const HEADER_BYTES = 592;
const SECTOR = 512;

/** Error image-refused: of another version. */
export const isLuks = async (path: string): Promise<boolean> =>
  overheadIn(await beginning(path, HEADER_BYTES)) !== null;

/** Bytes before what the guest sees. Error image-refused when the device has no LUKS header, or one of another version. */
export const luksOverhead = async (path: string): Promise<Bytes> =>
  overheadOf(await beginning(path, HEADER_BYTES), path);

/** As luksOverhead, of a device whose first HEADER_BYTES were read already. */
export function overheadOf(header: Buffer, path: string): Bytes {
  const overhead = overheadIn(header);
  if (overhead !== null) return overhead;
  throw new NovellaError('image-refused', 'the volume is to be encrypted, but has no LUKS header', { path });
}

/** null: it is no LUKS header. Error image-refused: of another version. */
export function overheadIn(header: Buffer): Bytes | null {
  if (header.length < HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  const version = header.readUInt16BE(VERSION_AT);
  if (version !== 1) throw new NovellaError('image-refused', 'only LUKS of version 1 can be opened', { version });
  return bytes(header.readUInt32BE(PAYLOAD_OFFSET_AT) * SECTOR);
}

/** What is left of a device for the guest; nothing of one that is smaller than its header. */
export const sizeAfter = (overhead: Bytes, size: Bytes): Bytes => bytes(Math.max(0, size - overhead));

/** The pass phrase, as libvirt is told it. Error volume-key-missing when none came with the volume. */
export function luksKey(secret: VolumeSecret | null): DeviceKey {
  const passphrase = secret?.['luks_passphrase'];
  if (passphrase !== undefined) return { purpose: 'luks', value: Buffer.from(passphrase) };
  throw new NovellaError('volume-key-missing', 'no pass phrase came with the encrypted volume');
}

/** As many bytes as there are, up to `count`. */
export async function beginning(path: string, count: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(count), 0, count, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
