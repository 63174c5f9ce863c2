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

interface Options {
  version?: string;
  as?: string;
  server?: string;
}
const put = (server: unknown, { version = '2.96', as = USER, server: which = id }: Options = {}) =>
  api.ask('PUT', `/v2.1/servers/${which}`, { version, as, body: { server } });
const show = async (version: string, as = USER) =>
  (await api.ask('GET', `/v2.1/servers/${id}`, { version, as })).json.server;

const BEFORE_2_75 = [
  'OS-DCF:diskConfig',
  'accessIPv4',
  'accessIPv6',
  'addresses',
  'created',
  'flavor',
  'hostId',
  'id',
  'image',
  'links',
  'metadata',
  'name',
  'progress',
  'status',
  'tenant_id',
  'updated',
  'user_id',
];

describe('PUT /servers/{id}', () => {
  it('changes name, description, host name, addresses and disk config', async () => {
    const said = {
      name: 'other',
      description: 'new',
      hostname: 'www.example',
      accessIPv4: '10.0.0.2',
      accessIPv6: '::2',
      'OS-DCF:diskConfig': 'AUTO',
    };
    const answer = await put(said);
    expect(answer.code).toBe(200);
    const { hostname, ...rest } = said;
    expect(answer.json.server).toMatchObject({ ...rest, 'OS-EXT-SRV-ATTR:hostname': hostname });
    expect(await show('2.96')).toEqual(answer.json.server);
  });

  it('leaves the host name when the name changes', async () => {
    await put({ name: 'other' });
    expect((await show('2.90'))['OS-EXT-SRV-ATTR:hostname']).toBe('vm');
  });

  it('leaves all as it is when nothing is said, and takes the description away', async () => {
    await put({ description: 'new' });
    expect((await put({})).code).toBe(200);
    expect((await show('2.19')).description).toBe('new');
    expect((await put({ description: null })).json.server.description).toBeNull();
  });

  it.each<[string, string[]]>([
    ['2.8', []],
    ['2.9', ['locked']],
    ['2.19', ['locked', 'description']],
    ['2.26', ['locked', 'description', 'tags']],
    ['2.63', ['locked', 'description', 'tags', 'trusted_image_certificates']],
    ['2.71', ['locked', 'description', 'tags', 'trusted_image_certificates', 'server_groups']],
    ['2.74', ['locked', 'description', 'tags', 'trusted_image_certificates', 'server_groups', 'locked_reason']],
  ])('answers at %s with less than a GET', async (version, more) => {
    for (const as of [USER, ADMIN]) {
      const { server } = (await put({ name: 'other' }, { version, as })).json;
      expect(Object.keys(server).toSorted()).toEqual([...BEFORE_2_75, ...more].toSorted());
    }
  });

  it.each([
    ['2.75', USER],
    ['2.75', ADMIN],
    ['2.96', ADMIN],
  ])('answers at %s to %s with all that a GET has', async (version, as) => {
    const { server } = (await put({ name: 'other' }, { version, as })).json;
    expect(server).toEqual(await show(version, as));
  });

  it('is for servers in every state, locked ones too', async () => {
    const building = await newServer(api);
    expect((await put({ name: 'a' }, { server: building })).code).toBe(200);
    await api.ask('POST', `/v2.1/servers/${id}/action`, { body: { lock: null } });
    expect((await put({ name: 'b' })).code).toBe(200);
  });

  it.each<[string, object, number]>([
    ['2.18', { description: 'x' }, 400],
    ['2.19', { description: 'x' }, 200],
    ['2.19', { description: 'x'.repeat(256) }, 400],
    ['2.19', { description: 'a\u0000' }, 400],
    ['2.89', { hostname: 'web' }, 400],
    ['2.90', { hostname: 'web' }, 200],
    ['2.90', { hostname: 'web.example' }, 400],
    ['2.93', { hostname: 'web.example' }, 400],
    ['2.94', { hostname: 'web.example' }, 200],
    ['2.94', { hostname: '' }, 400],
    ['2.94', { hostname: null }, 400],
    ['2.1', { name: '' }, 400],
    ['2.1', { name: ' x' }, 400],
    ['2.1', { name: null }, 400],
    ['2.1', { name: 'x'.repeat(256) }, 400],
    ['2.1', { accessIPv4: '' }, 400],
    ['2.1', { accessIPv4: '::1' }, 400],
    ['2.1', { accessIPv6: '::g' }, 400],
    ['2.1', { 'OS-DCF:diskConfig': 'MANUAL' }, 200],
    ['2.1', { 'OS-DCF:diskConfig': 'manual' }, 400],
    ['2.1', { metadata: {} }, 400],
    ['2.1', { status: 'ACTIVE' }, 400],
  ])('at %s answers %j with %i', async (version, fields, code) => {
    const before = await api.store.instance(id);
    expect((await put(fields, { version })).code).toBe(code);
    if (code === 400) expect(await api.store.instance(id)).toEqual(before);
  });

  it.each([null, [], 'x', 1])('refuses the server %j', async (server) => {
    expect((await put(server)).code).toBe(400);
  });

  it('is 404 for a stranger, for an unknown server and for one that is deleted', async () => {
    expect((await put({ name: 'x' }, { as: STRANGER })).code).toBe(404);
    expect((await put({ name: 'x' }, { server: '00000000-1111-4222-8333-444444444444' })).code).toBe(404);
    expect((await put({ name: 'x' }, { server: '%00' })).code).toBe(404);
    expect((await show('2.1')).name).toBe('vm');
  });
});
