import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bytes, bytes, NovellaError } from '@novella/core';
import { syncDirectory } from '../sync-directory.js';

const PARTIAL = '.partial';
const STAT_BLOCK = 512;

export interface CachedFile {
  readonly name: string;
  /** That it takes on the disk. */
  readonly taken: Bytes;
  readonly usedAt: Date;
}

/**
 * The files of the image cache. An image has its name only when it is whole and on the disk; until then it is a partial
 * file beside it, which is never gone on with. All may fail with host-disk-full.
 */
export class CacheFiles {
  private constructor(private readonly folder: string) {}

  /** What an earlier process has left half done is removed. */
  static async open(folder: string): Promise<CacheFiles> {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const partials = (await readdir(folder)).filter((name) => name.endsWith(PARTIAL));
    await Promise.all(partials.map((name) => rm(join(folder, name), { force: true })));
    return new CacheFiles(folder);
  }

  /** The path of an image of that size, marked as used now; null when there is none. */
  async find(name: string, size: Bytes, now: Date): Promise<string | null> {
    const path = join(this.folder, name);
    const found = await stat(path).catch(() => null);
    if (found?.isFile() !== true || found.size !== size) return null;
    await utimes(path, now, now);
    return path;
  }

  /** An empty partial file, whatever was there. */
  async begin(name: string): Promise<void> {
    await this.#partial(name, constants.O_CREAT | constants.O_TRUNC, () => Promise.resolve());
  }

  async write(name: string, data: Uint8Array, position: number): Promise<void> {
    await this.#partial(name, 0, async (file) => {
      for (let done = 0; done < data.length;) {
        done += (await file.write(data, done, data.length - done, position + done)).bytesWritten;
      }
    });
  }

  /** The partial file becomes the image, `size` long and used now; what was not written of it is zero. Answers its path. */
  async keep(name: string, size: Bytes, now: Date): Promise<string> {
    const kept = await this.find(name, size, now);
    if (kept !== null) return kept;
    await this.#partial(name, 0, async (file) => {
      await file.truncate(size);
      await file.utimes(now, now);
      await file.sync();
    });
    const path = join(this.folder, name);
    await rename(this.#partialPath(name), path);
    await syncDirectory(this.folder);
    return path;
  }

  /** Of a partial file; none is no error. */
  async discard(name: string): Promise<void> {
    await rm(this.#partialPath(name), { force: true });
  }

  async list(): Promise<CachedFile[]> {
    const names = (await readdir(this.folder)).filter((name) => !name.endsWith(PARTIAL));
    const files = await Promise.all(
      names.map(async (name) => {
        const found = await stat(join(this.folder, name)).catch(() => null);
        return found === null ? [] : [{ name, taken: bytes(found.blocks * STAT_BLOCK), usedAt: found.mtime }];
      }),
    );
    return files.flat();
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.folder, name), { force: true });
  }

  /** Opened for each piece anew: between two of them nothing is held that a process could leave open. */
  async #partial(name: string, flags: number, work: (file: FileHandle) => Promise<void>): Promise<void> {
    await spaceMayLack(async () => {
      const file = await open(this.#partialPath(name), constants.O_RDWR | constants.O_NOFOLLOW | flags, 0o644);
      try {
        await work(file);
      } finally {
        await file.close();
      }
    });
  }

  #partialPath(name: string): string {
    return join(this.folder, name + PARTIAL);
  }
}

async function spaceMayLack(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    throw new NovellaError('host-disk-full', 'there is no room for the image on the host', {}, { cause: error });
  }
}
