import { type Bytes, bytes, type Clock, type GiB, gibToBytes, type Millis, NovellaError } from '@novella/core';

interface Stored {
  readonly format: 'raw' | 'qcow2';
  size: Bytes;
  /** What hosts still see of it until `seenAt`. */
  before: Bytes;
  seenAt: number;
}

/** The volumes' files and devices, as every host reaches them by their path. */
export class Storage {
  private readonly stored = new Map<string, Stored>();

  constructor(private readonly clock: Clock) {}

  make(path: string, format: 'raw' | 'qcow2', size: GiB): void {
    const made = gibToBytes(size);
    this.stored.set(path, { format, size: made, before: made, seenAt: 0 });
  }

  remove(path: string): void {
    this.stored.delete(path);
  }

  /** Never smaller; hosts see it after `delay`. */
  grow(path: string, size: Bytes, delay: Millis): void {
    const stored = this.find(path);
    stored.before = this.bytesOf(path);
    stored.size = bytes(Math.max(stored.size, size));
    stored.seenAt = this.clock.monotonic() + delay;
  }

  bytesOf(path: string): Bytes {
    const { size, before, seenAt } = this.find(path);
    return this.clock.monotonic() >= seenAt ? size : before;
  }

  format(path: string): 'raw' | 'qcow2' {
    return this.find(path).format;
  }

  private find(path: string): Stored {
    const stored = this.stored.get(path);
    if (stored === undefined) throw new NovellaError('host-device-missing', 'there is no such file', { path });
    return stored;
  }
}
