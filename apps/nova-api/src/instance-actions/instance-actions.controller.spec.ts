import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServerId } from '@novella/core';
import {
  activeServer,
  ADMIN,
  HOST,
  PROJECT,
  startNovaApi,
  STRANGER,
  type TestApi,
  USER,
} from '../testing/start-nova-api.js';

const VOLUME = '99999999-8888-4777-8666-555555555555';
const KEYS = ['action', 'instance_uuid', 'message', 'project_id', 'request_id', 'start_time', 'user_id'];

let api: TestApi;
let server: ServerId;
let requestId: string;
beforeEach(async () => {
  api = await startNovaApi();
  server = await activeServer(api);
  const actions = await api.store.instanceActions(server);
  requestId = actions[0]?.requestId ?? '';
});
afterEach(() => api.close());

const get = (rest = '', version = '2.96', as = USER) =>
  api.ask('GET', `/v2.1/servers/${server}/os-instance-actions${rest}`, { version, as });
const extend = async () => {
  const body = { events: [{ name: 'volume-extended', server_uuid: server, tag: VOLUME }] };
  const answer = await api.ask('POST', '/v2.1/os-server-external-events', { version: '2.51', as: ADMIN, body });
  return String(answer.headers['x-compute-request-id']);
};

describe('GET os-instance-actions', () => {
  it('lists newest first, each with the request that opened it', async () => {
    const extendId = await extend();
    const { instanceActions } = (await get('', '2.1')).json;
    expect(instanceActions.map(({ action, request_id }) => [action, request_id])).toEqual([
      ['extend_volume', extendId],
      ['create', requestId],
    ]);
    expect(instanceActions[0]!).toMatchObject({ user_id: 'admin', instance_uuid: server, message: null });
    expect(instanceActions[0]!.start_time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  });

  it.each([
    ['2.57', KEYS],
    ['2.58', [...KEYS, 'updated_at']],
  ])('has at %s exactly %j', async (version, keys) => {
    expect(Object.keys((await get('', version)).json.instanceActions[0]!).toSorted()).toEqual(keys.toSorted());
  });

  it('pages by the request id from 2.58, with links at the top level', async () => {
    const extendId = await extend();
    const first = (await get('?limit=1')).json;
    expect(first.instanceActions[0]!.request_id).toBe(extendId);
    expect(first.links?.[0]?.href).toContain(`marker=${extendId}`);
    const second = (await get(`?limit=1&marker=${extendId}`)).json;
    expect(second.instanceActions[0]!.request_id).toBe(requestId);
    expect((await get('?limit=1', '2.57')).json.instanceActions).toHaveLength(2);
  });

  it.each([
    ['2.57', '?color=red', 200],
    ['2.58', '?color=red', 400],
    ['2.58', '?limit=x', 400],
    ['2.57', '?limit=1&limit=2', 200],
    ['2.58', '?limit=1&limit=2', 400],
    ['2.58', '?limit=0', 200],
    ['2.58', '?marker=req-1', 400],
    ['2.58', '?changes-since=never', 400],
    ['2.65', '?changes-before=2026-01-01', 400],
    ['2.66', '?changes-before=2026-01-01', 200],
    ['2.66', '?changes-since=2026-02-01&changes-before=2026-01-01', 400],
  ])('at %s answers %s with %i', async (version, query, code) => {
    expect((await get(query, version)).code).toBe(code);
  });

  it('is empty for a page of none', async () => {
    expect((await get('?limit=0')).json).toEqual({ instanceActions: [] });
  });

  it('selects by time', async () => {
    expect((await get('?changes-since=2100-01-01')).json.instanceActions).toEqual([]);
    expect((await get('?changes-before=2100-01-01')).json.instanceActions).toHaveLength(1);
  });

  it('is 404 for a stranger and for an unknown action', async () => {
    expect((await get('', '2.1', STRANGER)).code).toBe(404);
    expect((await get('/req-1')).code).toBe(404);
    expect((await get('/%00')).code).toBe(404);
  });

  it('shows a deleted server’s actions from 2.21', async () => {
    await api.ask('DELETE', `/v2.1/servers/${server}`);
    const [operation] = await api.store.operations({ serverId: server, open: true, limit: 1 });
    const claimed = await api.store.claimOne(operation!.id, 'test', 1000 as never);
    await api.store.end(claimed!, { result: 'succeeded', changes: { instance: { deleted: true } } });
    expect((await get('', '2.20')).code).toBe(404);
    expect((await get('', '2.21')).json.instanceActions[0]!.action).toBe('delete');
  });
});

describe('GET os-instance-actions/{request_id}', () => {
  const event = ['event', 'finish_time', 'result', 'start_time'];
  it.each<[string, string, string[] | null]>([
    ['2.50', USER, null],
    ['2.50', ADMIN, [...event, 'traceback']],
    ['2.51', USER, event],
    ['2.51', ADMIN, [...event, 'traceback']],
    ['2.62', USER, [...event, 'hostId']],
    ['2.62', ADMIN, [...event, 'traceback', 'hostId', 'host']],
    ['2.84', USER, [...event, 'hostId']],
    ['2.84', ADMIN, [...event, 'traceback', 'hostId', 'host', 'details']],
  ])('shows at %s to %s the event keys %j', async (version, as, keys) => {
    const { instanceAction } = (await get(`/${requestId}`, version, as)).json;
    if (keys === null) expect(instanceAction).not.toHaveProperty('events');
    else expect(Object.keys(instanceAction.events[0]!).toSorted()).toEqual(keys.toSorted());
  });

  it('shows what became of it, with the host hashed with the action’s project', async () => {
    const { events } = (await get(`/${requestId}`)).json.instanceAction;
    expect(events).toMatchObject([
      {
        event: 'compute__do_build_and_run_instance',
        result: 'Success',
        hostId: createHash('sha224').update(`${PROJECT}${HOST}`).digest('hex'),
      },
    ]);
  });
});
