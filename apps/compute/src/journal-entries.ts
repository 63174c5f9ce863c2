import { crc32 } from 'node:zlib';
import { bytes, isUuid, NovellaError, type OperationId, type ServerId, type VolumeId } from '@novella/core';
import { z } from 'zod';

/**
 * The journal's file: one line per write, `<crc32 of the rest, 8 hex digits> <JSON array of entries>`. A write that was
 * cut off is the last line, fails its checksum and is dropped; it was never acted on.
 */
const uuid = z.string().refine(isUuid);
const volume = uuid.transform((id) => id as VolumeId);
const entry = z.discriminatedUnion('kind', [
  /** The highest fence acted on, for a server (`volume` null) or for one volume of it. */
  z.object({
    kind: z.literal('fence'),
    server: uuid.transform((id) => id as ServerId),
    volume: volume.nullable(),
    fence: z.int().positive(),
  }),
  /** Entries below this fence were dropped; a key that is not known counts as acted on up to here. */
  z.object({ kind: z.literal('floor'), fence: z.int().nonnegative() }),
  /** Lengths that a resize of ours has set the volume's file to, or was about to; empty: forgotten. */
  z.object({
    kind: z.literal('lengths'),
    volume,
    path: z.string(),
    lengths: z.array(z.int().nonnegative().transform(bytes)),
  }),
  /** The last reboot of a server that was begun, and the guest's run before it; `operation` null: forgotten. */
  z.object({
    kind: z.literal('reboot'),
    server: uuid.transform((id) => id as ServerId),
    operation: uuid.transform((id) => id as OperationId).nullable(),
    /** Which request of the operation. */
    seq: z.int(),
    run: z.number().nullable(),
  }),
]);
export type JournalEntry = z.output<typeof entry>;

const line = z.array(entry);

export function encodeEntries(entries: readonly JournalEntry[]): Buffer {
  const json = JSON.stringify(entries);
  return Buffer.from(`${checksum(json)} ${json}\n`);
}

/** All entries of the file in order. Error: host-state-lost when a line before the last is damaged. */
export function decodeJournal(text: string): JournalEntry[] {
  // What stands after the last line's end is a write that was cut off.
  const lines = text.split('\n').slice(0, -1);
  const entries: JournalEntry[] = [];
  for (const [index, written] of lines.entries()) {
    const decoded = decodeLine(written);
    if (decoded !== null) entries.push(...decoded);
    else if (index < lines.length - 1) {
      throw new NovellaError('host-state-lost', 'the journal is damaged', { line: index + 1 }, { grade: 'final' });
    }
  }
  return entries;
}

function decodeLine(written: string): JournalEntry[] | null {
  const json = written.slice(9);
  if (written.slice(0, 9) !== `${checksum(json)} `) return null;
  const parsed = line.safeParse(JSON.parse(json));
  if (parsed.success) return parsed.data;
  throw new NovellaError('host-state-lost', 'the journal was written by another version', {}, { grade: 'final' });
}

const checksum = (json: string): string => crc32(json).toString(16).padStart(8, '0');
