import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startNovaApi, type TestApi } from '../testing/start-nova-api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
});
afterEach(() => api.close());

const aliases = async (path: string) => (await api.ask('GET', path)).json.extensions.map(({ alias }) => alias);

describe('GET /extensions', () => {
  it('lists each once, by alias, with what clients look for', async () => {
    const listed = await aliases('/v2.1/extensions');
    expect(listed).toEqual([...new Set(listed)].toSorted());
    expect(listed).toEqual(expect.arrayContaining(['os-keypairs', 'os-volumes', 'os-consoles', 'OS-EXT-STS']));
    const { extensions } = (await api.ask('GET', '/v2.1/extensions')).json;
    expect(extensions.map(({ name }) => name)).toContain('Hosts');
    expect(extensions.every(({ name }) => typeof name === 'string' && name !== '')).toBe(true);
  });

  it('has one more under /v2', async () => {
    const legacy = await aliases('/v2/extensions');
    expect(legacy).toEqual(legacy.toSorted());
    expect(legacy.filter((alias) => alias === 'OS-EXT-VIF-NET')).toHaveLength(1);
    expect(legacy).toHaveLength((await aliases('/v2.1/extensions')).length + 1);
  });

  it('shows one', async () => {
    expect((await api.ask('GET', '/v2.1/extensions/os-consoles')).json.extension).toEqual({
      alias: 'os-consoles',
      name: 'Consoles',
      description: 'Consoles',
      links: [],
      namespace: 'http://docs.openstack.org/compute/ext/fake_xml',
      updated: '2014-12-03T00:00:00Z',
    });
  });

  it.each(['nope', 'Consoles', '%00', 'OS-EXT-VIF-NET'])('is 404 for %s', async (alias) => {
    expect((await api.ask('GET', `/v2.1/extensions/${alias}`)).json.itemNotFound.code).toBe(404);
  });
});
