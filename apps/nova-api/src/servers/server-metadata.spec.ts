import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServerId } from '@novella/core';
import {
  activeServer,
  ADMIN,
  newServer,
  startNovaApi,
  STRANGER,
  type TestApi,
  USER,
} from '../testing/start-nova-api.js';

let api: TestApi;
let id: ServerId;
beforeEach(async () => {
  api = await startNovaApi();
  id = await activeServer(api);
});
afterEach(() => api.close());

const ask = (
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  rest = '',
  body?: unknown,
  { as = USER, server = id }: { as?: string; server?: string } = {},
) => api.ask(method, `/v2.1/servers/${server}/metadata${rest}`, { as, ...(body === undefined ? {} : { body }) });
const kept = async () => (await ask('GET')).json.metadata;

describe('metadata of a server', () => {
  it('is added to, replaced, set and taken away by key', async () => {
    const added = await ask('POST', '', { metadata: { a: '1', b: '2' } });
    expect([added.code, added.json]).toEqual([200, { metadata: { a: '1', b: '2' } }]);
    expect((await ask('POST', '', { metadata: { b: '3' } })).json).toEqual({ metadata: { a: '1', b: '3' } });
    expect((await ask('PUT', '', { metadata: { c: '4' } })).json).toEqual({ metadata: { c: '4' } });
    expect((await ask('PUT', '/d', { meta: { d: '5' } })).json).toEqual({ meta: { d: '5' } });
    expect((await ask('GET', '/d')).json).toEqual({ meta: { d: '5' } });
    expect((await ask('DELETE', '/c')).code).toBe(204);
    expect(await kept()).toEqual({ d: '5' });
    expect((await api.ask('GET', `/v2.1/servers/${id}`)).json.server.metadata).toEqual({ d: '5' });
    expect((await ask('PUT', '', { metadata: {} })).json).toEqual({ metadata: {} });
  });

  it('has 128 items at most: 403', async () => {
    const items = Object.fromEntries(Array.from({ length: 128 }, (_, n) => [`k${n}`, 'v']));
    expect((await ask('PUT', '', { metadata: items })).code).toBe(200);
    expect((await ask('POST', '', { metadata: { more: 'x' } })).json.forbidden.code).toBe(403);
    expect((await ask('PUT', '/more', { meta: { more: 'x' } })).code).toBe(403);
    expect((await ask('PUT', '/k0', { meta: { k0: 'x' } })).code).toBe(200);
    expect((await ask('PUT', '', { metadata: { ...items, more: 'x' } })).code).toBe(403);
    expect(Object.keys(await kept())).toHaveLength(128);
  });

  it.each<['GET' | 'DELETE', string]>([
    ['GET', '/nope'],
    ['GET', '/constructor'],
    ['GET', '/%00'],
    ['DELETE', '/nope'],
    ['DELETE', '/toString'],
  ])('is 404: %s %s', async (method, path) => {
    expect((await ask(method, path)).json.itemNotFound.message).toBe('Metadata item was not found');
  });

  it.each<['POST' | 'PUT', string, unknown]>([
    ['POST', '', {}],
    ['POST', '', null],
    ['POST', '', []],
    ['POST', '', { metadata: null }],
    ['POST', '', { metadata: [] }],
    ['POST', '', { metadata: { a: 1 } }],
    ['POST', '', { metadata: { a: null } }],
    ['POST', '', { metadata: { '': 'x' } }],
    ['POST', '', { metadata: { 'a/b': 'x' } }],
    ['POST', '', { metadata: { ['k'.repeat(256)]: 'x' } }],
    ['POST', '', { metadata: { a: 'x'.repeat(256) } }],
    ['POST', '', { metadata: {}, more: 1 }],
    ['PUT', '', { metadata: 'x' }],
    ['PUT', '/a', { meta: {} }],
    ['PUT', '/a', { meta: { a: 'x', b: 'y' } }],
    ['PUT', '/a', { meta: { b: 'y' } }],
    ['PUT', '/a', { metadata: { a: 'x' } }],
    ['PUT', '/a', { meta: null }],
    ['PUT', '/a', '{'],
  ])('is 400: %s %s with %j', async (method, path, body) => {
    expect((await ask(method, path, body)).json.badRequest.code).toBe(400);
    expect(await kept()).toEqual({});
  });

  it('cannot be changed while the server is built: 409', async () => {
    const server = await newServer(api);
    for (const [method, path, body] of [
      ['POST', '', { metadata: { a: 'b' } }],
      ['PUT', '', { metadata: {} }],
      ['PUT', '/a', { meta: { a: 'b' } }],
    ] as const) {
      expect((await ask(method, path, body, { server })).json.conflictingRequest.message).toContain(
        'vm_state building',
      );
    }
    expect((await ask('GET', '', undefined, { server })).code).toBe(200);
  });

  it('is 404 for strangers, and an administrator’s too', async () => {
    expect((await ask('GET', '', undefined, { as: STRANGER })).code).toBe(404);
    expect((await ask('POST', '', { metadata: { a: 'b' } }, { as: STRANGER })).code).toBe(404);
    expect((await ask('DELETE', '/a', undefined, { as: STRANGER })).code).toBe(404);
    expect((await ask('POST', '', { metadata: { a: 'b' } }, { as: ADMIN })).code).toBe(200);
  });
});
