import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Bytes, bytesFromBigint, NovellaError } from '@novella/core';

/**
 * The header of a qcow2 image, as qemu:docs/interop/qcow2.txt lays it out. An image that names another file, as its
 * backing or for its data, would let whoever made it read that file of the host, and is refused.
 */
export interface Qcow2Header {
  /** What a guest sees. */
  readonly virtualSize: Bytes;
  readonly version: 2 | 3;
  /** Snapshots inside the image. QEMU cannot resize a version 2 image that has some. */
  readonly snapshots: number;
}

/** What of the image's beginning must be handed to `parseQcow2Header`: header and extensions lie within it. */
export const QCOW2_HEADER_BYTES = 65_536;

const MAGIC = 0x51_46_49_fb;
const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;
const CORRUPT = 1n << 1n;
const DATA_FILE = 1n << 2n;
/** dirty, compression type, extended L2 entries: of no danger. Bits that we do not know are refused. */
const HARMLESS_FEATURES = (1n << 0n) | (1n << 3n) | (1n << 4n);
const EXTENSION = { end: 0, backingFormat: 0xe2_79_2a_ca, dataFileName: 0x44_41_54_41 } as const;

/** Error: image-refused. `head` is the image's first 64 KiB, or all of a shorter file. */
export function parseQcow2Header(head: Buffer): Qcow2Header {
  if (head.length < V2_HEADER_BYTES || head.readUInt32BE(0) !== MAGIC) throw refused('it has no qcow2 header');
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw refused('its qcow2 version is unknown', { version });
  if (head.readBigUInt64BE(8) !== 0n) throw refused('it has a backing file');
  if (head.readUInt32BE(32) !== 0) throw refused('it is encrypted');
  const clusterBits = head.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) throw refused('its cluster size is out of range', { clusterBits });

  const headerLength = version === 2 ? V2_HEADER_BYTES : checkVersion3(head);
  refuseExtensions(head, headerLength);

  const size = head.readBigUInt64BE(24);
  if (size === 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) throw refused('its virtual size is out of range');
  return { virtualSize: bytesFromBigint(size), version, snapshots: head.readUInt32BE(60) };
}

/** Reads the header from a file that was resolved and allowed before. Error: image-refused. */
export async function readQcow2Header(path: string): Promise<Qcow2Header> {
  // The path may be another by now: neither a link is followed nor a pipe waited for.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const head = Buffer.alloc(QCOW2_HEADER_BYTES);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return parseQcow2Header(head.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

function checkVersion3(head: Buffer): number {
  if (head.length < V3_HEADER_BYTES) throw refused('its header is cut off');
  const features = head.readBigUInt64BE(72);
  if ((features & DATA_FILE) !== 0n) throw refused('it keeps its data in another file');
  if ((features & CORRUPT) !== 0n) throw refused('it is marked corrupt');
  if ((features & ~HARMLESS_FEATURES) !== 0n) throw refused('it needs features that are unknown here');
  const length = head.readUInt32BE(100);
  if (length < V3_HEADER_BYTES || length % 8 !== 0) throw refused('its header length is wrong', { length });
  return length;
}

/** Each extension is a type, a length and so many bytes, padded to eight. */
function refuseExtensions(head: Buffer, start: number): void {
  let at = start;
  while (at + 8 <= head.length) {
    const type = head.readUInt32BE(at);
    if (type === EXTENSION.end) return;
    if (type === EXTENSION.backingFormat) throw refused('it names the format of a backing file');
    if (type === EXTENSION.dataFileName) throw refused('it names a data file');
    at += 8 + Math.ceil(head.readUInt32BE(at + 4) / 8) * 8;
  }
  throw refused('its header extensions have no end');
}

const refused = (why: string, facts: Record<string, number> = {}): NovellaError =>
  new NovellaError('image-refused', `the qcow2 image is refused: ${why}`, facts);
