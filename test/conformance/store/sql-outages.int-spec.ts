import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { millis } from '@novella/core';
import {
  type EmbeddedPostgres,
  migrate,
  openSqlStore,
  schemaState,
  type SqlStoreOptions,
  startEmbeddedPostgres,
  type Store,
} from '@novella/persistence';
import {
  type CuttingProxy,
  cuttingProxy,
  freePort,
  temporaryDirectory,
  type TemporaryDirectory,
  waitUntil,
} from '@novella/testing';
import { connectionPool } from '../../../libs/persistence/src/sql/data-source.js';
import {
  activeServer,
  answer,
  extended,
  extendOf,
  LEASE,
  must,
  report,
  requester,
  SERVICE_DOWN_TIME,
  TO_HOST,
  volumeId,
} from './world.js';

jest.setTimeout(120_000);

const UNREACHABLE = { code: 'database-unreachable' };

describe('the SQL store and a Postgres that comes and goes', () => {
  let folder: TemporaryDirectory;
  let port: number;
  let postgres: EmbeddedPostgres;
  const stores: Store[] = [];
  const start = async () => {
    postgres = await startEmbeddedPostgres({ dataDir: join(folder.path, 'data'), port, fsync: true });
  };
  const open = async (at = port, more: Partial<SqlStoreOptions> = {}): Promise<Store> => {
    const url = `postgres://novella@127.0.0.1:${at}/postgres`;
    const settings = { poolSize: 3, serviceDownTime: SERVICE_DOWN_TIME, applicationName: 'novella-test' };
    const store = await openSqlStore({ url, ...settings, ...more });
    stores.push(store);
    return store;
  };
  beforeAll(async () => {
    folder = await temporaryDirectory({ mode: 0o755 });
    port = await freePort();
    await start();
    await migrate(postgres.url);
  });
  afterEach(() => Promise.all(stores.splice(0).map((store) => store.close())));
  afterAll(async () => {
    await postgres.stop();
    await folder.remove();
  });

  it('opens while nothing listens, answers database-unreachable, and works when Postgres is there', async () => {
    await postgres.stop();
    const store = await open();
    await expect(store.flavors()).rejects.toMatchObject(UNREACHABLE);
    await expect(store.nextDueIn()).rejects.toMatchObject(UNREACHABLE);
    await expect(store.reportService(report())).rejects.toMatchObject(UNREACHABLE);
    await expect(migrate(postgres.url)).rejects.toMatchObject(UNREACHABLE);
    await expect(schemaState(postgres.url)).rejects.toMatchObject(UNREACHABLE);
    await start();
    expect(await store.flavors()).toEqual([]);
    expect(await store.reportService(report())).toBe('came-up');
  });

  it('works again after a restart of Postgres, on what was written before it', async () => {
    const store = await open();
    const server = await activeServer(store);
    await postgres.stop();
    await expect(store.instance(server.id)).rejects.toMatchObject(UNREACHABLE);
    await expect(store.requestDelete(server.id, requester())).rejects.toMatchObject(UNREACHABLE);
    await start();
    expect(await store.instance(server.id)).toEqual(server);
    expect(await store.requestDelete(server.id, requester())).toBe('accepted');
  });

  it('closes while Postgres is away', async () => {
    const store = await open(await freePort());
    await expect(store.flavors()).rejects.toMatchObject(UNREACHABLE);
    await store.close();
  });

  describe('behind a network that swallows everything', () => {
    let proxy: CuttingProxy;
    beforeAll(async () => {
      proxy = await cuttingProxy({ port });
    });
    afterEach(() => {
      proxy.set('pass');
    });
    afterAll(() => proxy.close());

    it.each(['hang', 'half-open'] as const)(
      'gives a statement up, and works on new connections afterwards (%s)',
      async (mode) => {
        const direct = await open();
        const store = await open(proxy.port, { answerTimeout: millis(300) });
        const server = await activeServer(direct);
        const volume = volumeId();
        await Promise.all([store.nextDueIn(), store.instance(server.id)]);
        proxy.set(mode);
        await expect(store.nextDueIn()).rejects.toMatchObject(UNREACHABLE);
        await expect(store.instance(server.id)).rejects.toMatchObject(UNREACHABLE);
        proxy.set('pass');
        await extendOf(store, server.id, volume);
        expect(await store.instanceActions(server.id)).toHaveLength(2);
      },
    );

    it('has written all or nothing of what it gave up', async () => {
      const direct = await open();
      const store = await open(proxy.port, { answerTimeout: millis(300) });
      for (let round = 0; round < 5; round += 1) {
        const server = await activeServer(direct);
        await waitUntil(() => store.nextDueIn().then(() => true));
        const events = Array.from({ length: 20 }, () => extended(server.id, volumeId()));
        const outcome = store.acceptExternalEvents(events, requester()).then(
          () => 'done',
          () => 'unknown',
        );
        if (round > 0) await new Promise((resolve) => setTimeout(resolve, round));
        proxy.set('hang');
        const told = await outcome;
        proxy.set('pass');
        const count = async () => ({
          actions: (await direct.instanceActions(server.id)).length - 1,
          written: (await direct.operations({ serverId: server.id, open: true, limit: 50 })).length,
        });
        // It may be committed between the two looks, but only once.
        const first = await count();
        const { written, actions } = first.written === first.actions ? first : await count();
        expect([0, 20]).toContain(written);
        expect(actions).toBe(written);
        if (told === 'done') expect(written).toBe(20);
      }
    });

    it('leaves no lock behind when its process stands still in the middle of a transaction', async () => {
      const direct = await open();
      const server = await activeServer(direct);
      const url = `postgres://novella@127.0.0.1:${proxy.port}/postgres`;
      const frozen = connectionPool({ url, poolSize: 2, applicationName: 'frozen', answerTimeout: millis(300) });
      const client = await frozen.connect();
      client.on('error', () => undefined);
      await client.query('begin');
      await client.query('select from instance where id = $1 for update', [server.id]);
      proxy.set('hang');
      expect(await direct.requestDelete(server.id, requester())).toBe('accepted');
      proxy.set('pass');
      client.release(true);
      await frozen.end();
    });
  });

  describe('what waits for the disk', () => {
    it('is an accepted event, a dispatch and an end, but not a claim', async () => {
      const store = await open();
      const server = await activeServer(store);
      const pool = connectionPool({ url: postgres.url, poolSize: 2, applicationName: 'test' });
      /** How many bytes of the log `work` has added, and how many of those were flushed when it answered. */
      const log = async <T>(work: () => Promise<T>) => {
        const { rows: before } = await pool.query<{ at: string }>('select pg_current_wal_insert_lsn() as at');
        const result = await work();
        const { rows } = await pool.query<{ added: string; flushed: string }>(
          `select pg_current_wal_insert_lsn() - $1::pg_lsn as added, pg_current_wal_flush_lsn() - $1::pg_lsn as flushed`,
          [before[0]?.at],
        );
        return { result, added: Number(rows[0]?.added), flushed: Number(rows[0]?.flushed) };
      };
      let unflushed = 0;
      for (let round = 0; round < 20; round += 1) {
        const accept = await log(() => store.acceptExternalEvents([extended(server.id, volumeId())], requester()));
        const claim = await log(() => store.claimDue('conductor-1', LEASE, 1));
        const dispatch = await log(() => store.dispatch(claim.result[0]!, TO_HOST));
        const sent = must(dispatch.result);
        const taken = await log(() => answer(store, sent));
        const end = await log(() => store.end(taken.result, { result: 'succeeded' }));
        for (const { flushed } of [accept, dispatch, end]) expect(flushed).toBeGreaterThan(0);
        for (const { added } of [claim, taken]) expect(added).toBeGreaterThan(0);
        // Postgres' own writer may come in between.
        unflushed += [claim, taken].filter(({ flushed, added }) => flushed < added).length;
      }
      await pool.end();
      expect(unflushed).toBeGreaterThan(20);
    });
  });

  describe('schemaState', () => {
    const run = async (text: string) => {
      const pool = connectionPool({ url: postgres.url, poolSize: 2, applicationName: 'test' });
      await pool.query(text);
      await pool.end();
    };

    it('tells whether the migrations of this release are applied', async () => {
      await run('create database fresh');
      const fresh = postgres.url.replace(/postgres$/, 'fresh');
      expect(await schemaState(fresh)).toBe('missing');
      await migrate(fresh);
      expect(await schemaState(fresh)).toBe('current');
    });

    it('is ahead of a release that knows fewer, and behind one that knows more', async () => {
      expect(await schemaState(postgres.url)).toBe('current');
      await run(`insert into migration (timestamp, name) values (9999999999999, 'Newer9999999999999')`);
      expect(await schemaState(postgres.url)).toBe('ahead');
      await run(`delete from migration where name = 'Newer9999999999999'`);
      expect(await schemaState(postgres.url)).toBe('current');
      const last = `where id = (select max(id) from migration)`;
      await run(`update migration set name = 'Other' || name ${last}`);
      expect(await schemaState(postgres.url)).toBe('behind');
      await run(`update migration set name = replace(name, 'Other', '') ${last}`);
      expect(await schemaState(postgres.url)).toBe('current');
      await run('delete from migration');
      expect(await schemaState(postgres.url)).toBe('missing');
    });
  });
});
