import type { Store } from '../store.js';
import { memoryApi } from './api.js';
import { memoryEngine } from './engine.js';
import { memoryFlavors } from './flavors.js';
import { memoryHosts } from './hosts.js';
import { memoryKeyPairs } from './key-pairs.js';
import { memoryOperator } from './operator.js';
import { memoryServers } from './servers.js';
import { type MemoryStoreOptions, Tables } from './tables.js';

/** The port without a database, for simulations on a virtual clock: the same answers, gone with the process. */
export function openMemoryStore(options: MemoryStoreOptions): Store {
  const tables = new Tables(options);
  return {
    ...memoryApi(tables),
    ...memoryServers(tables),
    ...memoryFlavors(tables),
    ...memoryKeyPairs(tables),
    ...memoryEngine(tables),
    ...memoryHosts(tables),
    ...memoryOperator(tables),
    async close() {
      await Promise.resolve();
      tables.closed = true;
    },
  };
}
