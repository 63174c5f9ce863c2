import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ERRORS, type ErrorCode, NovellaError } from '@novella/core';
import type { Store } from '@novella/persistence';
import { ADMIN, OTHER_PROJECT, PROJECT, startNovaApi, type TestApi, USER } from '../testing/start-nova-api.js';
import { HTTP_STATUS } from './fault.js';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
});
afterEach(() => api.close());

const failing = (code: ErrorCode) => (store: Store) => ({
  ...store,
  flavors: () => Promise.reject(new NovellaError(code, 'secret words')),
  services: () => Promise.reject(new NovellaError(code, 'secret words')),
});

describe('microversions', () => {
  it.each([
    ['2.60', undefined, '2.60'],
    ['latest', undefined, '2.96'],
    ['2.60', '2.70', '2.60'],
    [undefined, '2.70', '2.70'],
    [undefined, undefined, '2.1'],
  ])('standard %s and legacy %s agree on %s, in both headers', async (standard, legacy, agreed) => {
    const answer = await api.ask('GET', '/v2.1/flavors', {
      ...(standard === undefined ? {} : { version: standard }),
      ...(legacy === undefined ? {} : { headers: { 'x-openstack-nova-api-version': legacy } }),
    });
    expect(answer.code).toBe(200);
    expect(answer.headers['openstack-api-version']).toBe(`compute ${agreed}`);
    expect(answer.headers['x-openstack-nova-api-version']).toBe(agreed);
  });

  it.each(['2.97', '2.999', '1.0', '2.0', '3.1'])('echoes %s in a 406 computeFault', async (version) => {
    const answer = await api.ask('GET', '/v2.1/flavors', { version });
    expect(answer.code).toBe(406);
    expect(answer.json.computeFault.code).toBe(406);
    expect(answer.headers['openstack-api-version']).toBe(`compute ${version}`);
    expect(answer.headers['x-openstack-nova-api-version']).toBe(version);
  });

  it.each(['abc', '2', '2.01', '2.1.1', '-2.1'])('answers 400 without version headers to %s', async (version) => {
    const answer = await api.ask('GET', '/v2.1/flavors', { version });
    expect(answer.code).toBe(400);
    expect(answer.headers).not.toHaveProperty('openstack-api-version');
  });
});

describe('identity', () => {
  it('answers 204 with the offer of a token to a request without one', async () => {
    const answer = await api.ask('GET', '/v2.1/servers', { as: null, headers: { 'x-auth-user': 'bob' } });
    expect(answer.code).toBe(204);
    expect(answer.headers['x-auth-token']).toBe('bob:admin');
    expect(answer.headers['x-server-management-url']).toBe('http://localhost:80/v2.1/admin');
    expect(answer.headers['x-compute-request-id']).toMatch(/^req-/);
  });

  it.each([`bob:${'p'.repeat(256)}`, `${'u'.repeat(256)}:p`])(
    'is 401 for a user or project that is too long',
    async (as) => {
      const answer = await api.ask('GET', '/v2.1/servers', { as });
      expect([answer.code, answer.json]).toMatchObject([401, { unauthorized: { code: 401 } }]);
      expect(answer.headers['x-compute-request-id']).toMatch(/^req-/);
    },
  );

  it('comes before routing', async () => {
    expect((await api.ask('GET', '/v2.1/nothing-here', { as: null })).code).toBe(204);
  });

  it('refuses a project in the URL that is not the token’s with 400, and takes its own', async () => {
    expect((await api.ask('GET', `/v2.1/${OTHER_PROJECT}/flavors`)).code).toBe(400);
    expect((await api.ask('GET', `/v2.1/${PROJECT}/flavors`)).code).toBe(200);
    expect((await api.ask('GET', `/v2/${PROJECT}/flavors`)).code).toBe(200);
  });

  it('never takes the caller’s request id for its own', async () => {
    const headers = { 'x-openstack-request-id': 'req-11111111-2222-4333-8444-555555555555' };
    const first = await api.ask('GET', '/v2.1/flavors', { headers });
    expect(first.headers['x-openstack-request-id']).toMatch(/^req-[0-9a-f-]{36}$/);
    expect(first.headers['x-openstack-request-id']).not.toBe(headers['x-openstack-request-id']);
    expect(first.headers['x-compute-request-id']).toBe(first.headers['x-openstack-request-id']);
  });
});

describe('the log', () => {
  const GLOBAL = 'req-11111111-2222-4333-8444-555555555555';
  it.each([
    [GLOBAL, GLOBAL],
    ['req-nonsense', null],
    [undefined, null],
  ])('tells a request that changes something with the caller’s id %s as %s', async (given, globalRequestId) => {
    const headers = given === undefined ? {} : { 'x-openstack-request-id': given };
    const answer = await api.ask('DELETE', '/v2.1/servers/none', { headers });
    const facts = { method: 'DELETE', url: '/v2.1/servers/none', status: 404, globalRequestId, projectId: PROJECT };
    expect(api.told).toMatchObject([{ ...facts, requestId: answer.headers['x-compute-request-id'] }]);
    expect(JSON.stringify(api.told)).not.toContain(USER);
  });

  it('leaves reads out', async () => {
    await api.ask('GET', '/v2.1/flavors');
    expect(api.told).toEqual([]);
  });
});

describe('bodies', () => {
  const url = '/v2.1/os-server-external-events';
  it.each([
    ['malformed JSON', '{"events": [', 'application/json', 400],
    ['an empty body', '', 'application/json', 400],
    ['text that is no JSON', 'events', 'text/plain', 400],
    ['XML', '<events/>', 'application/xml', 415],
    ['a form', 'events=1', 'application/x-www-form-urlencoded', 415],
    ['a body over the limit', `{"events": "${'x'.repeat(114_688)}"}`, 'application/json', 413],
    ['a key of JavaScript’s own', '{"__proto__": 1}', 'application/json', 400],
    ['such a key in another writing', '{"events": [{"\\u005f_proto__": {}}]}', 'application/json', 400],
    ['lists in one another, thousands of them', '['.repeat(9_000) + ']'.repeat(9_000), 'application/json', 400],
    ['objects in one another', `${'{"events":'.repeat(5_000)}1${'}'.repeat(5_000)}`, 'application/json', 400],
    ['a text that is no UTF-8', Buffer.from('7b226576656e7473223a22c328ff227d', 'hex'), 'application/json', 400],
    ['a mark of the byte order', '\ufeff{"events": []}', 'application/json', 400],
    ['a list', '[]', 'application/vnd.openstack.compute+json', 400],
  ])('answers %s with its code', async (_, body, type, code) => {
    const answer = await api.ask('POST', url, { as: ADMIN, body, headers: { 'content-type': type } });
    expect(answer.code).toBe(code);
  });

  it('says of a body what is wrong with it as a text before it is looked at as a request', async () => {
    const bodies = ['['.repeat(9_000) + ']'.repeat(9_000), Buffer.from([0x22, 0xff, 0x22]), '{"\\u005f_proto__": {}}'];
    for (const body of bodies) {
      const answer = await api.ask('POST', url, { as: ADMIN, body });
      expect(answer.json.badRequest.message).toBe('Malformed request body');
    }
  });

  it('complains about the microversion before the content type', async () => {
    const headers = { 'content-type': 'application/xml' };
    expect((await api.ask('POST', url, { as: ADMIN, body: '<a/>', headers, version: '2.999' })).code).toBe(406);
  });

  it.each(['GET', 'DELETE'] as const)('complains about the content type of a %s without a body', async (method) => {
    const headers = { 'content-type': 'application/xml' };
    const answer = await api.ask(method, '/v2.1/servers/00000000-1111-4222-8333-444444444444', { headers });
    expect([answer.code, answer.json]).toMatchObject([415, { badMediaType: { code: 415 } }]);
  });

  it('does not look at the body of a DELETE', async () => {
    const answer = await api.ask('DELETE', '/v2.1/servers/00000000-1111-4222-8333-444444444444', { body: '{' });
    expect(answer.json.itemNotFound.code).toBe(404);
  });

  it('takes JSON that says it is text', async () => {
    const body = JSON.stringify({ events: [] });
    const answer = await api.ask('POST', url, { as: ADMIN, body, headers: { 'content-type': 'text/plain' } });
    expect(answer.json.badRequest.message).toContain('events');
  });
});

it.each([
  ['/v2.1/servers/%', 400],
  ['/v2.1/servers/%ff', 400],
  ['/v2/%', 400],
  [`/v2.1/servers/${'x'.repeat(3000)}`, 404],
  ['/v2.1/servers?__proto__=1&constructor=2', 200],
])('answers the odd URL %s with %i', async (url, code) => {
  const answer = await api.ask('GET', url);
  expect(answer.code).toBe(code);
  expect(answer.text).not.toContain('FST_');
  expect(answer.headers['x-compute-request-id']).toMatch(/^req-/);
});

describe('paths without a route', () => {
  it.each([
    ['GET', '/v2.1/nothing-here'],
    ['PUT', '/v2.1/servers'],
    ['GET', '/v2.1/os-server-external-events'],
    ['POST', '/v2.1/servers/1/action/more'],
  ] as const)('%s %s is a 404 that is not in the fault format', async (method, url) => {
    const answer = await api.ask(method, url, { headers: { accept: 'application/json' } });
    expect(answer.code).toBe(404);
    expect(answer.json.code).toBe('404 Not Found');
    expect(answer.json).not.toHaveProperty('itemNotFound');
    expect(answer.headers).not.toHaveProperty('openstack-api-version');
  });

  it('is HTML or plain text for those who do not ask for JSON', async () => {
    const html = await api.ask('GET', '/v2.1/nope', { headers: { accept: 'text/html' } });
    expect(html.headers['content-type']).toContain('text/html');
    expect((await api.ask('GET', '/v2.1/nope')).headers['content-type']).toContain('text/plain');
  });
});

describe('faults', () => {
  it('has an HTTP status for every error code', () => {
    expect(Object.keys(HTTP_STATUS).toSorted()).toEqual(Object.keys(ERRORS).toSorted());
  });

  it.each([
    ['database-unreachable', 503, 'serviceUnavailable'],
    ['internal', 500, 'computeFault'],
  ] as const)('answers %s with %i %s, logs it and leaks nothing', async (code, status, key) => {
    const broken = await startNovaApi({}, failing(code));
    const answer = await broken.ask('GET', '/v2.1/flavors');
    await broken.close();
    expect(answer.code).toBe(status);
    expect(answer.json[key].code).toBe(status);
    expect(answer.text).not.toContain('secret words');
    expect(broken.logged).toHaveLength(1);
  });
});

describe('GET /health', () => {
  it('is 200 while the store answers and 503 when it does not', async () => {
    expect((await api.ask('GET', '/health', { as: null })).code).toBe(200);
    const broken = await startNovaApi({}, failing('database-unreachable'));
    const answer = await broken.ask('GET', '/health', { as: null });
    await broken.close();
    expect(answer.code).toBe(503);
    expect(answer.json).toMatchObject({
      ready: false,
      parts: expect.arrayContaining([expect.objectContaining({ name: 'database', state: 'not-ready' })]),
    });
  });
});

it('answers many users at once, each in their own project', async () => {
  const answers = await Promise.all([USER, ADMIN, USER].map((as) => api.ask('GET', '/v2.1/servers', { as })));
  expect(new Set(answers.map(({ headers }) => headers['x-compute-request-id'])).size).toBe(3);
});
