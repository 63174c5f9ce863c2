import { type Bytes, NovellaError, type OperationId, type ServerId, type VolumeId } from '@novella/core';
import { type JournalDisk, type JournalFile, journalOnDisk } from './journal-disk.js';
import { decodeJournal, encodeEntries, type JournalEntry } from './journal-entries.js';

/** What a command acts on: a whole server, or one volume of it. */
export interface Scope {
  readonly server: ServerId;
  readonly volume: VolumeId | null;
}

/** What we may have set the length of a volume's file to. */
export interface OwnLengths {
  readonly path: string;
  readonly lengths: readonly Bytes[];
}

/** A reboot that was begun. */
export interface BegunReboot {
  readonly operation: OperationId;
  /** Which of the operation's requests. */
  readonly seq: number;
  /** `Guest.run` before anything was done; null when the guest was off. */
  readonly run: number | null;
}

/** Above so many keys the oldest are dropped for good; commands below them then count as stale. */
const MOST_KEYS = 10_000;
const MOST_LENGTHS = 4;
/** The file is written anew when it is twice what it holds, and this. */
const SLACK_BYTES = 256 * 1024;

/**
 * What this host remembers over restarts, on disk before anything is done: the highest fence per server and per volume
 * of it, so that a command that was overtaken does nothing, the lengths that our resizes have set, and which reboots were
 * begun. Writes of several commands at once share one fsync. Opening replaces the file, so that a worker that was stopped, lost the state
 * directory to another and wakes up again sees at its next `check` that the file is no longer its own.
 */
export class Journal {
  readonly #disk: JournalDisk;
  readonly #fences = new Map<string, Extract<JournalEntry, { kind: 'fence' }>>();
  readonly #lengths = new Map<VolumeId, OwnLengths>();
  readonly #reboots = new Map<ServerId, BegunReboot>();
  #floor = 0;
  #unwritten: JournalEntry[] = [];
  #writing: Promise<void> = Promise.resolve();
  #queued: Promise<void> | null = null;
  #file: JournalFile | null = null;
  #size = 0;
  #rewriteAbove = 0;
  readonly #ours = new Set<bigint>();

  private constructor(disk: JournalDisk) {
    this.#disk = disk;
  }

  /** Error: host-state-lost when the file is damaged where no cut-off write can have damaged it. */
  static async open(directory: string, disk: JournalDisk = journalOnDisk(directory)): Promise<Journal> {
    const journal = new Journal(disk);
    for (const entry of decodeJournal(await disk.read())) journal.#remember(entry);
    await journal.#rewrite();
    return journal;
  }

  /** Durable when it answers `admitted`. The same fence again is a repeat and is admitted. */
  async admit(scope: Scope, fence: number): Promise<'admitted' | 'stale'> {
    if (fence < this.#highest(scope)) return 'stale';
    if (fence !== this.#fences.get(keyOf(scope))?.fence) await this.#append({ kind: 'fence', ...scope, fence });
    else await this.#flush();
    return 'admitted';
  }

  /** Asked before each step on the host. Error: command-stale. */
  async check(scope: Scope, fence: number): Promise<void> {
    const highest = this.#highest(scope);
    if (fence < highest) {
      throw new NovellaError('command-stale', 'a newer command has come for this server or volume', { fence, highest });
    }
    const holder = await this.#disk.nameHolder();
    if (holder === null || !this.#ours.has(holder)) {
      throw new NovellaError('command-stale', 'another process has taken over the state directory', { fence });
    }
  }

  /** Noted before the length is set, beside the last few, as a resize that was under way may still have set those. */
  async noteLength(volume: VolumeId, path: string, length: Bytes): Promise<void> {
    const known = this.ownLengths(volume);
    const before = known?.path === path ? known.lengths.filter((other) => other !== length) : [];
    await this.#append({ kind: 'lengths', volume, path, lengths: [...before, length].slice(-MOST_LENGTHS) });
  }

  ownLengths(volume: VolumeId): OwnLengths | null {
    return this.#lengths.get(volume) ?? null;
  }

  async forgetLengths(volume: VolumeId): Promise<void> {
    if (this.#lengths.has(volume)) await this.#append({ kind: 'lengths', volume, path: '', lengths: [] });
  }

  /** Noted before the guest is touched, so that a repeat of the command can tell that it was rebooted already. */
  async noteReboot(server: ServerId, { operation, seq, run }: BegunReboot): Promise<void> {
    await this.#append({ kind: 'reboot', server, operation, seq, run });
  }

  begunReboot(server: ServerId): BegunReboot | null {
    return this.#reboots.get(server) ?? null;
  }

  async forgetReboot(server: ServerId): Promise<void> {
    if (this.#reboots.has(server)) await this.#append({ kind: 'reboot', server, operation: null, seq: 0, run: null });
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file?.close();
    this.#file = null;
  }

  #highest(scope: Scope): number {
    const ofServer = this.#fences.get(keyOf({ ...scope, volume: null }))?.fence ?? this.#floor;
    const own = this.#fences.get(keyOf(scope))?.fence ?? this.#floor;
    return Math.max(ofServer, own);
  }

  #remember(entry: JournalEntry): void {
    switch (entry.kind) {
      case 'floor':
        this.#floor = Math.max(this.#floor, entry.fence);
        return;
      case 'fence': {
        const known = this.#fences.get(keyOf(entry));
        if (known === undefined || known.fence < entry.fence) this.#fences.set(keyOf(entry), entry);
        return;
      }
      case 'lengths':
        this.#lengths.delete(entry.volume);
        if (entry.lengths.length > 0) this.#lengths.set(entry.volume, entry);
        return;
      case 'reboot':
        this.#reboots.delete(entry.server);
        if (entry.operation !== null) {
          const { operation, seq, run } = entry;
          this.#reboots.set(entry.server, { operation, seq, run });
        }
    }
  }

  async #append(entry: JournalEntry): Promise<void> {
    this.#remember(entry);
    this.#unwritten.push(entry);
    await this.#flush();
  }

  /** Settles when everything that is remembered now is on disk; what comes while a write runs goes into the next one. */
  #flush(): Promise<void> {
    if (this.#queued !== null) return this.#queued;
    const queued = this.#writing
      .catch(() => undefined)
      .then(() => {
        this.#queued = null;
        return this.#write();
      });
    this.#queued = queued;
    this.#writing = queued;
    return queued;
  }

  async #write(): Promise<void> {
    if (this.#unwritten.length === 0) return;
    const batch = this.#unwritten;
    this.#unwritten = [];
    try {
      await this.#writeBatch(encodeEntries(batch));
    } catch (cause) {
      this.#unwritten = [...batch, ...this.#unwritten];
      throw new NovellaError('internal', 'the journal cannot be written', { path: this.#disk.path }, { cause });
    }
  }

  async #writeBatch(line: Buffer): Promise<void> {
    if (this.#size > this.#rewriteAbove) return this.#rewrite();
    if (this.#file === null) throw new Error('the journal is closed');
    try {
      await this.#file.write(line, this.#size);
      await this.#file.datasync();
    } catch (error) {
      // What was half written must not stand before the next line.
      await this.#file.truncate(this.#size).catch(() => undefined);
      throw error;
    }
    this.#size += line.length;
  }

  /** Replaces the file by one line that holds everything that is remembered, in one step. */
  async #rewrite(): Promise<void> {
    this.#dropOldest();
    const whole = encodeEntries([
      { kind: 'floor', fence: this.#floor },
      ...this.#fences.values(),
      ...[...this.#lengths].map(([volume, own]) => ({ kind: 'lengths' as const, volume, ...copy(own) })),
      ...[...this.#reboots].map(([server, begun]) => ({ kind: 'reboot' as const, server, ...begun })),
    ]);
    const next = await this.#disk.create();
    try {
      await next.write(whole, 0);
      await next.datasync();
      this.#ours.add(await next.identity());
      await this.#disk.takeName(next);
    } catch (error) {
      await next.close();
      throw error;
    }
    const previous = this.#file;
    this.#file = next;
    this.#size = whole.length;
    // Until the new name is durable the next write shall do all this again.
    this.#rewriteAbove = -1;
    await this.#keepOnly(next);
    await previous?.close();
    await this.#disk.syncName();
    this.#rewriteAbove = 2 * whole.length + SLACK_BYTES;
  }

  async #keepOnly(file: JournalFile): Promise<void> {
    const identity = await file.identity();
    this.#ours.clear();
    this.#ours.add(identity);
  }

  #dropOldest(): void {
    const tooMany = this.#fences.size - MOST_KEYS;
    if (tooMany > 0) {
      const oldest = [...this.#fences].sort(([, a], [, b]) => a.fence - b.fence).slice(0, tooMany);
      for (const [key, { fence }] of oldest) {
        this.#fences.delete(key);
        this.#floor = Math.max(this.#floor, fence);
      }
    }
    dropFirst(this.#lengths);
    dropFirst(this.#reboots);
  }
}

/** What was written last stands last. */
function dropFirst<K>(entries: Map<K, unknown>): void {
  const surplus = Math.max(0, entries.size - MOST_KEYS);
  for (const key of [...entries.keys()].slice(0, surplus)) entries.delete(key);
}

const keyOf = (scope: Scope): string => (scope.volume === null ? scope.server : `${scope.server} ${scope.volume}`);

const copy = ({ path, lengths }: OwnLengths) => ({ path, lengths: [...lengths] });
