import type { JournalDisk, JournalFile } from '../../apps/compute/src/journal-disk.js';
import type { Chance } from './chance.js';
import type { SimulatedProcess } from './process.js';

interface StoredFile {
  readonly id: bigint;
  /** What was synced, and survives the host's loss of power. */
  durable: Buffer;
  /** What the kernel has; survives the death of a process. */
  cached: Buffer;
}

/** The state directory of one host: what survives of its journal when a process, or the whole host, dies. */
export class StateDirectory {
  private named: StoredFile | null = null;
  private durablyNamed: StoredFile | null = null;
  private nextId = 1n;

  constructor(private readonly chance: Chance) {}

  /** Power is lost: what was not synced may be there, in part or not at all; a name that was not synced may be the old. */
  losePower(): void {
    if (this.chance.is(0.5)) this.named = this.durablyNamed;
    this.durablyNamed = this.named;
    if (this.named !== null) this.tear(this.named);
  }

  /** The directory as one process has it. */
  openedBy(process: SimulatedProcess): JournalDisk {
    const file = (stored: StoredFile): JournalFile => ({
      identity: () => process.call(() => Promise.resolve(stored.id)),
      write: (data, position) =>
        process.call(() => {
          stored.cached = Buffer.concat([stored.cached.subarray(0, position), data]);
          return Promise.resolve();
        }),
      datasync: () =>
        process.call(() => {
          stored.durable = stored.cached;
          return Promise.resolve();
        }),
      truncate: (length) =>
        process.call(() => {
          stored.cached = stored.cached.subarray(0, length);
          return Promise.resolve();
        }),
      close: () => process.call(() => Promise.resolve()),
    });
    let created: StoredFile | null = null;
    return {
      path: '/state/journal',
      read: () => process.call(() => Promise.resolve(this.named?.cached.toString('utf8') ?? '')),
      create: () =>
        process.call(() => {
          created = { id: this.nextId++, durable: Buffer.alloc(0), cached: Buffer.alloc(0) };
          return Promise.resolve(file(created));
        }),
      takeName: () =>
        process.call(() => {
          this.named = created;
          return Promise.resolve();
        }),
      syncName: () =>
        process.call(() => {
          this.durablyNamed = this.named;
          return Promise.resolve();
        }),
      nameHolder: () => process.call(() => Promise.resolve(this.named?.id ?? null)),
    };
  }

  private tear(stored: StoredFile): void {
    const { durable, cached } = stored;
    const kept = this.chance.whole(Math.min(durable.length, cached.length), cached.length);
    stored.cached = cached.subarray(0, kept);
    if (stored.cached.length < durable.length) stored.cached = durable;
    stored.durable = stored.cached;
  }
}
