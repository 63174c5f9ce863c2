import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Millis, NovellaError } from '@novella/core';
import type { Pool, PoolClient, QueryResultRow } from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { isPlanOutdated, isRetryable, isSilence, toStoreError } from './failures.js';

/** How often a transaction that Postgres broke off (deadlock, serialization) is run in all. */
const TRIES = 6;

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
  readonly #source: DataSource;
  readonly #names = new Map<string, string>();
  /** Part of the statements' names: the next one has all of them prepared anew. */
  #preparation = 0;
  #initialized: Promise<unknown> | null = null;
  #closed: Promise<void> | null = null;

  constructor(
    { pool, source }: { pool: Pool; source: DataSource },
    readonly serviceDownTime: Millis,
  ) {
    this.#pool = pool;
    this.#source = source;
  }

  /** Statements that are under way end first. */
  close(): Promise<void> {
    this.#closed ??= this.#pool.end();
    return this.#closed;
  }

  /** One statement that may be run again as a whole when Postgres broke it off. */
  query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#retried(async () => (await this.#pool.query<Row>(this.#prepared(text, values))).rows);
  }

  /** As query, for a text that is put together anew for each request: prepared, there would be too many of them. */
  built<Row extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.#retried(async () => (await this.#pool.query<Row>(text, [...values])).rows);
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
      usable = !isUnreachable(error) && (await rolledBack(client));
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
    return this.#retried(async () => {
      await this.initialize();
      return work(this.#source.manager);
    });
  }

  /** Makes the entities ready; asks Postgres for its version on the way, so it is tried again after a failure. */
  async initialize(): Promise<void> {
    this.#initialized ??= this.#source.initialize().catch((error: unknown) => {
      this.#initialized = null;
      throw error;
    });
    await this.#initialized;
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

  /** Where one connection got no answer the others have none either: each would cost somebody the same wait. */
  async #dropIdleConnections(): Promise<void> {
    while (this.#pool.idleCount > 0) (await this.#pool.connect()).release(true);
  }

  async #retried<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (isSilence(error)) await this.#dropIdleConnections();
        const outdated = isPlanOutdated(error);
        if (attempt >= TRIES || (!outdated && !isRetryable(error))) throw toStoreError(error);
        if (outdated) this.#prepareAnew();
        await delay(Math.random() * 10 * 2 ** attempt);
      }
    }
  }
}

/** A connection with an answer outstanding is thrown away: a rollback would queue up behind it. */
const isUnreachable = (thrown: unknown): boolean => {
  const error = toStoreError(thrown);
  return error instanceof NovellaError && error.code === 'database-unreachable';
};

async function rolledBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query('rollback');
    return true;
  } catch {
    return false;
  }
}
