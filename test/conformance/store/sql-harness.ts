import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { chmod } from 'node:fs/promises';
import { migrate, openSqlStore, startEmbeddedPostgres, type Store } from '@novella/persistence';
import { Client } from 'pg';
import { SERVICE_DOWN_TIME, type StoreHarness } from './world.js';

/** A database of this file's own: on the Postgres of NOVELLA_TEST_POSTGRES_URL, or on one that is started for it. */
export interface TestDatabase {
  readonly url: string;
  /** One statement, past the store. */
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

async function run<Row extends object>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

export async function testDatabase(): Promise<TestDatabase> {
  const given = process.env['NOVELLA_TEST_POSTGRES_URL'];
  return given === undefined ? ownServer() : ownDatabase(given);
}

async function ownServer(): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'novella-store-'));
  await chmod(folder, 0o755);
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'data'), fsync: false });
  return {
    url: server.url,
    query: (text, values) => run(server.url, text, values),
    close: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function ownDatabase(given: string): Promise<TestDatabase> {
  const name = `novella_test_${process.pid}_${Date.now()}`;
  await run(given, `create database ${name}`);
  const url = new URL(given);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    query: (text, values) => run(url.href, text, values),
    close: async () => {
      await run(given, `drop database ${name} with (force)`);
    },
  };
}

export const openTestStore = (url: string): Promise<Store> =>
  openSqlStore({ url, poolSize: 3, serviceDownTime: SERVICE_DOWN_TIME, applicationName: 'novella-test' });

export async function sqlHarness(): Promise<StoreHarness> {
  const database = await testDatabase();
  await migrate(database.url);
  const stores: Store[] = [];
  return {
    fresh: async (sessions) => {
      while (stores.length < sessions) stores.push(await openTestStore(database.url));
      await database.query(`truncate flavor, key_pair, instance, instance_extra, block_device_mapping, service, operation, instance_action,
        instance_action_event, external_event`);
      return stores.slice(0, sessions);
    },
    pass: (ms) => delay(ms),
    close: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await database.close();
    },
  };
}
