import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Bytes, bytesFromBigint, NovellaError } from '@novella/core';

/**
 * Makes a regular file at least `wanted` long, through its own descriptor, without writing data; a file that is long
 * enough is left alone. Answers the length it then has.
 */
export async function growFile(path: string, wanted: Bytes): Promise<Bytes> {
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) throw new NovellaError('internal', 'only a regular file can be grown', { path });
    if (before.size < BigInt(wanted)) {
      await file.truncate(wanted);
      await file.datasync();
    }
    return bytesFromBigint((await file.stat({ bigint: true })).size);
  } finally {
    await file.close();
  }
}
