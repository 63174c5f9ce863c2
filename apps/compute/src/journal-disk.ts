import { type FileHandle, open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from './sync-directory.js';

/** What the journal asks of the disk: one file under its name, and another that takes its place in one step. */
export interface JournalDisk {
  /** The journal's place, for errors. */
  readonly path: string;
  /** The whole file under the name; '' when there is none. */
  read(): Promise<string>;
  /** A new empty file beside it. */
  create(): Promise<JournalFile>;
  /** The created file gets the name; durable only after `syncName`. */
  takeName(file: JournalFile): Promise<void>;
  syncName(): Promise<void>;
  /** Which file has the name now; null when none has. Two files that live never answer the same. */
  nameHolder(): Promise<bigint | null>;
}

export interface JournalFile {
  identity(): Promise<bigint>;
  /** Durable only after `datasync`. */
  write(data: Buffer, position: number): Promise<void>;
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** `<directory>/journal` on this machine. */
export function journalOnDisk(directory: string): JournalDisk {
  const path = join(directory, 'journal');
  const next = `${path}.next`;
  return {
    path,
    read: () =>
      readFile(path, 'utf8').catch((error: unknown) => {
        if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return '';
        throw error;
      }),
    create: async () => fileOf(await open(next, 'w', 0o600)),
    takeName: () => rename(next, path),
    syncName: () => syncDirectory(directory),
    nameHolder: async () => (await stat(path, { bigint: true }).catch(() => null))?.ino ?? null,
  };
}

const fileOf = (handle: FileHandle): JournalFile => ({
  identity: async () => (await handle.stat({ bigint: true })).ino,
  async write(data, position) {
    for (let done = 0; done < data.length;) {
      done += (await handle.write(data, done, data.length - done, position + done)).bytesWritten;
    }
  },
  datasync: () => handle.datasync(),
  truncate: (length) => handle.truncate(length),
  close: () => handle.close(),
});
