import type { Bytes, HostName, RequestId, ServerId, VolumeId } from '@novella/core';
import type { Store } from '@novella/persistence';
import type { Guest } from '@novella/virt';
import type { Cinder } from './cinder.js';
import type { Effect } from './simulated-host.js';
import type { Storage } from './storage.js';
import type { Trace } from './trace.js';

/** Something that was asked for. `accepted`: the client heard that it is; else it does not know. */
export interface AskedFor {
  readonly what: string;
  readonly server: ServerId;
  readonly volume: VolumeId | null;
  readonly requestId: RequestId;
  /** What a guest shall see when this extend has succeeded; null: nothing larger, or Cinder has given it up. */
  wanted: Bytes | null;
  accepted: boolean;
  /** Its action was seen as ended. */
  ended: boolean;
}

/** What those who watch the deployment look at, and where they say what is wrong. */
export interface Watch {
  readonly trace: Trace;
  readonly store: Store;
  readonly storage: Storage;
  readonly cinder: Cinder;
  readonly asked: AskedFor[];
  readonly effects: Effect[];
  /** By server, and by server and volume: the highest fence to which a host has answered what ended its operation. */
  readonly endedFences: Map<string, number>;
  guestOf(server: ServerId): Promise<{ readonly host: HostName; readonly guest: Guest } | null>;
  wrong(what: string): void;
}
