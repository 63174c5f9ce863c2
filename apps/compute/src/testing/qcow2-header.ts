import { open, readFile } from 'node:fs/promises';
import { type Bytes, bytesFromBigint } from '@novella/core';

/** The beginning of a qcow2 file, and all of it that our own code looks at. */
const HEADER_BYTES = 512;
const MAGIC = 0x51_46_49_fb;
const SIZE_AT = 24;

/** Version 3, without extensions. */
export function qcow2Header(virtualSize: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(MAGIC, 0);
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(BigInt(virtualSize), SIZE_AT);
  header.writeUInt32BE(104, 100);
  return header;
}

export async function isQcow2(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.readUInt32BE(0) === MAGIC;
  } finally {
    await file.close();
  }
}

export const readQcow2Size = async (path: string): Promise<Bytes> =>
  bytesFromBigint((await readFile(path)).readBigUInt64BE(SIZE_AT));

/** As a resize leaves the header behind. */
export async function setQcow2Size(path: string, virtualSize: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(virtualSize));
    await file.write(size, 0, 8, SIZE_AT);
  } finally {
    await file.close();
  }
}
