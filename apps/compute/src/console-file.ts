import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MOST_CONSOLE_BYTES } from '@novella/contracts';
import { NovellaError } from '@novella/core';
import { CONSOLE_FILE } from './instance-files.js';

/**
 * The end of a guest's console, at most MOST_CONSOLE_BYTES of UTF-8, and of that the last `lines`; '' before its first
 * output. Bytes that are no UTF-8 are replaced. `folder` is the instance's own. Errors: domain-not-found when there is
 * none; `internal` when the console is no file that can be read. Mirrors nova:nova/compute/manager.py get_console_output.
 */
export async function readConsole(folder: string, lines: number | null): Promise<string> {
  const file = await openConsole(folder);
  if (file === null) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, MOST_CONSOLE_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return lastLines(safeText(buffer.subarray(0, bytesRead), { cut: size > length }), lines);
  } finally {
    await file.close();
  }
}

/**
 * A guest's console for reading; null when there is none yet. What is opened is the file of that name in that very folder:
 * a link in the place of either is not followed, and a pipe not waited for. Errors: domain-not-found, `internal`.
 */
export async function openConsole(folder: string): Promise<FileHandle | null> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const directory = await orNull(folder, open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (directory === null) {
    throw new NovellaError('domain-not-found', 'the server is not on this host', { folder });
  }
  try {
    const path = `/proc/self/fd/${directory.fd}/${CONSOLE_FILE}`;
    const file = await orNull(folder, open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    if (file === null || (await file.stat()).isFile()) return file;
    await file.close();
    throw new NovellaError('internal', 'the console is not a regular file', { folder });
  } finally {
    await directory.close();
  }
}

async function orNull(folder: string, opening: Promise<FileHandle>): Promise<FileHandle | null> {
  try {
    return await opening;
  } catch (cause) {
    if (typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ENOENT') return null;
    throw new NovellaError('internal', 'the console cannot be read', { folder }, { cause });
  }
}

/** Text whose UTF-8 is no longer than MOST_CONSOLE_BYTES, though a replaced byte takes three. */
export function safeText(output: Buffer, { cut }: { cut: boolean }): string {
  const text = output.toString('utf8', cut ? firstCharacter(output) : 0);
  if (Buffer.byteLength(text) <= MOST_CONSOLE_BYTES) return text;
  const end = Buffer.from(text).subarray(-MOST_CONSOLE_BYTES);
  return end.toString('utf8', firstCharacter(end));
}

/** Where the first whole character begins: a cut may have left the last bytes of another one. */
function firstCharacter(output: Buffer): number {
  const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
  let start = 0;
  while (start < 3 && isContinuation(output[start])) start += 1;
  return start;
}

/** As Nova counts: what stands after the last line's end is a line too. */
function lastLines(text: string, lines: number | null): string {
  if (lines === null) return text;
  return lines === 0 ? '' : text.split('\n').slice(-lines).join('\n');
}
