import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { minutes } from '@novella/core';
import { migrate, openSqlStore, type Store } from '@novella/persistence';
import { waitUntil } from '@novella/testing';
import { migratingDataSource, MIGRATIONS } from '../../../libs/persistence/src/sql/data-source.js';
import { openTestStore, type TestDatabase, testDatabase } from './sql-harness.js';
import {
  activeServer,
  claimed,
  extended,
  extendOf,
  host,
  newInstance,
  powerUpdate,
  report,
  requester,
  serverId,
  volumeId,
} from './world.js';

jest.setTimeout(60_000);

describe('the SQL store', () => {
  let database: TestDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await testDatabase();
    const applied = await Promise.all(Array.from({ length: 4 }, () => migrate(database.url)));
    expect(applied.flat()).toEqual(MIGRATIONS.map((Migration) => new Migration().name));
  });
  beforeEach(async () => {
    store = await openTestStore(database.url);
  });
  afterEach(() => store.close());
  afterAll(() => database.close());

  it('makes all servers of one request or none', async () => {
    const twice = newInstance();
    const made = store.createInstances({ instances: [newInstance(), twice, twice], requester: requester() });
    await expect(made).rejects.toMatchObject({ code: 'internal' });
    expect(await store.instance(twice.id)).toBeNull();
  });

  it('has nothing left to migrate', async () => {
    expect(await migrate(database.url)).toEqual([]);
  });

  it('has entities whose columns are those that the migrations made', async () => {
    const source = await migratingDataSource({ url: database.url, poolSize: 2, applicationName: 'test' }).initialize();
    await source.destroy();
    const described = source.entityMetadatas.flatMap((entity) =>
      entity.columns.map((column) => ({
        table: entity.tableName,
        column: column.databaseName,
        type: source.driver.normalizeType(column),
        nullable: column.isNullable,
      })),
    );
    const made = await database.query<{ table: string; column: string }>(
      `select table_name as table, column_name as column, data_type as type, is_nullable = 'YES' as nullable
       from information_schema.columns where table_schema = 'public' and table_name <> 'migration'`,
    );
    const sorted = (columns: readonly { table: string; column: string }[]) =>
      [...columns].sort((x, y) => (`${x.table}.${x.column}` < `${y.table}.${y.column}` ? -1 : 1));
    expect(sorted(described)).toEqual(sorted(made));
  });

  it('records what was posted and what was answered, except unknown servers', async () => {
    const server = await activeServer(store);
    const asked = requester();
    const volume = volumeId();
    await store.acceptExternalEvents(
      [
        { ...extended(server.id, volume), status: 'in-progress' },
        { ...extended(serverId(), volume), code: 404, operation: null },
        { ...extended(server.id, 'x\u0000'), code: 422, operation: null },
        powerUpdate(server.id, 'POWER_ON'),
      ],
      asked,
    );
    const rows = await database.query(
      `select e.name, e.status, e.tag, e.code, o.kind from external_event e left join operation o on o.id = e.operation_id
       where e.request_id = $1 order by e.id`,
      [asked.requestId],
    );
    expect(rows).toEqual([
      { name: 'volume-extended', status: 'in-progress', tag: volume, code: 200, kind: 'extend' },
      { name: 'volume-extended', status: 'completed', tag: 'x\ufffd', code: 422, kind: null },
      { name: 'power-update', status: 'completed', tag: 'POWER_ON', code: 200, kind: 'power-update' },
    ]);
  });

  it.each(['disabled', 'forced_down'])('places nothing on a service that is %s', async (column) => {
    const closed = host(`closed-${column.replace('_', '-')}`);
    await store.reportService(report({ host: closed }));
    await database.query(`update service set ${column} = true where host = $1`, [closed]);
    const created = await store.createInstance({
      instance: newInstance(),
      mappings: [],
      requester: requester(),
      confirmWithin: minutes(1),
    });
    const operation = await claimed(store, created.operation);
    const need = { vcpus: 1, memoryMib: 1, diskGib: 0 };
    expect(await store.place(operation, created.instance.id, closed, need)).toBe('no-room');
  });

  it('has a forced-down service that stays down while it reports, without coming up each time', async () => {
    const forced = host('forced');
    await store.reportService(report({ host: forced }));
    await database.query(`update service set forced_down = true where host = $1`, [forced]);
    expect(await store.reportService(report({ host: forced }))).toBe('still-up');
    expect((await store.services('nova-compute')).find((service) => service.host === forced)?.up).toBe(false);
  });

  it('refuses a second open or dispatched operation in the database itself (rules 3.6a, 3.6b)', async () => {
    const server = await activeServer(store);
    const { id } = await extendOf(store, server.id, volumeId());
    const copy = (state: string, kind: string) =>
      database.query(
        `insert into operation (id, kind, server_id, volume_id, generation, initiator, state, request, timeline)
         select gen_random_uuid(), $3, server_id, volume_id, 1, 'user', $2, '{}', '[]' from operation where id = $1`,
        [id, state, kind],
      );
    await expect(copy('waiting', 'extend')).rejects.toMatchObject({ constraint: 'operation_one_open' });
    await copy('dispatched', 'attach');
    await expect(copy('dispatched', 'build')).rejects.toMatchObject({ constraint: 'operation_one_dispatched' });
    await copy('failed', 'extend');
  });

  it('goes on when a migration of a newer release adds a column', async () => {
    const server = await activeServer(store);
    await extendOf(store, server.id, volumeId());
    await store.claimDue('conductor-1', minutes(1), 10);
    await database.query(`alter table operation add column later text`);
    try {
      const volume = volumeId();
      const { id } = await extendOf(store, server.id, volume);
      expect((await store.claimDue('conductor-1', minutes(1), 10)).map((operation) => operation.id)).toEqual([id]);
    } finally {
      await database.query(`alter table operation drop column later`);
    }
  });

  it('lists ended operations for a day', async () => {
    const server = await activeServer(store);
    const { id } = await extendOf(store, server.id, volumeId());
    await store.end(await claimed(store, id), { result: 'succeeded' });
    const listed = async () =>
      (await store.operations({ serverId: server.id, open: false, limit: 9 })).some((o) => o.id === id);
    expect(await listed()).toBe(true);
    await database.query(`update operation set ended_at = now() - interval '25 hours' where id = $1`, [id]);
    expect(await listed()).toBe(false);
  });

  it('answers database-unreachable when its connections are cut, and works again on new ones', async () => {
    const server = await activeServer(store);
    const cut = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'novella-test'`;
    const held = store.exclusively('cut', async () => {
      await database.query(cut);
    });
    await expect(held).rejects.toMatchObject({ code: 'database-unreachable' });
    // A connection may be given out before the word of its end has come.
    await waitUntil(async () => (await store.instance(server.id))?.id === server.id);
    await waitUntil(() => store.exclusively('cut', () => Promise.resolve()));
  });

  it('answers database-unreachable after close, which may be asked for twice', async () => {
    const closed = await openTestStore(database.url);
    await Promise.all([closed.close(), closed.close()]);
    await expect(closed.flavors()).rejects.toMatchObject({ code: 'database-unreachable' });
    await expect(closed.nextDueIn()).rejects.toMatchObject({ code: 'database-unreachable' });
  });

  it('refuses a pool in which an exclusive lock would leave no connection', async () => {
    const options = { url: database.url, poolSize: 1, serviceDownTime: minutes(1), applicationName: 'test' };
    await expect(openSqlStore(options)).rejects.toBeInstanceOf(RangeError);
  });
});
