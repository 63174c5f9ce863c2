import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Millis } from '@novella/core';
import type { Pool, PoolClient, QueryResultRow } from 'pg';
import { DataSource, type EntityManager, type Logger } from 'typeorm';
import { BlockDeviceMappingRow } from './entities/block-device-mapping.entity.js';
import { ExternalEventRow } from './entities/external-event.entity.js';
import { FlavorRow } from './entities/flavor.entity.js';
import { InstanceActionEventRow, InstanceActionRow } from './entities/instance-action.entity.js';
import { InstanceRow } from './entities/instance.entity.js';
import { OperationRow } from './entities/operation.entity.js';
import { ServiceRow } from './entities/service.entity.js';
import { isPlanOutdated, isRetryable, toStoreError } from './failures.js';
import { Initial1700000000000 } from './migrations/1700000000000-initial.js';

/** How often a transaction that Postgres broke off (deadlock, serialization) is run in all. */
const TRIES = 6;
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;

const nothing = () => undefined;
/** What went wrong is thrown; TypeORM would print some of it as well. */
const SILENT: Logger = {
  log: nothing,
  logMigration: nothing,
  logQuery: nothing,
  logQueryError: nothing,
  logQuerySlow: nothing,
  logSchemaBuild: nothing,
};

export function dataSource(options: { url: string; poolSize: number; applicationName: string }): DataSource {
  return new DataSource({
    type: 'postgres',
    url: options.url,
    poolSize: options.poolSize,
    applicationName: options.applicationName,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    extra: { statement_timeout: STATEMENT_TIMEOUT_MS, keepAlive: true },
    // A connection that dies while it is idle is taken out by the pool; the next statement opens another.
    poolErrorHandler: () => undefined,
    synchronize: false,
    installExtensions: false,
    logging: false,
    logger: SILENT,
    migrationsTableName: 'migration',
    migrations: [Initial1700000000000],
    entities: [
      BlockDeviceMappingRow,
      ExternalEventRow,
      FlavorRow,
      InstanceActionEventRow,
      InstanceActionRow,
      InstanceRow,
      OperationRow,
      ServiceRow,
    ],
  });
}

/** Statements of one transaction, in order. */
export interface Session {
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/**
 * The one way to the database. A statement of its own is one round trip and one transaction; statements are prepared
 * once per connection under a name made of their text, so the text must not carry values.
 */
export class Database implements Session {
  readonly #pool: Pool;
  readonly #names = new Map<string, string>();
  /** Part of the statements' names: the next one has all of them prepared anew. */
  #preparation = 0;

  constructor(
    readonly source: DataSource,
    readonly serviceDownTime: Millis,
  ) {
    // TypeORM's own pool; its types leave it open which package made it.
    this.#pool = (source.driver as unknown as { master: Pool }).master;
  }

  /** One statement that may be run again as a whole when Postgres broke it off. */
  query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#retried(async () => (await this.#pool.query<Row>(this.#prepared(text, values))).rows);
  }

  /** `work` may run several times and must touch nothing but the database. */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#retried(() =>
      this.#checkedOut(async (client) => {
        await client.query('begin');
        const result = await work(this.#session(client));
        await client.query('commit');
        return result;
      }),
    );
  }

  /** A connection of its own for as long as `work` runs, for session locks. */
  async connection<T>(work: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await this.#checkedOut((client) => work(this.#session(client)));
    } catch (error) {
      throw toStoreError(error);
    }
  }

  async #checkedOut<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    // While it is checked out nobody else listens; without a listener a lost connection would end the process.
    const ignore = () => undefined;
    client.on('error', ignore);
    let usable = true;
    try {
      return await work(client);
    } catch (error) {
      usable = await rolledBack(client);
      throw error;
    } finally {
      client.off('error', ignore);
      client.release(!usable);
    }
  }

  #session(client: PoolClient): Session {
    return {
      query: async <Row extends QueryResultRow>(text: string, values: readonly unknown[] = []) =>
        (await client.query<Row>(this.#prepared(text, values))).rows,
    };
  }

  /** Plain reads and writes through the entities. */
  async entities<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.#retried(() => work(this.source.manager));
  }

  #prepared(text: string, values: readonly unknown[]) {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = `${this.#preparation}-${createHash('sha1').update(text).digest('hex')}`;
      this.#names.set(text, name);
    }
    return { name, text, values: [...values] };
  }

  #prepareAnew(): void {
    this.#preparation += 1;
    this.#names.clear();
  }

  async #retried<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        const outdated = isPlanOutdated(error);
        if (attempt >= TRIES || (!outdated && !isRetryable(error))) throw toStoreError(error);
        if (outdated) this.#prepareAnew();
        await delay(Math.random() * 10 * 2 ** attempt);
      }
    }
  }
}

async function rolledBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query('rollback');
    return true;
  } catch {
    return false;
  }
}
