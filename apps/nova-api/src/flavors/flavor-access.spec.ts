import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EVERY_PROJECT } from '@novella/persistence';
import {
  ADMIN,
  FLAVOR,
  IMAGE,
  OTHER_PROJECT,
  PROJECT,
  startNovaApi,
  STRANGER,
  type TestApi,
  USER,
} from '../testing/start-nova-api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
  await api.store.createFlavor({ ...FLAVOR, id: '3', name: 'secret', isPublic: false });
});
afterEach(() => api.close());

const act = (id: string, body: unknown, { version = '2.7', as = ADMIN } = {}) =>
  api.ask('POST', `/v2.1/flavors/${id}/action`, { version, as, body });
const add = (tenant: string, id = '3', options = {}) => act(id, { addTenantAccess: { tenant } }, options);
const remove = (tenant: string, id = '3', options = {}) => act(id, { removeTenantAccess: { tenant } }, options);
const list = (id = '3', as = ADMIN) => api.ask('GET', `/v2.1/flavors/${id}/os-flavor-access`, { as });

describe('access to a flavor that is not public', () => {
  it('is given to projects and taken from them, each answered with those that have it', async () => {
    expect((await add(PROJECT)).json.flavor_access).toEqual([{ flavor_id: '3', tenant_id: PROJECT }]);
    const two = await add(OTHER_PROJECT);
    expect([two.code, two.json.flavor_access.map(({ tenant_id }) => tenant_id)]).toEqual([
      200,
      [PROJECT, OTHER_PROJECT],
    ]);
    expect((await list()).json).toEqual(two.json);
    expect((await remove(PROJECT)).json.flavor_access).toEqual([{ flavor_id: '3', tenant_id: OTHER_PROJECT }]);
  });

  it('lets a project make servers of it', async () => {
    const body = { server: { name: 'vm', flavorRef: '3', imageRef: IMAGE, networks: 'none' } };
    const make = (as: string) => api.ask('POST', '/v2.1/servers', { version: '2.51', as, body });
    expect((await make(USER)).code).toBe(400);
    await add(PROJECT);
    expect((await make(USER)).code).toBe(202);
    expect((await make(STRANGER)).code).toBe(400);
    expect((await make(ADMIN)).code).toBe(202);
    expect((await api.store.instances({ projectId: EVERY_PROJECT, limit: 9, marker: null }))[0]).toMatchObject({
      flavor: { ...FLAVOR, id: '3', name: 'secret', isPublic: false },
    });
  });

  it('cannot be given twice, nor taken from who has none', async () => {
    await add(PROJECT);
    expect((await add(PROJECT)).code).toBe(409);
    expect((await remove(OTHER_PROJECT)).code).toBe(404);
    expect((await list()).json.flavor_access).toHaveLength(1);
  });

  it('is no matter of public ones: 404 to list, 409 to give from 2.7', async () => {
    expect((await list('1')).code).toBe(404);
    expect((await add(PROJECT, '1', { version: '2.6' })).code).toBe(200);
    expect((await add(OTHER_PROJECT, '1')).code).toBe(409);
  });

  it('is for administrators', async () => {
    expect((await list('3', USER)).code).toBe(403);
    expect((await add(PROJECT, '3', { as: USER })).code).toBe(403);
    expect((await remove(PROJECT, '3', { as: USER })).code).toBe(403);
  });

  it.each<[unknown, number]>([
    [{ addTenantAccess: {} }, 400],
    [{ addTenantAccess: { tenant: '' } }, 400],
    [{ addTenantAccess: { tenant: 1 } }, 400],
    [{ addTenantAccess: { tenant: 'x'.repeat(256) } }, 400],
    [{ addTenantAccess: { tenant: 'x', more: 1 } }, 400],
    [{ addTenantAccess: null }, 400],
    [{ removeTenantAccess: { tenant: null } }, 400],
    [{ grant: {} }, 400],
    [{ addTenantAccess: { tenant: 'x' }, removeTenantAccess: { tenant: 'x' } }, 400],
    [{}, 400],
    [null, 400],
    [{ addTenantAccess: { tenant: 'a\u0000b' } }, 200],
  ])('answers the action %j with %i', async (body, code) => {
    expect((await act('3', body)).code).toBe(code);
  });

  it('is 404 for a flavor that is not there', async () => {
    expect((await list('nope')).code).toBe(404);
    expect((await add(PROJECT, 'nope')).code).toBe(404);
    expect((await remove(PROJECT, '%00')).code).toBe(404);
  });
});
