import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { migrate, type Store } from '@novella/persistence';
import { manage } from '../../../apps/manage/src/manage.js';
import { openTestStore, type TestDatabase, testDatabase } from './sql-harness.js';
import { activeServer, attachedVolume, dispatched, extendOf, requester } from './world.js';

jest.setTimeout(60_000);

/** Rows as no program of ours may leave them: each is broken by hand, past the store. */
const BROKEN: readonly (readonly [reason: string, what: string, statement: string])[] = [
  [
    'no-next-step',
    'operation',
    `update operation set next_at = null, state = 'waiting', waiting_for = 'host' where $W`,
  ],
  ['no-next-step', 'operation', `update operation set state = 'waiting', next_at = now() where $W`],
  ['no-next-step', 'operation', `update operation set state = 'dispatched', deadline = now(), host = null where $W`],
  ['no-next-step', 'operation', `update operation set state = 'dispatched', host = 'compute-1' where $W`],
  ['not-taken-up', 'operation', `update operation set created_at = now() - interval '11 minutes' where $W`],
  ['end-not-recorded', 'operation', `update operation set ended_at = now() where $W`],
  ['action-without-end', 'action', `update operation set state = 'failed', ended_at = now() where $W`],
  ['task-without-operation', 'server', `update instance set task_state = 'powering-off'`],
  ['task-without-operation', 'server', `update instance set vm_state = 'building'`],
  ['reservation-without-operation', 'volume', `update block_device_mapping set attached_at = null`],
];

describe('novella-manage operation list --stuck', () => {
  let database: TestDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await testDatabase();
    await migrate(database.url);
  });
  beforeEach(async () => {
    await database.query(`truncate flavor, instance, instance_extra, block_device_mapping, service, operation, instance_action,
      instance_action_event, external_event`);
    store = await openTestStore(database.url);
  });
  afterEach(() => store.close());
  afterAll(() => database.close());

  const listed = (...options: string[]) =>
    manage(['operation', 'list', ...options], { NOVELLA_DATABASE_URL: database.url });

  it('finds nothing, and ends with 0, in a database that only our programs have written', async () => {
    const server = await activeServer(store);
    const { volumeId } = await attachedVolume(store, server);
    const { id } = await extendOf(store, server.id, volumeId);
    await dispatched(store, id);
    await store.requestDelete(server.id, requester());
    expect(await listed('--stuck')).toEqual({ code: 0, stdout: 'nothing is stuck\n', stderr: '' });
  });

  it.each(BROKEN)('finds %s of an %s and ends with 1 after: %s', async (reason, what, statement) => {
    const server = await activeServer(store);
    const mapping = await attachedVolume(store, server);
    // A reservation is held by any open operation of its volume: that of another volume must not hide it.
    const { id } = await extendOf(
      store,
      server.id,
      what === 'volume' ? '70100000-0000-4000-8000-000000000001' : mapping.volumeId,
    );
    await database.query(statement.replace('$W', `id = '${id}'`));
    const { code, stdout } = await listed('--stuck', '--json');
    const [action] = await store.instanceActions(server.id);
    const ids = { operation: id, server: server.id, volume: mapping.volumeId, action: action?.requestId };
    expect({ code, found: JSON.parse(stdout) as unknown }).toMatchObject({
      code: 1,
      found: [{ reason, what, id: ids[what as keyof typeof ids], serverId: server.id }],
    });
    expect((await listed('--stuck')).stdout).toContain(`${reason}: `);
  });

  it('is one of several ways to look: by host, by age, by what is waited for', async () => {
    const server = await activeServer(store);
    const { volumeId } = await attachedVolume(store, server);
    const { id } = await extendOf(store, server.id, volumeId);
    await dispatched(store, id);
    const { stdout } = await listed('--host', 'compute-1', '--state', 'dispatched');
    expect(stdout).toMatch(new RegExp(`^${id} +extend +dispatched .* compute-1 +1/0 .* compute-1 until `, 'm'));
    expect((await listed('--older-than', '1h')).stdout).toBe('no operations\n');
    expect((await listed('--waiting-for', 'host', '--json')).stdout).toBe('[]\n');
    const shown = await manage(['operation', 'show', id], { NOVELLA_DATABASE_URL: database.url });
    expect(shown.stdout).toMatch(/^host: +compute-1 \(up\)$/m);
    expect(shown.stdout).toMatch(/^next: +host compute-1 carries out the command/m);
  });
});
