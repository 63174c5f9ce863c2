import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type HostName, seconds } from '@novella/core';
import type { Service } from '@novella/persistence';
import { activeServer, ADMIN, HOST, reported, startNovaApi, type TestApi, USER } from '../testing/start-nova-api.js';

const OTHER_HOST = 'host-2' as HostName;
const NOBODY = '00000000-1111-4222-8333-444444444444';

let api: TestApi;
let compute: Service;
let conductor: Service;
beforeEach(async () => {
  api = await startNovaApi();
  compute = await reported(api);
  conductor = await reported(api, { host: 'conductor-1' as HostName, binary: 'nova-conductor' });
});
afterEach(() => api.close());

const list = (query = '', version = '2.53', as: string = ADMIN) =>
  api.ask('GET', `/v2.1/os-services${query}`, { version, as });
const put = (id: string, body: unknown, version = '2.53', as: string = ADMIN) =>
  api.ask('PUT', `/v2.1/os-services/${id}`, { version, body, as });
const remove = (id: string | number, version = '2.53', as: string = ADMIN) =>
  api.ask('DELETE', `/v2.1/os-services/${id}`, { version, as });
const row = async (id: string = compute.id) => (await list()).json.services.find((service) => service.id === id);

/** An operation on a server of the host that goes on when the host is up, or declared fenced. */
async function waitingForHost(): Promise<string> {
  const server = await activeServer(api);
  await api.ask('DELETE', `/v2.1/servers/${server}`, {});
  const [operation] = await api.store.claimDue('conductor', seconds(60), 10);
  if (operation === undefined) throw new Error('there is no operation');
  await api.store.wait(operation, { for: 'host', nextIn: seconds(600) });
  return operation.id;
}

describe('GET /os-services', () => {
  it.each<[string, string[]]>([
    ['2.1', []],
    ['2.10', []],
    ['2.11', ['forced_down']],
    ['2.69', ['forced_down']],
    ['2.96', ['forced_down']],
  ])('shows at %s exactly the fields of that version', async (version, more) => {
    const fields = ['binary', 'disabled_reason', 'host', 'id', 'state', 'status', 'updated_at', 'zone'];
    for (const service of (await list('', version)).json.services) {
      expect(Object.keys(service).toSorted()).toEqual([...fields, ...more].toSorted());
    }
  });

  it('tells conductors and computes with zone, state and the time of their last report', async () => {
    const { services } = (await list()).json;
    expect(services).toMatchObject([
      { binary: 'nova-conductor', host: 'conductor-1', zone: 'internal', id: conductor.id },
      { binary: 'nova-compute', host: HOST, zone: 'nova', status: 'enabled', state: 'up', disabled_reason: null },
    ]);
    expect(services[1]?.['updated_at']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  });

  it('goes by a number that stays the same before 2.53, and by uuid from there', async () => {
    const numbers = async () => (await list('', '2.52')).json.services.map(({ id }) => id);
    const before = await numbers();
    expect(before.every((id) => Number.isSafeInteger(id) && Number(id) >= 0 && Number(id) < 2 ** 31)).toBe(true);
    expect(new Set(before).size).toBe(2);
    await reported(api);
    expect(await numbers()).toEqual(before);
    expect((await list('', '2.53')).json.services.map(({ id }) => id)).toEqual([conductor.id, compute.id]);
  });

  it('is down when it has stopped', async () => {
    await api.store.serviceStopped(HOST, 'nova-compute');
    expect(await row()).toMatchObject({ state: 'down', status: 'enabled' });
  });

  it.each([
    [`?host=${HOST}`, [HOST]],
    ['?binary=nova-conductor', ['conductor-1']],
    [`?host=${HOST}&binary=nova-conductor`, []],
    ['?host=&binary=', ['conductor-1', HOST]],
    ['?host=nowhere', []],
    ['?host=%00', []],
  ])('filters by %s', async (query, hosts) => {
    expect((await list(query)).json.services.map(({ host }) => host)).toEqual(hosts);
  });

  it('takes no notice of unknown filters before 2.75, and refuses them from there', async () => {
    expect((await list('?colour=red', '2.74')).json.services).toHaveLength(2);
    expect((await list('?colour=red', '2.75')).code).toBe(400);
  });
});

describe('PUT /os-services/{uuid}', () => {
  it('disables with and without a reason, and enables, which forgets the reason', async () => {
    const { service } = (await put(compute.id, { status: 'disabled', disabled_reason: 'new disks' })).json;
    expect(service).toMatchObject({ id: compute.id, status: 'disabled', disabled_reason: 'new disks', state: 'up' });
    expect(await row()).toEqual(service);
    expect((await put(compute.id, { status: 'disabled' })).json.service).toMatchObject({ disabled_reason: null });
    const enabled = { status: 'enabled', disabled_reason: null };
    expect((await put(compute.id, { status: 'enabled' })).json.service).toMatchObject(enabled);
  });

  it('forces a host down, whatever it reports, and lets it come back', async () => {
    const down = { forced_down: true, state: 'down', status: 'enabled' };
    const waiting = await waitingForHost();
    const hints = api.hints();
    expect((await put(compute.id, { forced_down: 'yes' })).json.service).toMatchObject(down);
    expect((await api.store.claimDue('conductor', seconds(60), 10)).map(({ id }) => id)).toEqual([waiting]);
    expect(api.hints()).toBe(hints + 1);
    await reported(api);
    expect(await row()).toMatchObject(down);
    await put(compute.id, { forced_down: false });
    await reported(api);
    expect(await row()).toMatchObject({ forced_down: false, state: 'up' });
  });

  it('does both at once', async () => {
    const body = { status: 'disabled', disabled_reason: 'gone', forced_down: true };
    expect((await put(compute.id, body)).json.service).toMatchObject(body);
  });

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['a reason alone', { disabled_reason: 'why' }],
    ['a reason to enable', { status: 'enabled', disabled_reason: 'why' }],
    ['another status', { status: 'paused' }],
    ['a status that is null', { status: null }],
    ['an empty reason', { status: 'disabled', disabled_reason: '' }],
    ['a reason that is too long', { status: 'disabled', disabled_reason: 'x'.repeat(256) }],
    ['a reason that is a number', { status: 'disabled', disabled_reason: 7 }],
    ['forced_down in other words', { forced_down: 'perhaps' }],
    ['forced_down as a number', { forced_down: 1 }],
    ['an unknown key', { status: 'disabled', host: HOST }],
    ['a list', []],
    ['no body', undefined],
  ])('refuses %s with 400', async (_, body) => {
    const before = await row();
    expect((await put(compute.id, body)).json.badRequest.code).toBe(400);
    expect(await row()).toEqual(before);
  });

  it('is 400 for what is no uuid, 404 for nobody’s, 400 for a conductor', async () => {
    expect((await put('disable', { status: 'disabled' })).json.badRequest.message).toBe('Invalid uuid disable');
    const missing = (await put(NOBODY, { status: 'disabled' })).json.itemNotFound;
    expect(missing).toEqual({ code: 404, message: `Service ${NOBODY} could not be found.` });
    expect((await put(compute.id.toUpperCase(), { status: 'disabled' })).code).toBe(404);
    const message = 'Updating a nova-conductor service is not supported. Only nova-compute services can be updated.';
    expect((await put(conductor.id, { status: 'disabled' })).json.badRequest).toEqual({ code: 400, message });
  });
});

describe('PUT /os-services/{action} before 2.53', () => {
  const named = { host: HOST, binary: 'nova-compute' };

  it.each<[string, object, object, object]>([
    ['disable', {}, { status: 'disabled' }, { status: 'disabled', disabled_reason: null }],
    [
      'disable-log-reason',
      { disabled_reason: 'why' },
      { status: 'disabled', disabled_reason: 'why' },
      { status: 'disabled', disabled_reason: 'why' },
    ],
    ['enable', {}, { status: 'enabled' }, { status: 'enabled' }],
    ['force-down', { forced_down: true }, { forced_down: true }, { forced_down: true, state: 'down' }],
    ['force-down', { forced_down: 'off' }, { forced_down: false }, { forced_down: false }],
  ])('%s answers what was said, and does it', async (action, more, said, then) => {
    const answer = await put(action, { ...named, ...more }, '2.52');
    expect([answer.code, answer.json.service]).toEqual([200, { ...named, ...said }]);
    expect(await row()).toMatchObject(then);
  });

  it.each<[string, string, unknown, string, number]>([
    ['an unknown action', 'explode', named, '2.52', 404],
    ['force-down before 2.11', 'force-down', named, '2.10', 404],
    ['forced_down before 2.11', 'disable', { ...named, forced_down: true }, '2.10', 400],
    ['no reason', 'disable-log-reason', named, '2.52', 400],
    ['no forced_down', 'force-down', named, '2.52', 400],
    ['no host', 'disable', { binary: 'nova-compute' }, '2.52', 400],
    ['no binary', 'disable', { host: HOST }, '2.52', 400],
    ['a host with a blank', 'disable', { ...named, host: 'a b' }, '2.52', 400],
    ['an unknown key', 'disable', { ...named, colour: 'red' }, '2.52', 400],
    ['another host', 'disable', { ...named, host: 'nowhere' }, '2.52', 404],
    ['a conductor', 'disable', { host: 'conductor-1', binary: 'nova-conductor' }, '2.52', 400],
    ['a uuid', NOBODY, named, '2.52', 404],
  ])('refuses %s', async (_, action, body, version, code) => {
    const before = await row();
    expect((await put(action, body, version)).code).toBe(code);
    expect(await row()).toEqual(before);
  });
});

describe('DELETE /os-services/{id}', () => {
  it('forgets an empty host with 204 and has its queue deleted', async () => {
    const answer = await remove(compute.id);
    expect([answer.code, answer.text]).toEqual([204, '']);
    expect(await row()).toBeUndefined();
    expect(api.removed.hosts).toEqual([HOST]);
    expect((await remove(compute.id)).json.itemNotFound.message).toBe(`Service ${compute.id} not found.`);
  });

  it('goes by the number before 2.53', async () => {
    const { services } = (await list('', '2.52')).json;
    expect((await remove(services[1]!.id, '2.52')).code).toBe(204);
    expect((await list()).json.services.map(({ id }) => id)).toEqual([conductor.id]);
  });

  it('forgets a conductor, who has no queue of its own', async () => {
    expect((await remove(conductor.id)).code).toBe(204);
    expect(api.removed.hosts).toEqual([]);
  });

  it('refuses a host that has servers with 409, and another host’s servers do not matter', async () => {
    await activeServer(api);
    const empty = await reported(api, { host: OTHER_HOST });
    expect((await remove(compute.id)).json.conflictingRequest).toEqual({
      code: 409,
      message: 'Unable to delete compute service that is hosting instances. Migrate or delete the instances first.',
    });
    expect((await remove(empty.id)).code).toBe(204);
    expect(api.removed.hosts).toEqual([OTHER_HOST]);
  });

  it('is done although the broker is away: only the queue is left, and that is told', async () => {
    api.removed.fault = 'broker-unreachable';
    expect((await remove(compute.id)).code).toBe(204);
    expect(await row()).toBeUndefined();
    expect(api.logged).toMatchObject([{ host: HOST, error: { code: 'broker-unreachable' } }]);
  });

  it.each([
    ['x', '2.53', 400],
    ['7', '2.53', 400],
    [NOBODY, '2.53', 404],
    [NOBODY, '2.52', 400],
    ['%00', '2.53', 400],
    ['-1', '2.52', 404],
    ['9'.repeat(400), '2.52', 404],
  ])('%s at %s is %i', async (id, version, code) => {
    expect((await remove(id, version)).code).toBe(code);
    expect((await list()).json.services).toHaveLength(2);
  });

  it('refuses a number that two services share', async () => {
    const twins = [compute, { ...compute, id: `${compute.id.slice(0, 8)}-0000-4000-8000-000000000000` }];
    const shared = await startNovaApi({}, (store) => ({
      ...store,
      services: (binary) => Promise.resolve(binary === 'nova-compute' ? twins : []),
    }));
    try {
      const { services } = (await shared.ask('GET', '/v2.1/os-services', { as: ADMIN })).json;
      const answer = await shared.ask('DELETE', `/v2.1/os-services/${services[0]!.id}`, { as: ADMIN });
      const message = `Service id ${services[0]!.id} refers to multiple services.`;
      expect(answer.json.badRequest).toEqual({ code: 400, message });
    } finally {
      await shared.close();
    }
  });
});

describe('who is no administrator', () => {
  it('gets 403, after the body was found to be well formed', async () => {
    const codes = [
      await list('', '2.53', USER),
      await put(compute.id, { status: 'disabled' }, '2.53', USER),
      await put('disable', { host: HOST, binary: 'nova-compute' }, '2.1', USER),
      await remove(compute.id, '2.53', USER),
    ].map(({ code }) => code);
    expect(codes).toEqual([403, 403, 403, 403]);
    expect((await put(compute.id, { status: 'paused' }, '2.53', USER)).code).toBe(400);
    expect(await row()).toMatchObject({ status: 'enabled' });
  });
});
