import type { Store } from '../store.js';
import { memoryApi } from './api.js';
import { memoryEngine } from './engine.js';
import { memoryFlavors } from './flavors.js';
import { memoryHosts } from './hosts.js';
import { memoryKeyPairs } from './key-pairs.js';
import { memoryOperator } from './operator.js';
import { memoryServers } from './servers.js';
import { type MemoryStoreOptions, Tables } from './tables.js';

export interface MemoryStore extends Store {
  /** Every row of every table by its table's name, to see whether something was written. Not to be changed. */
  rows(): Readonly<Record<string, unknown>>;
}

/** The port without a database, for simulations on a virtual clock: the same answers, gone with the process. */
export function openMemoryStore(options: MemoryStoreOptions): MemoryStore {
  const tables = new Tables(options);
  return {
    ...memoryApi(tables),
    ...memoryServers(tables),
    ...memoryFlavors(tables),
    ...memoryKeyPairs(tables),
    ...memoryEngine(tables),
    ...memoryHosts(tables),
    ...memoryOperator(tables),
    rows() {
      const { options: _, ...all } = tables;
      return all;
    },
    async close() {
      await Promise.resolve();
      tables.closed = true;
    },
  };
}
