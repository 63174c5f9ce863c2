import type { ServerId, VolumeId } from '@novella/core';

/** All times are ms since 1970 by this machine's clock, which Postgres here shares. Sizes are GiB or bytes as named. */

/** An event that was answered 200, with 200 as its own code. */
export interface Accepted {
  readonly requestId: string;
  readonly server: ServerId;
  readonly volume: VolumeId;
  /** What Cinder had when it was posted. */
  readonly sizeGib: number;
  readonly postedAt: number;
  readonly answeredAt: number;
}

/** What os-instance-actions says of how it ended. */
export interface Ending {
  readonly result: 'Success' | 'Error';
  readonly finishedAt: number;
  /** `code: message` when it failed. */
  readonly details: string | null;
}

/** Cinder was asked to grow the volume. */
export interface Asked {
  readonly volume: VolumeId;
  readonly sizeGib: number;
  readonly at: number;
}

/** Seen by the hypervisor: a disk of a running guest has another size now. */
export interface SizeChange {
  readonly server: ServerId;
  readonly volume: VolumeId;
  readonly fromBytes: number;
  readonly toBytes: number;
  readonly at: number;
}

/** Everything that was seen from outside, in the order in which it came. */
export class Ledger {
  readonly accepted: Accepted[] = [];
  readonly endings = new Map<Accepted, Ending>();
  readonly asked: Asked[] = [];
  readonly changes: SizeChange[] = [];
  /** POSTs of events that were not answered, or not with 200: by status, or `none`. */
  readonly refusedPosts = new Map<string, number>();

  accept(event: Accepted): void {
    this.accepted.push(event);
  }

  end(event: Accepted, ending: Ending): void {
    this.endings.set(event, ending);
  }

  refuse(status: string): void {
    this.refusedPosts.set(status, (this.refusedPosts.get(status) ?? 0) + 1);
  }

  count(result: Ending['result']): number {
    let count = 0;
    for (const ending of this.endings.values()) if (ending.result === result) count += 1;
    return count;
  }
}
