import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ProjectId } from '@novella/core';
import { ADMIN, FLAVOR, PROJECT, startNovaApi, STRANGER, type TestApi } from '../testing/start-nova-api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
  await api.store.createFlavor({ ...FLAVOR, id: '2', name: 'm1.small', memoryMib: 2048, swapMib: 64 });
  await api.store.createFlavor({ ...FLAVOR, id: '3', name: 'secret', isPublic: false });
});
afterEach(() => api.close());

const ids = (answer: { json: { flavors: readonly { id: string }[] } }) => answer.json.flavors.map(({ id }) => id);

describe('flavors', () => {
  it.each([
    ['', ['1', '2']],
    ['?minRam=1024', ['2']],
    ['?minDisk=9', []],
    ['?sort_key=name', ['2', '1']],
    ['?sort_key=memory_mb&sort_dir=desc', ['2', '1']],
    ['?limit=1', ['1']],
    ['?marker=1', ['2']],
    ['?is_public=None', ['1', '2']],
    ['?is_public=nonsense', ['1', '2']],
    ['?limit=0', []],
    ['?minRam=-5', ['1', '2']],
    ['?sort_key=id', ['1', '2']],
    ['?sort_key=created_at&sort_dir=desc', ['2', '1']],
    ['?sort_key=vcpus&sort_dir=desc', ['2', '1']],
    ['?sort_key=swap', ['1', '2']],
    ['?sort_key=memory_mb&marker=1', ['2']],
    ['?sort_dir=desc&marker=2&limit=1', ['1']],
    ['?marker=1&minRam=1024', ['2']],
    ['?marker=2&minRam=1024', []],
    ['?marker=1&sort_key=name', []],
  ])('lists for %j %j', async (query, expected) => {
    expect(ids(await api.ask('GET', `/v2.1/flavors${query}`))).toEqual(expected);
  });

  it('links to the next page when this one is full', async () => {
    const { flavors_links } = (await api.ask('GET', '/v2.1/flavors/detail?limit=1')).json;
    expect(flavors_links).toEqual([{ rel: 'next', href: 'http://localhost:80/v2.1/flavors/detail?limit=1&marker=1' }]);
  });

  it('hides those that are not public from everybody but administrators who ask', async () => {
    expect(ids(await api.ask('GET', '/v2.1/flavors?is_public=None', { as: ADMIN }))).toEqual(['1', '2', '3']);
    expect(ids(await api.ask('GET', '/v2.1/flavors?is_public=false', { as: ADMIN }))).toEqual(['3']);
    expect((await api.ask('GET', '/v2.1/flavors/3')).code).toBe(404);
    expect((await api.ask('GET', '/v2.1/flavors/3', { as: ADMIN })).code).toBe(200);
    expect((await api.ask('GET', '/v2.1/flavors?is_public=nonsense', { as: ADMIN })).code).toBe(400);
  });

  it('shows those that are not public to the projects that have access', async () => {
    await api.store.updateFlavor('3', { addProject: PROJECT as ProjectId });
    expect(ids(await api.ask('GET', '/v2.1/flavors'))).toEqual(['1', '2', '3']);
    expect((await api.ask('GET', '/v2.1/flavors/3')).code).toBe(200);
    expect(ids(await api.ask('GET', '/v2.1/flavors', { as: STRANGER }))).toEqual(['1', '2']);
    expect((await api.ask('GET', '/v2.1/flavors/3', { as: STRANGER })).code).toBe(404);
    expect(ids(await api.ask('GET', '/v2.1/flavors', { as: `admin:${PROJECT}` }))).toEqual(['1', '2', '3']);
  });

  it('shows disabled ones to administrators alone in lists', async () => {
    await api.store.createFlavor({ ...FLAVOR, id: '4', name: 'off', disabled: true });
    expect(ids(await api.ask('GET', '/v2.1/flavors'))).toEqual(['1', '2']);
    expect(ids(await api.ask('GET', '/v2.1/flavors', { as: ADMIN }))).toEqual(['1', '2', '4']);
  });

  it.each([
    ['2.54', '', []],
    ['2.55', '', ['description']],
    ['2.61', '', ['description', 'extra_specs']],
    ['2.75', 0, ['description', 'extra_specs']],
  ])('shows at %s swap %j and in addition %j', async (version, swap, more) => {
    const { flavor } = (await api.ask('GET', '/v2.1/flavors/1', { version })).json;
    expect(flavor.swap).toBe(swap);
    const base = [
      'OS-FLV-DISABLED:disabled',
      'OS-FLV-EXT-DATA:ephemeral',
      'disk',
      'id',
      'links',
      'name',
      'os-flavor-access:is_public',
      'ram',
      'rxtx_factor',
      'swap',
      'vcpus',
    ];
    expect(Object.keys(flavor).toSorted()).toEqual([...base, ...more].toSorted());
  });

  it.each(['?marker=9', '?marker=3', '?limit=-1', '?sort_dir=up', '?sort_key=color', '?minRam=lots'])(
    'answers 400 to %s',
    async (query) => {
      expect((await api.ask('GET', `/v2.1/flavors${query}`)).code).toBe(400);
    },
  );

  it('is 404 for an unknown flavor', async () => {
    expect((await api.ask('GET', '/v2.1/flavors/nope')).json.itemNotFound.code).toBe(404);
  });
});
