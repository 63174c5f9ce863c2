import type { DataSource } from 'typeorm';
import { migratingDataSource } from './data-source.js';
import { toStoreError } from './failures.js';

/** Any number that no other user of the database locks. */
const MIGRATION_LOCK = 4_716_001;
/** How long one process waits while another migrates. */
const LOCK_TIMEOUT_MS = 300_000;

/**
 * Brings the schema up to date and answers the names of the migrations that this call applied. Several processes may
 * call it at once: one works, the others wait and find nothing left to do. Errors: database-unreachable; internal.
 */
export async function migrate(url: string): Promise<string[]> {
  const source = migratingDataSource({ url, poolSize: 2, applicationName: 'novella-migrate' });
  try {
    await source.initialize();
    return await underLock(source, async () => {
      const applied = await source.runMigrations({ transaction: 'each' });
      return applied.map((migration) => migration.name);
    });
  } catch (error) {
    throw toStoreError(error);
  } finally {
    if (source.isInitialized) await source.destroy();
  }
}

/** A session lock, held on a connection of its own; it goes with the connection whatever happens. */
async function underLock<T>(source: DataSource, work: () => Promise<T>): Promise<T> {
  const runner = source.createQueryRunner();
  try {
    await runner.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await runner.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    try {
      return await work();
    } finally {
      await runner.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    }
  } finally {
    await runner.release();
  }
}
