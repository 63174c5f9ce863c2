import type { Millis } from '@novella/core';
import type { Store } from '../store.js';
import { sqlApi } from './api.js';
import { connectionPool, dataSourceOver } from './data-source.js';
import { Database } from './database.js';
import { sqlEngine } from './engine.js';
import { sqlFlavors } from './flavors.js';
import { sqlHosts } from './hosts.js';
import { sqlKeyPairs } from './key-pairs.js';
import { sqlOperator } from './operator.js';
import { sqlServers } from './servers.js';

export interface SqlStoreOptions {
  /** `postgres://user:password@host:port/database`; Postgres 15 or later, migrated. */
  readonly url: string;
  /** Connections at most, at least 2: a lock of `exclusively` holds one while its work uses others. */
  readonly poolSize: number;
  /** A service that was silent for so long is down. */
  readonly serviceDownTime: Millis;
  /** What pg_stat_activity shows. */
  readonly applicationName: string;
  /** A Postgres that leaves a statement unanswered for so long is given up (10 s unless told otherwise). */
  readonly answerTimeout?: Millis;
}

/**
 * The port on Postgres. Opens at once, also while Postgres is away: its methods then answer `database-unreachable`, and work when
 * it is there. Runs no migration; whether one is needed says `schemaState`. Errors: RangeError for a pool too small.
 */
export function openSqlStore(options: SqlStoreOptions): Promise<Store> {
  if (!Number.isInteger(options.poolSize) || options.poolSize < 2) {
    return Promise.reject(new RangeError(`poolSize must be a whole number of at least 2, not ${options.poolSize}`));
  }
  const pool = connectionPool(options);
  const db = new Database({ pool, source: dataSourceOver(pool) }, options.serviceDownTime);
  // So that the first request need not wait for it; a failure comes again with the first that does.
  db.initialize().catch(() => undefined);
  return Promise.resolve({
    ...sqlApi(db),
    ...sqlServers(db),
    ...sqlFlavors(db),
    ...sqlKeyPairs(db),
    ...sqlEngine(db),
    ...sqlHosts(db),
    ...sqlOperator(db),
    close: () => db.close(),
  });
}
