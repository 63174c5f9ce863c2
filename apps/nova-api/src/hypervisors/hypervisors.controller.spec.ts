import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HostName } from '@novella/core';
import type { Service } from '@novella/persistence';
import { activeServer, ADMIN, HOST, reported, startNovaApi, type TestApi, USER } from '../testing/start-nova-api.js';
import { uptimeView } from './hypervisor.view.js';

const NOBODY = '00000000-1111-4222-8333-444444444444';

let api: TestApi;
let first: Service;
let second: Service;
beforeEach(async () => {
  api = await startNovaApi();
  first = await reported(api);
  const hypervisor = { type: 'QEMU', version: '10.0.2', hostname: 'host-2.example' };
  second = await reported(api, { host: 'host-2' as HostName, hypervisor });
});
afterEach(() => api.close());

const get = (rest: string, version = '2.53', as: string = ADMIN) =>
  api.ask('GET', `/v2.1/os-hypervisors${rest}`, { version, as });
const names = (answer: Awaited<ReturnType<typeof get>>) =>
  answer.json.hypervisors.map((each) => each['hypervisor_hostname']);

const SUMMARY = ['hypervisor_hostname', 'id', 'state', 'status'];
const DETAIL = [...SUMMARY, 'host_ip', 'hypervisor_type', 'hypervisor_version', 'service'];
const CAPACITY = [
  'cpu_info',
  'current_workload',
  'disk_available_least',
  'free_disk_gb',
  'free_ram_mb',
  'local_gb',
  'local_gb_used',
  'memory_mb',
  'memory_mb_used',
  'running_vms',
  'vcpus',
  'vcpus_used',
];

describe('GET /os-hypervisors', () => {
  it.each(['2.1', '2.33', '2.53', '2.88'])('shows at %s id, name, state and status', async (version) => {
    const { hypervisors } = (await get('', version)).json;
    expect(hypervisors).toHaveLength(2);
    for (const each of hypervisors) expect(Object.keys(each).toSorted()).toEqual(SUMMARY);
  });

  it.each<[string, string[]]>([
    ['2.1', [...DETAIL, ...CAPACITY]],
    ['2.87', [...DETAIL, ...CAPACITY]],
    ['2.88', [...DETAIL, 'uptime']],
    ['2.96', [...DETAIL, 'uptime']],
  ])('shows at %s in detail, and of one, exactly the fields of that version', async (version, fields) => {
    const { hypervisors } = (await get('/detail', version)).json;
    for (const each of hypervisors) expect(Object.keys(each).toSorted()).toEqual(fields.toSorted());
    expect((await get(`/${hypervisors[0]!.id}`, version)).json.hypervisor).toEqual(hypervisors[0]);
  });

  it('counts what the servers placed on it take', async () => {
    await activeServer(api);
    expect((await get(`/${first.id}`)).json.hypervisor).toMatchObject({
      hypervisor_hostname: 'host-1.example',
      hypervisor_type: 'QEMU',
      hypervisor_version: 7_002_010,
      host_ip: '192.0.2.1',
      service: { id: first.id, host: HOST, disabled_reason: null },
      vcpus: 64,
      vcpus_used: 1,
      memory_mb: 65_536,
      memory_mb_used: 512,
      free_ram_mb: 65_024,
      local_gb: 1000,
      local_gb_used: 1,
      free_disk_gb: 999,
      running_vms: 1,
      cpu_info: {},
    });
    expect((await get(`/${second.id}`)).json.hypervisor).toMatchObject({ running_vms: 0, vcpus_used: 0 });
  });

  it('tells cpu_info as text before 2.28, and numbers for ids before 2.53', async () => {
    const [old] = (await get('/detail', '2.27')).json.hypervisors;
    expect(old).toMatchObject({ cpu_info: '{}', id: expect.any(Number), service: { id: old?.id } });
    const [newer] = (await get('/detail', '2.28')).json.hypervisors;
    expect(newer).toMatchObject({ cpu_info: {}, id: old?.id });
    expect((await get('/detail', '2.53')).json.hypervisors[0]).toMatchObject({ id: first.id });
  });

  it('says which are down or disabled', async () => {
    await api.store.updateService(first.id, { disabled: true });
    await api.store.updateService(second.id, { forcedDown: true });
    expect((await get('')).json.hypervisors).toMatchObject([
      { state: 'up', status: 'disabled' },
      { state: 'down', status: 'enabled' },
    ]);
  });

  it('names the servers when asked, and an empty list only from 2.75', async () => {
    const server = await activeServer(api);
    const servers = async (version: string) =>
      (await get('?with_servers=true', version)).json.hypervisors.map((each) => each['servers']);
    expect(await servers('2.53')).toEqual([[{ name: 'vm', uuid: server }], undefined]);
    expect(await servers('2.75')).toEqual([[{ name: 'vm', uuid: server }], []]);
    expect((await get('?with_servers=0', '2.75')).json.hypervisors[0]).not.toHaveProperty('servers');
    const { hypervisor } = (await get(`/${first.id}?with_servers=1`)).json;
    expect(hypervisor['servers']).toEqual([{ name: 'vm', uuid: server }]);
  });

  it('names more servers than a page has', async () => {
    await api.close();
    api = await startNovaApi({ maxLimit: 2 });
    first = await reported(api);
    for (let n = 0; n < 5; n += 1) await activeServer(api);
    const { hypervisor } = (await get(`/${first.id}?with_servers=1`)).json;
    expect(hypervisor['servers']).toHaveLength(5);
  });

  it('pages from 2.33 on, each host once, with links', async () => {
    const one = await get('?limit=1');
    expect(names(one)).toEqual(['host-1.example']);
    const [link] = one.json.hypervisors_links!;
    const two = await api.ask('GET', new URL(link!.href).pathname + new URL(link!.href).search, {
      version: '2.53',
      as: ADMIN,
    });
    expect(names(two)).toEqual(['host-2.example']);
    const last = await get(`?limit=1&marker=${second.id}`);
    expect(names(last)).toEqual([]);
    expect(last.json).not.toHaveProperty('hypervisors_links');
    const number = (await get('', '2.33')).json.hypervisors[0]!.id;
    expect(names(await get(`?marker=${number}`, '2.33'))).toEqual(['host-2.example']);
    expect(names(await get('?limit=1', '2.32'))).toHaveLength(2);
  });

  it('finds by a part of the name from 2.53 on', async () => {
    expect(names(await get('?hypervisor_hostname_pattern=host-2'))).toEqual(['host-2.example']);
    expect(names(await get('?hypervisor_hostname_pattern=example'))).toHaveLength(2);
    expect((await get('?hypervisor_hostname_pattern=nowhere')).code).toBe(404);
    expect(names(await get('?hypervisor_hostname_pattern=nowhere', '2.52'))).toHaveLength(2);
  });

  it.each([
    '?limit=x',
    '?limit=-1',
    `?marker=${NOBODY}`,
    '?marker=',
    '?with_servers=maybe',
    '?hypervisor_hostname_pattern=a%20b',
    '?hypervisor_hostname_pattern=host&limit=1',
    `?hypervisor_hostname_pattern=host&marker=${NOBODY}`,
    '?colour=red',
  ])('refuses %s at 2.53', async (query) => {
    expect((await get(query)).code).toBe(400);
  });
});

describe('GET /os-hypervisors/{id}', () => {
  it.each([
    [NOBODY, '2.53', 404],
    ['1', '2.53', 400],
    ['host-1', '2.53', 400],
    ['%00', '2.53', 400],
    ['1', '2.52', 404],
    ['host-1', '2.52', 404],
    [NOBODY, '2.52', 404],
  ])('%s at %s is %i', async (id, version, code) => {
    expect((await get(`/${id}`, version)).code).toBe(code);
  });

  it('is 404 for a service that is no hypervisor', async () => {
    const conductor = await reported(api, { host: 'c' as HostName, binary: 'nova-conductor' });
    expect((await get(`/${conductor.id}`)).code).toBe(404);
  });
});

describe('uptime', () => {
  it('is asked of the host: in the detail from 2.88, on a route of its own before', async () => {
    api.hosts.uptimeS = 93 * 86_400 + 18 * 3600 + 25 * 60 + 59;
    const said = 'up 93 days, 18:25';
    expect((await get(`/${first.id}`, '2.88')).json.hypervisor['uptime']).toBe(said);
    expect((await get(`/${first.id}/uptime`, '2.87')).json.hypervisor).toEqual({
      id: first.id,
      hypervisor_hostname: 'host-1.example',
      state: 'up',
      status: 'enabled',
      uptime: said,
    });
    expect((await get(`/${first.id}/uptime`, '2.88')).code).toBe(404);
  });

  it('is null, and the list is answered all the same, when hosts are down or do not answer', async () => {
    await api.store.updateService(second.id, { forcedDown: true });
    expect((await get('/detail', '2.88')).json.hypervisors.map((each) => each['uptime'])).toEqual(['up  0:00', null]);
    api.hosts.fail('rpc-timeout');
    expect((await get('/detail', '2.88')).json.hypervisors.map((each) => each['uptime'])).toEqual([null, null]);
  });

  it('is a 400 on its own route when the host is down or does not answer', async () => {
    const message = `Compute service of ${HOST} is unavailable at this time.`;
    api.hosts.fail('rpc-timeout');
    expect((await get(`/${first.id}/uptime`)).json.badRequest).toEqual({ code: 400, message });
    api.hosts.fail(null);
    await api.store.updateService(first.id, { forcedDown: true });
    expect((await get(`/${first.id}/uptime`)).json.badRequest).toEqual({ code: 400, message });
    expect((await get(`/${NOBODY}/uptime`)).code).toBe(404);
  });

  it.each([
    [0, 'up  0:00'],
    [3599, 'up  0:59'],
    [36_000, 'up 10:00'],
    [86_400, 'up 1 day,  0:00'],
    [2 * 86_400 + 60.5, 'up 2 days,  0:01'],
  ])('%d s are "%s"', (seconds, text) => {
    expect(uptimeView(seconds)).toBe(text);
  });
});

describe('routes of older microversions', () => {
  it('search by a part of the name until 2.52', async () => {
    expect(names(await get('/host-2/search', '2.52'))).toEqual(['host-2.example']);
    expect((await get('/nowhere/search', '2.52')).json.itemNotFound.message).toBe(
      "No hypervisor matching 'nowhere' could be found.",
    );
    expect((await get('/host-2/search', '2.53')).code).toBe(404);
  });

  it('name the servers of hosts until 2.52; hosts without any have no list', async () => {
    const server = await activeServer(api);
    const { hypervisors } = (await get('/host/servers', '2.52')).json;
    expect(hypervisors.map((each) => each['servers'])).toEqual([[{ name: 'vm', uuid: server }], undefined]);
    expect((await get('/host/servers', '2.53')).code).toBe(404);
  });

  it('sum up what is not disabled, until 2.87', async () => {
    await activeServer(api);
    const statistics = async () => (await get('/statistics', '2.87')).json as unknown as object;
    expect(await statistics()).toEqual({
      hypervisor_statistics: {
        count: 2,
        vcpus: 128,
        vcpus_used: 1,
        memory_mb: 131_072,
        memory_mb_used: 512,
        free_ram_mb: 130_560,
        local_gb: 2000,
        local_gb_used: 1,
        free_disk_gb: 1999,
        disk_available_least: 1999,
        current_workload: 0,
        running_vms: 1,
      },
    });
    await api.store.updateService(first.id, { disabled: true });
    await api.store.updateService(second.id, { disabled: true });
    expect(await statistics()).toMatchObject({ hypervisor_statistics: { count: 0, vcpus: 0 } });
    expect((await get('/statistics', '2.88')).code).toBe(404);
  });
});

describe('who is no administrator', () => {
  it.each(['', '/detail', '/statistics', `/${NOBODY}`, `/${NOBODY}/uptime`, '/host/search', '/host/servers'])(
    'gets 403 from /os-hypervisors%s',
    async (rest) => {
      expect((await get(rest, '2.52', USER)).code).toBe(403);
    },
  );
});
