import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { minutes, type Millis, seconds, WAITING_FOR } from '@novella/core';
import { migrate, type Operation, type Store } from '@novella/persistence';
import { openTestStore, type TestDatabase, testDatabase } from './sql-harness.js';
import { activeServer, extendOf, HOST, volumeId } from './world.js';

jest.setTimeout(60_000);

// What the engine's calls leave behind at Postgres, seen from another session.
describe('between two calls of the engine', () => {
  let database: TestDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await testDatabase();
    await migrate(database.url);
    store = await openTestStore(database.url);
  });
  afterAll(async () => {
    await store.close();
    await database.close();
  });

  const locks = async (): Promise<object[]> =>
    database.query(
      `select a.state, l.locktype, l.mode from pg_stat_activity a left join pg_locks l on l.pid = a.pid
       where a.application_name = 'novella-test' and a.datname = current_database()
         and (a.state like 'idle in transaction%' or l.pid is not null)`,
    );
  const all = (row: Operation | 'excluded' | null): Operation => {
    if (row === null || row === 'excluded') throw new Error('the operation is not ours');
    return row;
  };
  const claim = async (id: string): Promise<Operation> => {
    const rows = await store.claimDue('conductor-1', minutes(1), 10);
    return all(rows.find((row) => row.id === id) ?? null);
  };

  it('no lock and no transaction is held (rule 2.3c)', async () => {
    const server = await activeServer(store);
    const { id } = await extendOf(store, server.id, volumeId());
    await store.exclusively('a lock that can be seen', async () => expect(await locks()).not.toEqual([]));
    const claimed = await claim(id);
    expect(await locks()).toEqual([]);
    const sent = all(await store.dispatch(claimed, { host: HOST, step: null, generation: 1, deadlineIn: minutes(1) }));
    expect(await locks()).toEqual([]);
    await store.markSent(sent);
    expect(await locks()).toEqual([]);
    const fence = sent.fence ?? 0;
    const answer = { operation: sent.id, attempt: sent.attempt, fence, host: HOST };
    const answered = all(await store.claimForResult(answer, 'conductor-1', minutes(1)));
    expect(await locks()).toEqual([]);
    const stepped = all(await store.advance(answered, { step: 'tell-grown', lease: minutes(1) }));
    expect(await locks()).toEqual([]);
    await store.end(stepped, { result: 'succeeded' });
    expect(await locks()).toEqual([]);
  });

  it('times are those of the database, however wrong the clock of the process is (rule 2.8e)', async () => {
    const server = await activeServer(store);
    const { id } = await extendOf(store, server.id, volumeId());
    jest.useFakeTimers({
      now: new Date('2001-01-01T00:00:00Z'),
      doNotFake: [
        'setTimeout',
        'setInterval',
        'setImmediate',
        'clearTimeout',
        'clearInterval',
        'clearImmediate',
        'nextTick',
        'queueMicrotask',
        'performance',
        'hrtime',
      ],
    });
    try {
      const claimed = await claim(id);
      const deadlineIn: Millis = seconds(90);
      await store.dispatch(claimed, { host: HOST, step: null, generation: 1, deadlineIn });
    } finally {
      jest.useRealTimers();
    }
    const [row] = await database.query<{ left: number; late: boolean }>(
      `select extract(epoch from deadline - now())::double precision as left, created_at > now() as late
       from operation where id = $1`,
      [id],
    );
    expect(row?.late).toBe(false);
    expect(row?.left).toBeGreaterThan(30);
    expect(row?.left).toBeLessThanOrEqual(90);
  });

  it('every open operation has a time at which it is looked at again (rule 3.8b)', async () => {
    const forgotten = () => database.query(`select id, state from operation where ended_at is null and due_at is null`);
    const server = await activeServer(store);
    const { id } = await extendOf(store, server.id, volumeId());
    expect(await forgotten()).toEqual([]);
    const claimed = await claim(id);
    expect(await forgotten()).toEqual([]);
    const sent = all(await store.dispatch(claimed, { host: HOST, step: null, generation: 1, deadlineIn: minutes(1) }));
    expect(await forgotten()).toEqual([]);
    const returned = all(await store.undoDispatch(sent, minutes(1)));
    expect(await forgotten()).toEqual([]);
    const stepped = all(await store.advance(returned, { step: 'tell-grown', lease: minutes(1) }));
    expect(await forgotten()).toEqual([]);
    for (const reason of WAITING_FOR) {
      const { version } = all(await store.operation(id));
      await store.wait({ ...stepped, version }, { for: reason, nextIn: minutes(1) });
      expect(await store.operation(id)).toMatchObject({ state: 'waiting', waitingFor: reason });
      expect({ reason, forgotten: await forgotten() }).toEqual({ reason, forgotten: [] });
    }
  });
});
