import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { gib, type ServerId } from '@novella/core';
import {
  activeServer,
  ADMIN,
  HOST,
  newServer,
  PROJECT,
  startNovaApi,
  STRANGER,
  type TestApi,
  USER,
} from '../testing/start-nova-api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
});
afterEach(() => api.close());

const show = async (id: string, version: string, as = USER) =>
  (await api.ask('GET', `/v2.1/servers/${id}`, { version, as })).json.server;
const ids = (answer: { json: { servers: readonly { id: string }[] } }) => answer.json.servers.map(({ id }) => id);

const BASE = [
  'OS-DCF:diskConfig',
  'OS-EXT-AZ:availability_zone',
  'OS-EXT-STS:power_state',
  'OS-EXT-STS:task_state',
  'OS-EXT-STS:vm_state',
  'OS-SRV-USG:launched_at',
  'OS-SRV-USG:terminated_at',
  'accessIPv4',
  'accessIPv6',
  'addresses',
  'config_drive',
  'created',
  'flavor',
  'hostId',
  'id',
  'image',
  'key_name',
  'links',
  'metadata',
  'name',
  'os-extended-volumes:volumes_attached',
  'progress',
  'status',
  'tenant_id',
  'updated',
  'user_id',
];
const ADMIN_BASE = ['OS-EXT-SRV-ATTR:host', 'OS-EXT-SRV-ATTR:hypervisor_hostname', 'OS-EXT-SRV-ATTR:instance_name'];
const ADMIN_2_3 = [
  'hostname',
  'kernel_id',
  'ramdisk_id',
  'launch_index',
  'reservation_id',
  'root_device_name',
  'user_data',
].map((name) => `OS-EXT-SRV-ATTR:${name}`);

describe('GET /servers/{id}', () => {
  it.each<[string, string[]]>([
    ['2.1', []],
    ['2.8', []],
    ['2.9', ['locked']],
    ['2.18', ['locked']],
    ['2.19', ['locked', 'description']],
    ['2.26', ['locked', 'description', 'tags']],
    ['2.63', ['locked', 'description', 'tags', 'trusted_image_certificates']],
    ['2.71', ['locked', 'description', 'tags', 'trusted_image_certificates', 'server_groups']],
    ['2.73', ['locked', 'description', 'tags', 'trusted_image_certificates', 'server_groups', 'locked_reason']],
    [
      '2.90',
      [
        'locked',
        'description',
        'tags',
        'trusted_image_certificates',
        'server_groups',
        'locked_reason',
        'OS-EXT-SRV-ATTR:hostname',
      ],
    ],
    [
      '2.96',
      [
        'locked',
        'description',
        'tags',
        'trusted_image_certificates',
        'server_groups',
        'locked_reason',
        'OS-EXT-SRV-ATTR:hostname',
        'pinned_availability_zone',
      ],
    ],
  ])('has at %s exactly the fields of that version', async (version, more) => {
    const server = await show(await activeServer(api), version);
    expect(Object.keys(server).toSorted()).toEqual([...BASE, ...more].toSorted());
  });

  it.each<[string, string[]]>([
    ['2.1', ADMIN_BASE],
    ['2.3', [...ADMIN_BASE, ...ADMIN_2_3]],
    ['2.16', [...ADMIN_BASE, ...ADMIN_2_3, 'host_status', 'locked']],
  ])('shows administrators more at %s', async (version, more) => {
    const server = await show(await activeServer(api), version, ADMIN);
    expect(Object.keys(server).toSorted()).toEqual([...BASE, ...more].toSorted());
    expect(server).toMatchObject({
      'OS-EXT-SRV-ATTR:host': HOST,
      'OS-EXT-SRV-ATTR:hypervisor_hostname': 'host-1.example',
      'OS-EXT-SRV-ATTR:instance_name': 'instance-00000001',
    });
    if (version === '2.16') expect(server.host_status).toBe('UP');
  });

  it.each<[string, { disabled?: boolean; forcedDown?: boolean }, boolean, string]>([
    ['UP', {}, false, 'UP'],
    ['UNKNOWN when it is silent', {}, true, 'UNKNOWN'],
    ['DOWN when an operator says so', { forcedDown: true }, false, 'DOWN'],
    ['MAINTENANCE when it is disabled', { disabled: true }, false, 'MAINTENANCE'],
    ['MAINTENANCE when it is disabled and silent', { disabled: true }, true, 'MAINTENANCE'],
    ['DOWN when it is both', { disabled: true, forcedDown: true }, false, 'DOWN'],
  ])('shows administrators the host as %s', async (_, change, silent, status) => {
    const id = await activeServer(api);
    const [service] = await api.store.services('nova-compute');
    await api.store.updateService(service!.id, change);
    if (silent) await api.store.serviceStopped(HOST, 'nova-compute');
    expect((await show(id, '2.16', ADMIN)).host_status).toBe(status);
    expect(await show(id, '2.16')).not.toHaveProperty('host_status');
  });

  it('has a reservation, an index and an empty host name never', async () => {
    expect(await show(await newServer(api), '2.3', ADMIN)).toMatchObject({
      'OS-EXT-SRV-ATTR:reservation_id': expect.stringMatching(/^r-[0-9a-f]{8}$/),
      'OS-EXT-SRV-ATTR:launch_index': 0,
      'OS-EXT-SRV-ATTR:hostname': 'vm',
      'OS-EXT-SRV-ATTR:root_device_name': '/dev/vda',
    });
  });

  it('has no host_status without a host', async () => {
    expect((await show(await newServer(api), '2.16', ADMIN)).host_status).toBe('');
  });

  it('writes times in their two forms, and the states', async () => {
    const server = await show(await activeServer(api), '2.96');
    expect(server.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(server['OS-SRV-USG:launched_at']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    expect(server).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:power_state': 1, 'OS-EXT-STS:task_state': null });
  });

  it('shows the flavor by link before 2.47 and embedded from there', async () => {
    const id = await activeServer(api);
    expect((await show(id, '2.46')).flavor.id).toBe('1');
    expect((await show(id, '2.47')).flavor).toEqual({
      vcpus: 1,
      ram: 512,
      disk: 1,
      ephemeral: 0,
      swap: 0,
      original_name: 'm1.tiny',
      extra_specs: { 'hw:cpu_policy': 'shared' },
    });
  });

  it('hashes project and host into hostId, empty without a host', async () => {
    const placed = await show(await activeServer(api), '2.1');
    expect(placed.hostId).toBe(createHash('sha224').update(`${PROJECT}${HOST}`).digest('hex'));
    const building = await show(await newServer(api), '2.1');
    expect(building).toMatchObject({ hostId: '', status: 'BUILD', 'OS-EXT-AZ:availability_zone': '' });
  });

  it('links with the version and project of the request', async () => {
    const id = await newServer(api);
    const answer = await api.ask('GET', `/v2.1/${PROJECT}/servers/${id}`);
    expect(answer.json.server.links.map(({ href }: { href: string }) => href)).toEqual([
      `http://localhost:80/v2.1/${PROJECT}/servers/${id}`,
      `http://localhost:80/${PROJECT}/servers/${id}`,
    ]);
  });

  it('lists attached volumes, from 2.3 with delete_on_termination', async () => {
    const id = await activeServer(api);
    const volumeId = api.cinder.add('99999999-8888-4777-8666-555555555555', { size: gib(1) });
    await api.ask('POST', `/v2.1/servers/${id}/os-volume_attachments`, { body: { volumeAttachment: { volumeId } } });
    expect((await show(id, '2.1'))['os-extended-volumes:volumes_attached']).toEqual([{ id: volumeId }]);
    expect((await show(id, '2.3'))['os-extended-volumes:volumes_attached']).toEqual([
      { id: volumeId, delete_on_termination: false },
    ]);
  });

  it.each(['00000000-1111-4222-8333-444444444444', 'vm-1', '%00'])('is 404 for %s', async (id) => {
    const answer = await api.ask('GET', `/v2.1/servers/${id}`);
    expect(answer.code).toBe(404);
    expect(answer.json.itemNotFound.code).toBe(404);
  });

  it('is 404 for a stranger and 200 for an administrator of another project', async () => {
    const id = await newServer(api);
    expect((await api.ask('GET', `/v2.1/servers/${id}`, { as: STRANGER })).code).toBe(404);
    expect((await api.ask('GET', `/v2.1/servers/${id}`, { as: ADMIN })).code).toBe(200);
  });
});

describe('GET /servers', () => {
  it('lists the caller’s own servers, newest first, with id, name and links', async () => {
    const first = await newServer(api);
    const second = await newServer(api);
    await newServer(api, STRANGER);
    const answer = await api.ask('GET', '/v2.1/servers');
    expect(ids(answer)).toEqual([second, first]);
    expect(Object.keys(answer.json.servers[0]!).toSorted()).toEqual(['id', 'links', 'name']);
    expect(answer.json).not.toHaveProperty('servers_links');
  });

  it('pages: every server once, whatever the size of the page', async () => {
    const all: ServerId[] = [];
    for (let n = 0; n < 5; n += 1) all.unshift(await newServer(api));
    const seen: string[] = [];
    let url: string | undefined = '/v2.1/servers?limit=2&name=vm';
    for (let page = 0; url !== undefined && page < 10; page += 1) {
      const answer: { json: { servers: readonly { id: string }[]; servers_links?: readonly { href: string }[] } } =
        await api.ask('GET', url);
      seen.push(...ids(answer));
      const next: string | undefined = answer.json.servers_links?.[0]?.href;
      url = next === undefined ? undefined : next.replace('http://localhost:80', '');
    }
    expect(seen).toEqual(all);
  });

  it('shows the detail of show, without server_groups', async () => {
    const id = await activeServer(api);
    const { servers } = (await api.ask('GET', '/v2.1/servers/detail', { version: '2.96' })).json;
    const { server_groups, ...shown } = await show(id, '2.96');
    expect(server_groups).toEqual([]);
    expect(servers).toEqual([shown]);
  });
});

describe('DELETE /servers/{id}', () => {
  it('is 409 for its user while it is locked, and 204 for an administrator', async () => {
    const id = await activeServer(api);
    await api.ask('POST', `/v2.1/servers/${id}/action`, { body: { lock: null } });
    expect((await api.ask('DELETE', `/v2.1/servers/${id}`)).json.conflictingRequest.code).toBe(409);
    expect((await api.ask('DELETE', `/v2.1/servers/${id}`, { as: ADMIN })).code).toBe(204);
  });

  it('answers 204 once and again, with one delete operation', async () => {
    const id = await activeServer(api);
    const hints = api.hints();
    expect((await api.ask('DELETE', `/v2.1/servers/${id}`)).code).toBe(204);
    expect((await show(id, '2.1'))['OS-EXT-STS:task_state']).toBe('deleting');
    expect((await api.ask('DELETE', `/v2.1/servers/${id}`)).code).toBe(204);
    const deletes = (await api.store.operations({ serverId: id, limit: 10 })).filter(({ kind }) => kind === 'delete');
    expect(deletes).toHaveLength(1);
    expect(api.hints()).toBe(hints + 1);
  });

  it('is 404 for a stranger and for an unknown server', async () => {
    const id = await newServer(api);
    expect((await api.ask('DELETE', `/v2.1/servers/${id}`, { as: STRANGER })).code).toBe(404);
    expect((await api.ask('DELETE', '/v2.1/servers/00000000-1111-4222-8333-444444444444')).code).toBe(404);
    expect((await show(id, '2.1'))['OS-EXT-STS:task_state']).toBe('scheduling');
  });
});
