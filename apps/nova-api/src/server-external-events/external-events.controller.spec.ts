import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServerId } from '@novella/core';
import { activeServer, ADMIN, newServer, startNovaApi, type TestApi, USER } from '../testing/start-nova-api.js';

const URL = '/v2.1/os-server-external-events';
const VOLUME = '99999999-8888-4777-8666-555555555555';
const UNKNOWN = '00000000-1111-4222-8333-444444444444';

let api: TestApi;
let server: ServerId;
beforeEach(async () => {
  api = await startNovaApi();
  server = await activeServer(api);
});
afterEach(() => api.close());

const extended = (server_uuid: string, tag: string | undefined = VOLUME) => ({
  name: 'volume-extended',
  server_uuid,
  tag,
});
const post = (events: unknown, options: { version?: string; as?: string; url?: string } = {}) =>
  api.ask('POST', options.url ?? URL, { version: '2.51', as: ADMIN, ...options, body: { events } });
const actions = () => api.store.instanceActions(server);
const extendOperations = async () =>
  (await api.store.operations({ limit: 100 })).filter(({ kind }) => kind === 'extend');

describe('POST /os-server-external-events', () => {
  it('answers 200 with the events as posted, and has stored operation and action before it answers (rule 2.1a)', async () => {
    const hints = api.hints();
    const answer = await post([{ ...extended(server), status: 'in-progress' }]);
    expect(answer.code).toBe(200);
    expect(answer.json).toEqual({ events: [{ ...extended(server), status: 'completed', code: 200 }] });
    expect(await extendOperations()).toHaveLength(1);
    const [action] = await actions();
    expect(action).toMatchObject({ action: 'extend_volume', requestId: answer.headers['x-compute-request-id'] });
    expect(api.hints()).toBe(hints + 1);
  });

  it('sends the success without a charset and with both version headers and two Vary values', async () => {
    const { headers } = await post([extended(server)]);
    expect(headers['content-type']).toBe('application/json');
    expect(headers['openstack-api-version']).toBe('compute 2.51');
    expect(headers['x-openstack-nova-api-version']).toBe('2.51');
    expect(headers['vary']).toEqual(['OpenStack-API-Version', 'X-OpenStack-Nova-API-Version']);
    expect(headers['x-openstack-request-id']).toMatch(/^req-/);
  });

  it('keeps the order, answers 207 and accepts the rest when one server is unknown', async () => {
    const building = await newServer(api);
    const answer = await post([
      extended(UNKNOWN),
      extended(server),
      { name: 'volume-extended', server_uuid: server },
      extended(building),
      { name: 'network-changed', server_uuid: server },
    ]);
    expect(answer.code).toBe(207);
    expect(answer.json.events.map((event: { code: number }) => event.code)).toEqual([404, 200, 400, 422, 200]);
    expect(answer.json.events[2]).not.toHaveProperty('tag');
    expect(await extendOperations()).toHaveLength(1);
  });

  it('answers 404 itemNotFound without a list, and writes nothing, when every server is unknown', async () => {
    const answer = await post([extended(UNKNOWN), { name: 'volume-extended', server_uuid: UNKNOWN }]);
    expect(answer.code).toBe(404);
    expect(answer.json.itemNotFound.code).toBe(404);
    expect(answer.json).not.toHaveProperty('events');
    expect(await extendOperations()).toEqual([]);
  });

  it.each([
    ['all 422', () => newServer(api).then((building) => [extended(building)])],
    ['all 400', () => Promise.resolve([{ name: 'volume-extended', server_uuid: server }])],
  ])('answers 207 for %s', async (_, events) => {
    expect((await post(await events())).code).toBe(207);
    expect(await extendOperations()).toEqual([]);
  });

  it('finds only the canonical form of a server id', async () => {
    expect((await post([extended(server.toUpperCase()), extended(server)])).json.events[0]!.code).toBe(404);
    expect((await post([extended(server.replaceAll('-', '')), extended(server)])).json.events[0]!.code).toBe(404);
  });

  it('gives the second action of one server in one POST an id of its own', async () => {
    await post([extended(server), extended(server, UNKNOWN)]);
    const ids = (await actions()).filter(({ action }) => action === 'extend_volume').map(({ requestId }) => requestId);
    expect(new Set(ids).size).toBe(2);
  });

  it.each(['\u0000', '\ud800', 'not-a-volume', ''])('accepts the tag %j and echoes it', async (tag) => {
    const answer = await post([extended(server, tag)]);
    expect(answer.code).toBe(200);
    expect(answer.json.events[0]!.tag).toBe(tag);
  });

  it('answers 200 to a power-update of an unknown kind and drops it', async () => {
    const event = { name: 'power-update', server_uuid: server, tag: 'SIDEWAYS' };
    expect((await post([event], { version: '2.76' })).code).toBe(200);
    expect((await actions()).map(({ action }) => action)).toEqual(['create']);
  });

  it.each([
    ['2.1', 'network-changed', 200],
    ['2.1', 'volume-extended', 400],
    ['2.50', 'volume-extended', 400],
    ['2.51', 'volume-extended', 200],
    ['2.75', 'power-update', 400],
    ['2.76', 'power-update', 200],
    ['2.81', 'accelerator-request-bound', 400],
    ['2.82', 'accelerator-request-bound', 200],
    ['2.92', 'volume-reimaged', 400],
    ['2.93', 'volume-reimaged', 200],
    ['2.96', 'volume-extended', 200],
    ['latest', 'volume-extended', 200],
  ])('at %s the name %s gives %i', async (version, name, code) => {
    expect((await post([{ name, server_uuid: server, tag: 'POWER_ON' }], { version })).code).toBe(code);
  });

  it.each<[string, unknown]>([
    ['no events', []],
    ['events that are no list', {}],
    ['null', null],
    ['an event that is null', [null]],
    ['an event that is text', ['volume-extended']],
    ['an event that is a list', [[]]],
    ['a null tag', [{ name: 'volume-extended', server_uuid: UNKNOWN, tag: null }]],
    ['a tag that is too long', [extended(UNKNOWN, 'x'.repeat(256))]],
    ['no name', [{ server_uuid: UNKNOWN, tag: VOLUME }]],
    ['no server', [{ name: 'volume-extended', tag: VOLUME }]],
    ['a server that is no uuid', [extended('vm-1')]],
    ['an unknown status', [{ ...extended(UNKNOWN), status: 'done' }]],
    ['an unknown key', [{ ...extended(UNKNOWN), extra: 1 }]],
  ])('refuses the whole request with 400 for %s', async (_, events) => {
    const good = extended(server);
    const mixed = Array.isArray(events) && events.length > 0 ? [good, ...(events as unknown[])] : events;
    const answer = await post(mixed);
    expect(answer.code).toBe(400);
    expect(answer.json.badRequest.code).toBe(400);
    expect(answer.headers['content-type']).toBe('application/json; charset=UTF-8');
    expect(await extendOperations()).toEqual([]);
  });

  it("says in Nova's form what is wrong", async () => {
    const wrong = await post([{ ...extended(server), status: 'done' }]);
    expect(wrong.json.badRequest.message).toBe(
      "Invalid input for field/attribute status. Value: done. 'done' is not one of ['failed', 'completed', 'in-progress']",
    );
    const missing = await post([{ name: 'volume-extended' }]);
    expect(missing.json.badRequest.message).toBe(
      "Invalid input for field/attribute 0. Value: {'name': 'volume-extended'}. 'server_uuid' is a required property",
    );
    const top = await api.ask('POST', URL, {
      version: '2.51',
      as: ADMIN,
      body: { events: [extended(server)], more: 1 },
    });
    expect(top.json.badRequest.message).toBe("Additional properties are not allowed ('more' was unexpected)");
  });

  it('refuses a user with 403, but a wrong body before that with 400', async () => {
    expect((await post([extended(server)], { as: USER })).code).toBe(403);
    expect((await post([], { as: USER })).code).toBe(400);
    expect(await extendOperations()).toEqual([]);
  });

  describe('under /v2', () => {
    it('knows the names of 2.1 whatever the headers say, and returns no version headers', async () => {
      const answer = await post([{ name: 'network-changed', server_uuid: server }], { url: URL.replace('v2.1', 'v2') });
      expect(answer.code).toBe(200);
      expect(answer.headers).not.toHaveProperty('openstack-api-version');
      expect((await post([extended(server)], { url: URL.replace('v2.1', 'v2') })).code).toBe(400);
    });

    it('drops unknown keys', async () => {
      const event = { name: 'network-changed', server_uuid: server, extra: 1 };
      const answer = await post([event], { url: URL.replace('v2.1', 'v2') });
      expect(answer.code).toBe(200);
      expect(answer.json.events[0]!).not.toHaveProperty('extra');
    });
  });
});
