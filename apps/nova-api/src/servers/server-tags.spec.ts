import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServerId } from '@novella/core';
import { activeServer, newServer, startNovaApi, STRANGER, type TestApi, USER } from '../testing/start-nova-api.js';

let api: TestApi;
let id: ServerId;
beforeEach(async () => {
  api = await startNovaApi();
  id = await activeServer(api);
});
afterEach(() => api.close());

const ask = (
  method: 'GET' | 'PUT' | 'DELETE',
  rest = '',
  body?: unknown,
  { version = '2.26', as = USER, server = id }: { version?: string; as?: string; server?: string } = {},
) => api.ask(method, `/v2.1/servers/${server}/tags${rest}`, { version, as, ...(body === undefined ? {} : { body }) });
const kept = async () => (await ask('GET')).json.tags;

describe('tags of a server', () => {
  it('are added one by one: 201 with a place, and 204 for one that it has', async () => {
    const first = await ask('PUT', '/b');
    expect([first.code, first.text]).toEqual([201, '']);
    expect(first.headers['location']).toBe(`http://localhost:80/v2.1/servers/${id}/tags/b`);
    expect((await ask('PUT', '/a%20c')).headers['location']).toMatch(/\/tags\/a%20c$/);
    const again = await ask('PUT', '/b');
    expect([again.code, again.headers['location']]).toEqual([204, undefined]);
    expect(await kept()).toEqual(['a c', 'b']);
    expect((await ask('GET', '/b')).code).toBe(204);
    expect((await ask('GET', '/c')).code).toBe(404);
  });

  it('are replaced, and taken away one by one or all', async () => {
    const replaced = await ask('PUT', '', { tags: ['d', 'c', 'd'] });
    expect([replaced.code, replaced.json.tags]).toEqual([200, ['c', 'd']]);
    expect((await ask('DELETE', '/c')).code).toBe(204);
    expect((await ask('DELETE', '/c')).code).toBe(404);
    expect(await kept()).toEqual(['d']);
    expect((await ask('DELETE')).code).toBe(204);
    expect(await kept()).toEqual([]);
    expect((await api.ask('GET', `/v2.1/servers/${id}`, { version: '2.26' })).json.server.tags).toEqual([]);
  });

  it('are 50 at most: 400, also for one that is there', async () => {
    const tags = Array.from({ length: 50 }, (_, n) => `t${n}`);
    expect((await ask('PUT', '', { tags })).code).toBe(200);
    expect((await ask('PUT', '/more')).code).toBe(400);
    expect((await ask('PUT', '/t0')).code).toBe(400);
    expect((await ask('PUT', '', { tags: [...tags, 'more'] })).code).toBe(400);
  });

  it('are there from 2.26', async () => {
    const version = '2.25';
    expect((await ask('GET', '', undefined, { version })).code).toBe(404);
    expect((await ask('GET', '/a', undefined, { version })).code).toBe(404);
    expect((await ask('PUT', '/a', undefined, { version })).code).toBe(404);
    expect((await ask('PUT', '', {}, { version })).code).toBe(404);
    expect((await ask('DELETE', '/a', undefined, { version })).code).toBe(404);
    expect((await ask('DELETE', '', undefined, { version })).code).toBe(404);
    expect(await kept()).toEqual([]);
  });

  it.each<['PUT', string, unknown]>([
    ['PUT', '/a,b', undefined],
    ['PUT', '/a%2Fb', undefined],
    ['PUT', `/${'x'.repeat(61)}`, undefined],
    ['PUT', '/a', {}],
    ['PUT', '/a', 'x'],
    ['PUT', '', {}],
    ['PUT', '', { tags: null }],
    ['PUT', '', { tags: 'a' }],
    ['PUT', '', { tags: [''] }],
    ['PUT', '', { tags: ['a,b'] }],
    ['PUT', '', { tags: [1] }],
    ['PUT', '', { tags: ['x'.repeat(61)] }],
    ['PUT', '', { tags: [], more: 1 }],
    ['PUT', '', []],
  ])('are 400: %s %s with %j', async (method, path, body) => {
    expect((await ask(method, path, body)).json.badRequest.code).toBe(400);
    expect(await kept()).toEqual([]);
  });

  it('take 60 characters of any kind', async () => {
    const tag = '😀'.repeat(60);
    expect((await ask('PUT', `/${encodeURIComponent(tag)}`)).code).toBe(201);
    expect(await kept()).toEqual([tag]);
  });

  it('cannot be changed while the server is built: 409', async () => {
    const server = await newServer(api);
    for (const answer of [
      await ask('PUT', '/a,b', undefined, { server }),
      await ask('PUT', '', { tags: [] }, { server }),
      await ask('DELETE', '/a', undefined, { server }),
      await ask('DELETE', '', undefined, { server }),
    ]) {
      expect(answer.json.conflictingRequest.message).toContain('vm_state building');
    }
    expect((await ask('GET', '', undefined, { server })).json.tags).toEqual([]);
  });

  it('are 404 for strangers and on servers that are not there', async () => {
    expect((await ask('GET', '', undefined, { as: STRANGER })).code).toBe(404);
    expect((await ask('PUT', '/a', undefined, { as: STRANGER })).code).toBe(404);
    expect((await ask('DELETE', '', undefined, { server: 'nope' })).code).toBe(404);
  });
});
