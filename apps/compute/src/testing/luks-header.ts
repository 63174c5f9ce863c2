import { open } from 'node:fs/promises';

/** What comes before the payload of a LUKS volume made here: far less than of a real one. */
export const LUKS_HEADER = 4096;

/** The beginning of a LUKS header of version 1, as far as anybody here reads it. */
export function luksHeader(): Buffer {
  const header = Buffer.alloc(LUKS_HEADER);
  header.write('LUKS\xba\xbe', 'latin1');
  header.writeUInt16BE(1, 6);
  header.writeUInt32BE(LUKS_HEADER / 512, 104);
  return header;
}

export async function isLuks(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(6), 0, 6, 0);
    return buffer.equals(luksHeader().subarray(0, 6));
  } finally {
    await file.close();
  }
}
