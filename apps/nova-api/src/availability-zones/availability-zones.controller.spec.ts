import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HostName } from '@novella/core';
import { ADMIN, HOST, reported, startNovaApi, type TestApi, USER } from '../testing/start-nova-api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
});
afterEach(() => api.close());

const zones = async (rest = '', as: string = USER) => {
  const answer = await api.ask('GET', `/v2.1/os-availability-zone${rest}`, { as });
  return { code: answer.code, json: answer.json as unknown as object };
};
const NOVA = (available: boolean) => ({ zoneName: 'nova', zoneState: { available }, hosts: null });

describe('GET /os-availability-zone', () => {
  it('has none before a host has reported, then the one that everybody may see', async () => {
    expect((await zones()).json).toEqual({ availabilityZoneInfo: [] });
    const { id } = await reported(api);
    await reported(api, { host: 'conductor-1' as HostName, binary: 'nova-conductor' });
    expect((await zones()).json).toEqual({ availabilityZoneInfo: [NOVA(true)] });
    await api.store.updateService(id, { disabled: true });
    expect((await zones()).json).toEqual({ availabilityZoneInfo: [NOVA(false)] });
  });

  it('shows administrators the hosts and their services', async () => {
    await reported(api);
    await reported(api, { host: 'conductor-1' as HostName, binary: 'nova-conductor' });
    const service = { available: true, active: true, updated_at: expect.stringMatching(/^[\dT:.-]{26}$/) };
    expect((await zones('/detail', ADMIN)).json).toEqual({
      availabilityZoneInfo: [
        {
          zoneName: 'internal',
          zoneState: { available: true },
          hosts: { 'conductor-1': { 'nova-conductor': service } },
        },
        { zoneName: 'nova', zoneState: { available: true }, hosts: { [HOST]: { 'nova-compute': service } } },
      ],
    });
    expect((await zones('/detail')).code).toBe(403);
  });
});

describe('GET /os-aggregates', () => {
  it('tells administrators that there are none', async () => {
    expect((await api.ask('GET', '/v2.1/os-aggregates', { as: ADMIN })).json).toEqual({ aggregates: [] });
    expect((await api.ask('GET', '/v2.1/os-aggregates')).code).toBe(403);
  });
});
