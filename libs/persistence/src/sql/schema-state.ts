import { Client } from 'pg';
import { ANSWER_TIMEOUT_MS, CONNECT_TIMEOUT_MS, MIGRATIONS } from './data-source.js';
import { isUndefinedTable, toStoreError } from './failures.js';

/**
 * missing  nothing was ever migrated
 * behind   migrations of this release are not applied
 * ahead    all of them are, and some of a newer release: this release works on it
 * current  exactly those of this release are applied
 */
export type SchemaState = 'missing' | 'behind' | 'current' | 'ahead';

/** What the schema is for this release; one read on a connection of its own. Errors: database-unreachable. */
export async function schemaState(url: string): Promise<SchemaState> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
  });
  // What is lost while nothing is asked shows when something is.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ name: string }>('select name from migration');
    return stateOf(rows.map((row) => row.name));
  } catch (error) {
    if (isUndefinedTable(error)) return 'missing';
    throw toStoreError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function stateOf(applied: readonly string[]): SchemaState {
  if (applied.length === 0) return 'missing';
  const known = MIGRATIONS.map((Migration): string => new Migration().name);
  if (!known.every((name) => applied.includes(name))) return 'behind';
  return applied.every((name) => known.includes(name)) ? 'current' : 'ahead';
}
