import type { Millis } from '@novella/core';
import type { Store } from '../store.js';
import { sqlApi } from './api.js';
import { Database, dataSource } from './database.js';
import { sqlEngine } from './engine.js';
import { toStoreError } from './failures.js';
import { sqlHosts } from './hosts.js';

export interface SqlStoreOptions {
  /** `postgres://user:password@host:port/database`; Postgres 15 or later, migrated. */
  readonly url: string;
  /** Connections at most, at least 2: a lock of `exclusively` holds one while its work uses others. */
  readonly poolSize: number;
  /** A service that was silent for so long is down. */
  readonly serviceDownTime: Millis;
  /** What pg_stat_activity shows. */
  readonly applicationName: string;
}

/** The port on Postgres. Runs no migration. Errors: database-unreachable. */
export async function openSqlStore(options: SqlStoreOptions): Promise<Store> {
  if (!Number.isInteger(options.poolSize) || options.poolSize < 2) {
    throw new RangeError(`poolSize must be a whole number of at least 2, not ${options.poolSize}`);
  }
  const source = dataSource(options);
  try {
    await source.initialize();
  } catch (error) {
    throw toStoreError(error);
  }
  const db = new Database(source, options.serviceDownTime);
  return {
    ...sqlApi(db),
    ...sqlEngine(db),
    ...sqlHosts(db),
    close: () => source.destroy(),
  };
}
