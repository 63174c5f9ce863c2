import { minutes, type Random } from '@novella/core';
import { migrate, openSqlStore } from '@novella/persistence';
import { Client } from 'pg';
import { openWorldOn, type World } from '../api/world.js';
import { testDatabase } from '../conformance/store/sql-harness.js';

/** The world of the fuzz on a real Postgres; what is stored is read from the tables themselves. */
export interface SqlWorld extends Omit<World, 'digest'> {
  /** Of every row of every table, and of Cinder's side. */
  digest(): Promise<string>;
}

export async function openSqlWorld(random: Random): Promise<SqlWorld> {
  const { url, ...database } = await testDatabase();
  await migrate(url);
  const store = await openSqlStore({
    url,
    poolSize: 3,
    serviceDownTime: minutes(600),
    applicationName: 'novella-fuzz',
  });
  const client = new Client({ connectionString: url });
  await client.connect();
  const world = await openWorldOn(store, random);
  const digests = await digestQuery(client);
  return {
    ...world,
    async digest() {
      const { volumes, attachments } = world.api.cinder;
      return JSON.stringify([(await client.query(digests)).rows, [...volumes], [...attachments]]);
    },
    async close() {
      await world.close();
      await client.end();
      await store.close();
      await database.close();
    },
  };
}

/** One statement for all tables that there are. */
async function digestQuery(client: Client): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
  );
  const each = rows.map(
    ({ name }) =>
      `select '${name}' as name, md5(coalesce(string_agg(t::text, ' ' order by t::text), '')) as digest from "${name}" t`,
  );
  return each.join(' union all ');
}
