import type { ApiStore } from './api-store.js';
import type { EngineStore } from './engine-store.js';
import type { FlavorStore } from './flavor-store.js';
import type { HostStore } from './host-store.js';
import type { KeyPairStore } from './key-pair-store.js';
import type { OperatorStore } from './operator-store.js';
import type { ServerStore } from './server-store.js';

/**
 * The truth. Two implementations, SQL and memory, pass one conformance suite. A method answers one question of one flow
 * or makes one transition in one transaction. Methods that change an operation name the version they have read and
 * answer null (or `raced`) when somebody else was faster: the caller then drops what it was doing.
 * Both are made with the time after which a silent service counts as down (`serviceDownTime`).
 * When the database cannot be reached they throw `database-unreachable`, and nothing was written or it was all written.
 */
export interface Store extends ApiStore, ServerStore, FlavorStore, KeyPairStore, EngineStore, HostStore, OperatorStore {
  /** Waits for what is under way and lets go of all connections. */
  close(): Promise<void>;
}
