import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ADMIN, newServer, startNovaApi, type TestApi, USER } from '../testing/start-nova-api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
});
afterEach(() => api.close());

const SMALLEST = { name: 'm1.new', ram: 64, vcpus: 1, disk: 0 };
const create = (fields: object = {}, { version = '2.96', as = ADMIN } = {}) =>
  api.ask('POST', '/v2.1/flavors', { version, as, body: { flavor: { ...SMALLEST, ...fields } } });
const kept = async () => (await api.store.flavors()).map(({ id }) => id);

describe('POST /flavors', () => {
  it('answers 200 with the flavor, which is there from then on', async () => {
    const answer = await create({
      id: 'big',
      ram: '2048',
      disk: 10,
      'OS-FLV-EXT-DATA:ephemeral': 2,
      swap: '3',
      rxtx_factor: '1.5',
      'os-flavor-access:is_public': 'False',
      description: 'a big one',
    });
    expect(answer.code).toBe(200);
    expect(answer.json.flavor).toMatchObject({
      id: 'big',
      name: 'm1.new',
      ram: 2048,
      vcpus: 1,
      disk: 10,
      swap: 3,
      rxtx_factor: 1.5,
      'OS-FLV-EXT-DATA:ephemeral': 2,
      'OS-FLV-DISABLED:disabled': false,
      'os-flavor-access:is_public': false,
      description: 'a big one',
      extra_specs: {},
    });
    const shown = await api.ask('GET', '/v2.1/flavors/big', { version: '2.96', as: ADMIN });
    expect(shown.json.flavor).toEqual(answer.json.flavor);
  });

  it.each([[undefined], [null], [0]])('makes an id where %j is given', async (id) => {
    expect((await create({ id })).json.flavor['id']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });

  it.each([
    [7, '7'],
    [-1, '-1'],
    [1.5, '1.5'],
    ['a b', 'a b'],
  ])('takes %j for an id', async (id, shown) => {
    expect((await create({ id })).json.flavor['id']).toBe(shown);
    expect((await api.ask('GET', `/v2.1/flavors/${encodeURIComponent(shown)}`)).code).toBe(200);
  });

  it('is 409 for an id and for a name that is taken', async () => {
    expect((await create({ id: '1' })).json.conflictingRequest.message).toContain('ID 1');
    expect((await create({ name: 'm1.tiny' })).json.conflictingRequest.message).toContain('name m1.tiny');
    expect(await kept()).toEqual(['1']);
  });

  it.each<[string, string, object, number]>([
    ['2.54', 'a description', { description: 'x' }, 400],
    ['2.55', 'a description', { description: 'x' }, 200],
    ['2.55', 'a null description', { description: null }, 200],
    ['2.55', 'a description with a control character', { description: 'a\u0000' }, 400],
    ['2.55', 'a description of 65536 letters', { description: 'x'.repeat(65_536) }, 400],
    ['2.1', 'no name', { name: undefined }, 400],
    ['2.1', 'a name with a blank at its end', { name: 'x ' }, 400],
    ['2.1', 'a name of 256 letters', { name: 'x'.repeat(256) }, 400],
    ['2.1', 'an id with a slash', { id: 'a/b' }, 400],
    ['2.1', 'an empty id', { id: '' }, 400],
    ['2.1', 'an id that is true', { id: true }, 400],
    ['2.1', 'an id of 256 letters', { id: 'x'.repeat(256) }, 400],
    ['2.1', 'no memory', { ram: 0 }, 400],
    ['2.1', 'memory in text', { ram: '64' }, 200],
    ['2.1', 'too much memory', { ram: 2 ** 31 }, 400],
    ['2.1', 'too much memory in text', { ram: '2147483648' }, 400],
    ['2.1', 'memory that is no whole number', { ram: 1.5 }, 400],
    ['2.1', 'no CPU', { vcpus: 0 }, 400],
    ['2.1', 'a negative disk', { disk: -1 }, 400],
    ['2.1', 'negative swap', { swap: '-1' }, 400],
    ['2.1', 'no factor', { rxtx_factor: 0 }, 400],
    ['2.1', 'an infinite factor', { rxtx_factor: '1e999' }, 400],
    ['2.1', 'a factor beyond a float', { rxtx_factor: 4e38 }, 400],
    ['2.1', 'a public that is neither', { 'os-flavor-access:is_public': 'maybe' }, 400],
    ['2.1', 'a public by a word of queries', { 'os-flavor-access:is_public': 'y' }, 400],
    ['2.1', 'a key that nobody knows', { color: 'red' }, 400],
  ])('at %s %s gives %# %i', async (version, _, fields, code) => {
    expect((await create(fields, { version })).code).toBe(code);
    expect(await kept()).toHaveLength(code === 200 ? 2 : 1);
  });

  it('is 403 for others', async () => {
    expect((await create({}, { as: USER })).json.forbidden.code).toBe(403);
  });
});

describe('PUT /flavors/{id}', () => {
  const update = (body: unknown, { version = '2.55', as = ADMIN, id = '1' } = {}) =>
    api.ask('PUT', `/v2.1/flavors/${id}`, { version, as, body });

  it('changes the description from 2.55, and takes it away with null', async () => {
    const answer = await update({ flavor: { description: 'new' } });
    expect([answer.code, answer.json.flavor['description']]).toEqual([200, 'new']);
    expect(answer.json.flavor).not.toHaveProperty('extra_specs');
    const none = await update({ flavor: { description: null } }, { version: '2.61' });
    expect(none.json.flavor).toMatchObject({ description: null, extra_specs: { 'hw:cpu_policy': 'shared' } });
  });

  it('leaves what servers were made with', async () => {
    const id = await newServer(api);
    await update({ flavor: { description: 'new' } });
    expect((await api.store.instance(id))?.flavor.description).toBe('the smallest');
  });

  it.each<[unknown, object, number]>([
    [{ flavor: { description: 'x' } }, { version: '2.54' }, 404],
    [{}, { version: '2.54' }, 404],
    [{ flavor: { description: 'x' } }, { as: USER }, 403],
    [{ flavor: { description: 'x' } }, { id: 'nope' }, 404],
    [{ flavor: {} }, {}, 400],
    [{ flavor: { description: 1 } }, {}, 400],
    [{ flavor: { description: 'x', name: 'y' } }, {}, 400],
    [{ flavor: null }, {}, 400],
    [[], {}, 400],
  ])('answers %j with %j by %i', async (body, options, code) => {
    expect((await update(body, options)).code).toBe(code);
  });
});

describe('DELETE /flavors/{id}', () => {
  it('answers 202 once; its servers keep it', async () => {
    const id = await newServer(api);
    expect((await api.ask('DELETE', '/v2.1/flavors/1', { as: ADMIN })).code).toBe(202);
    expect((await api.ask('DELETE', '/v2.1/flavors/1', { as: ADMIN })).code).toBe(404);
    expect((await api.ask('GET', `/v2.1/servers/${id}`)).json.server.flavor['id']).toBe('1');
    const body = { server: { name: 'vm', flavorRef: '1', imageRef: '', networks: 'none' } };
    expect((await api.ask('POST', '/v2.1/servers', { version: '2.51', body })).code).toBe(400);
  });

  it('is 403 for others', async () => {
    expect((await api.ask('DELETE', '/v2.1/flavors/1')).code).toBe(403);
    expect(await kept()).toEqual(['1']);
  });
});
