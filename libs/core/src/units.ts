/**
 * Sizes and times, one type per unit. A volume's size arrives as GiB (Cinder), bytes (host, libvirt) or 512-byte
 * sectors (sysfs); this is the only file that converts between them.
 */
export type Bytes = number & { readonly __unit: 'B' };
export type GiB = number & { readonly __unit: 'GiB' };
export type Millis = number & { readonly __unit: 'ms' };

const GIB = 2 ** 30;
const SECTOR = 512;

/** A count of bytes. Throws a RangeError unless it is a safe, non-negative integer. */
export function bytes(count: number): Bytes {
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`not a count of bytes: ${count}`);
  return count as Bytes;
}

/** Bytes that arrive as a 64-bit integer (libvirt, stat). Throws a RangeError above 2^53 - 1. */
export function bytesFromBigint(count: bigint): Bytes {
  return bytes(Number(count));
}

/** A size as Cinder counts it. Throws a RangeError unless it is a non-negative integer whose bytes are safe. */
export function gib(count: number): GiB {
  if (!Number.isSafeInteger(count) || count < 0 || count > Number.MAX_SAFE_INTEGER / GIB) {
    throw new RangeError(`not a size in GiB: ${count}`);
  }
  return count as GiB;
}

export const gibToBytes = (size: GiB): Bytes => bytes(size * GIB);

/** Whole GiB that fit into `size`, as Nova shows a volume's size. */
export const bytesToGib = (size: Bytes): GiB => gib(Math.floor(size / GIB));

export const sectorsToBytes = (sectors: number): Bytes => bytes(sectors * SECTOR);

export const millis = (count: number): Millis => count as Millis;
export const seconds = (count: number): Millis => (count * 1000) as Millis;
export const minutes = (count: number): Millis => (count * 60_000) as Millis;
