import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { seconds, type ServerId, type UserId } from '@novella/core';
import {
  activeServer,
  ADMIN,
  FLAVOR,
  HOST,
  IMAGE,
  newServer,
  OTHER_PROJECT,
  PROJECT,
  startNovaApi,
  STRANGER,
  type TestApi,
  USER,
} from '../testing/start-nova-api.js';

const ADMIN_HERE = `admin:${PROJECT}`;

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
});
afterEach(() => api.close());

interface Options {
  version?: string;
  as?: string;
}
const get = (query: string, { version = '2.96', as = USER }: Options = {}, path = '/v2.1/servers') =>
  api.ask('GET', `${path}${query}`, { version, as });
const ids = async (query: string, options: Options = {}) =>
  (await get(query, options)).json.servers.map(({ id }) => id);

async function make(fields: object, as = USER): Promise<ServerId> {
  const server = { name: 'vm', flavorRef: FLAVOR.id, imageRef: IMAGE, networks: 'none', ...fields };
  const answer = await api.ask('POST', '/v2.1/servers', { version: '2.96', as, body: { server } });
  if (answer.code !== 202) throw new Error(answer.text);
  return answer.json.server.id;
}
async function deleted(id: ServerId): Promise<void> {
  await api.ask('DELETE', `/v2.1/servers/${id}`, { as: ADMIN });
  const open = await api.store.operations({ serverId: id, open: true, limit: 9 });
  const operation = open.find(({ kind }) => kind === 'delete');
  const claimed = await api.store.claimOne(operation!.id, 'test', seconds(60));
  await api.store.end(claimed!, { result: 'succeeded', changes: { instance: { deleted: true } } });
}

describe('the owner of listed servers', () => {
  it('is the caller’s project, or with all_tenants any, for administrators', async () => {
    const mine = await newServer(api);
    const theirs = await newServer(api, STRANGER);
    expect(await ids('')).toEqual([mine]);
    expect(await ids('?all_tenants=1', { as: ADMIN })).toEqual([theirs, mine]);
    expect(await ids('?all_tenants', { as: ADMIN })).toEqual([theirs, mine]);
    expect(await ids('?all_tenants=false', { as: ADMIN })).toEqual([theirs]);
    expect(await ids(`?all_tenants=1&tenant_id=${PROJECT}`, { as: ADMIN })).toEqual([mine]);
    expect(await ids(`?all_tenants=1&project_id=${OTHER_PROJECT}`, { as: ADMIN })).toEqual([theirs]);
    for (const path of ['/v2.1/servers', '/v2.1/servers/detail']) {
      expect((await get('?all_tenants=1', {}, path)).code).toBe(403);
      expect((await get('?all_tenants=0', {}, path)).code).toBe(200);
    }
    expect((await get('?all_tenants=maybe')).code).toBe(400);
  });

  it('is not asked for by tenant_id alone', async () => {
    const mine = await newServer(api);
    expect(await ids(`?tenant_id=${PROJECT}`, { as: ADMIN })).toEqual([]);
    expect(await ids(`?project_id=${OTHER_PROJECT}`)).toEqual([mine]);
  });
});

describe('filters of servers', () => {
  it.each([
    ['status=ACTIVE', ['active']],
    ['status=active&status=BUILD', ['building', 'active']],
    ['status=BUILD', ['building']],
    ['status=RESIZE', []],
    ['name=^vm$', ['building', 'active']],
    ['name=v', ['building', 'active']],
    ['name=^m', []],
    ['name=V', []],
    ['name=[uv]m|x', ['building', 'active']],
    ['name=%00', []],
    ['flavor=1', ['building', 'active']],
    ['flavor=2', []],
    ['flavor=http://x/flavors/1', ['building', 'active']],
    [`image=${IMAGE}`, ['building', 'active']],
    ['image=', []],
    ['ip=10.0.0.1', []],
    ['ip6=::1', []],
    ['reservation_id=^r-', ['building', 'active']],
    ['changes-since=2100-01-01', []],
    ['changes-before=2100-01-01', ['building', 'active']],
    ['vm_state=active', ['active']],
    ['vm_state=nonsense', []],
    ['task_state=scheduling', ['building']],
    ['power_state=1', ['active']],
    ['power_state=[12]', ['active']],
    ['progress=0', ['building', 'active']],
    ['progress=7', []],
    ['config_drive=True', []],
    ['config_drive=', ['building', 'active']],
    ['key_name=mine', []],
    ['user_id=alice', ['building', 'active']],
    ['user_id=bob', []],
    ['availability_zone=nova', []],
    ['created_at=2026-01-02', ['building', 'active']],
    ['launched_at=2026', ['active']],
    ['hostname=^vm', ['building', 'active']],
    ['tags=a', []],
    ['not-tags=a', ['building', 'active']],
  ])('by %s', async (query, expected) => {
    const names = new Map<string, string>([
      [await activeServer(api), 'active'],
      [await newServer(api), 'building'],
    ]);
    expect((await ids(`?${query}`)).map((id) => names.get(id))).toEqual(expected);
  });

  it('by tags, key, config drive and address', async () => {
    const key = { name: 'laptop', type: 'ssh', publicKey: 'x', fingerprint: 'x' } as const;
    await api.store.createKeyPair({ ...key, userId: 'alice' as UserId }, 9);
    const none = await make({});
    const a = await make({ tags: ['a'], key_name: 'laptop', config_drive: true });
    const ab = await make({ tags: ['a', 'b'], accessIPv4: '10.0.0.7' });
    expect(await ids('?tags=a')).toEqual([ab, a]);
    expect(await ids('?tags=a,b')).toEqual([ab]);
    expect(await ids('?tags-any=b,c')).toEqual([ab]);
    expect(await ids('?not-tags=a,b')).toEqual([a, none]);
    expect(await ids('?not-tags-any=a,b')).toEqual([none]);
    expect(await ids('?tags=b', { version: '2.25' })).toEqual([ab, a, none]);
    expect(await ids('?key_name=lap')).toEqual([a]);
    expect(await ids('?config_drive=True')).toEqual([a]);
    expect(await ids('?access_ip_v4=10.0', { as: ADMIN_HERE })).toEqual([ab]);
    expect(await ids(`?uuid=${a}`, { as: ADMIN_HERE })).toEqual([a]);
    expect(await ids('?uuid=nope', { as: ADMIN_HERE })).toEqual([]);
  });

  it('by lock, from 2.73', async () => {
    const open = await newServer(api);
    const locked = await newServer(api);
    await api.ask('POST', `/v2.1/servers/${locked}/action`, { body: { lock: null } });
    expect(await ids('?locked=true')).toEqual([locked]);
    expect(await ids('?locked=no')).toEqual([open]);
    expect(await ids('?locked=true', { version: '2.72' })).toEqual([locked, open]);
    expect((await get('?locked=maybe')).code).toBe(400);
  });

  it('of hosts count for administrators and are ignored from others', async () => {
    const id = await activeServer(api);
    const as = ADMIN_HERE;
    expect(await ids('?host=nowhere')).toEqual([id]);
    expect(await ids('?host=nowhere', { as })).toEqual([]);
    expect(await ids(`?host=${HOST}`, { as })).toEqual([id]);
    expect(await ids('?node=^host-1\\.', { as })).toEqual([id]);
    expect(await ids('?node=host-2', { as })).toEqual([]);
    expect(await ids(`?node=host&host=${HOST}`, { as })).toEqual([id]);
    expect(await ids('?host=%00', { as })).toEqual([]);
  });

  it.each([
    ['ip6=::1', '2.4', '2.5'],
    ['vm_state=stopped', '2.82', '2.83'],
    ['user_id=bob', '2.82', '2.83'],
    ['key_name=x', '2.82', '2.83'],
    ['created_at=1999', '2.82', '2.83'],
    ['hostname=other', '2.89', '2.90'],
    ['changes-before=2000-01-01', '2.65', '2.66'],
  ])('%s is ignored from users at %s and counts at %s', async (query, before, from) => {
    const id = await newServer(api);
    expect(await ids(`?${query}`, { version: before })).toEqual([id]);
    expect(await ids(`?${query}`, { version: from })).toEqual([]);
    // Changes before a time are no filter at all below their microversion.
    if (!query.startsWith('changes')) expect(await ids(`?${query}`, { version: before, as: ADMIN_HERE })).toEqual([]);
  });

  it.each(['[', '(', '*', 'a{2,1}', '\\'])('that are no regular expression (%s) are 400', async (pattern) => {
    await newServer(api);
    const text = encodeURIComponent(pattern);
    expect((await get(`?name=${text}`)).code).toBe(400);
    expect((await get(`?power_state=${text}`)).code).toBe(400);
    expect((await get(`?node=${text}`)).code).toBe(200);
  });

  it.each(['metadata', 'services', 'security_groups'])(
    'of other tables (%s) are 400 for administrators',
    async (name) => {
      expect((await get(`?${name}=x`, { as: ADMIN })).code).toBe(400);
      expect((await get(`?${name}=x`)).code).toBe(200);
    },
  );
});

describe('deleted servers', () => {
  it('are listed for administrators who ask, and for who asks for changes', async () => {
    const living = await newServer(api);
    const gone = await activeServer(api);
    await deleted(gone);
    const as = ADMIN_HERE;
    expect(await ids('')).toEqual([living]);
    expect(await ids('?deleted=True')).toEqual([living]);
    expect(await ids('?deleted=True', { as })).toEqual([gone]);
    expect(await ids('?deleted=nonsense', { as })).toEqual([living]);
    expect(await ids('?status=DELETED', { as })).toEqual([gone]);
    expect(await ids('?status=DELETED&status=BUILD', { as })).toEqual([living]);
    expect((await get('?status=DELETED')).code).toBe(403);
    expect(await ids('?changes-since=2000-01-01')).toEqual([gone, living]);
    expect(await ids('?changes-before=2100-01-01')).toEqual([gone, living]);
    expect(await ids('?changes-since=2000-01-01&deleted=False', { as })).toEqual([living]);
    const [shown] = (await get('/detail?changes-since=2000-01-01')).json.servers;
    expect(shown).toMatchObject({ id: gone, status: 'DELETED', 'OS-EXT-STS:vm_state': 'deleted' });
    expect(shown?.['OS-SRV-USG:terminated_at']).not.toBeNull();
  });
});

describe('the order of servers', () => {
  it('is by several keys, each with its direction', async () => {
    const b = await make({ name: 'b' });
    const a = await make({ name: 'a' });
    const c = await make({ name: 'c', imageRef: IMAGE }, USER);
    expect(await ids('?sort_key=display_name&sort_dir=asc')).toEqual([a, b, c]);
    expect(await ids('?sort_key=display_name')).toEqual([c, b, a]);
    expect(await ids('?sort_key=vm_state&sort_key=display_name&sort_dir=desc&sort_dir=asc')).toEqual([a, b, c]);
    expect(await ids('?sort_key=vm_state&sort_key=display_name&sort_dir=asc')).toEqual([a, b, c]);
    expect(await ids('?sort_dir=asc')).toEqual([b, a, c]);
  });

  it('holds over pages, whose links repeat it', async () => {
    const made = [];
    for (const name of ['d', 'a', 'c', 'b']) made.push([name, await make({ name })] as const);
    const seen: string[] = [];
    let url: string | undefined = '?sort_key=display_name&sort_dir=asc&limit=2';
    for (let page = 0; url !== undefined && page < 5; page += 1) {
      const { json }: Awaited<ReturnType<typeof get>> = await get(url);
      seen.push(...json.servers.map(({ id }) => id));
      url = json.servers_links?.[0]?.href.replace('http://localhost:80/v2.1/servers', '');
    }
    expect(seen).toEqual(made.toSorted(([x], [y]) => (x < y ? -1 : 1)).map(([, id]) => id));
  });

  it('does not heed what it once took', async () => {
    const first = await newServer(api);
    const second = await newServer(api);
    expect(await ids('?sort_key=memory_mb&sort_dir=asc', { version: '2.74' })).toEqual([second, first]);
    expect(await ids('?sort_key=memory_mb&sort_key=created_at&sort_dir=desc&sort_dir=asc', { version: '2.1' })).toEqual(
      [first, second],
    );
  });
});

describe('a list that is asked for wrongly', () => {
  it.each<[string, string, number, string?]>([
    ['2.37', 'status=odd', 200],
    ['2.38', 'status=odd', 400],
    ['2.38', 'status=odd&status=ACTIVE', 200],
    ['2.74', 'color=red', 200],
    ['2.75', 'color=red', 400],
    ['2.74', '_x=1', 200],
    ['2.65', 'changes-before=never', 200],
    ['2.66', 'changes-before=never', 400],
    ['2.1', 'changes-since=never', 400],
    ['2.66', 'changes-since=2026-02-01&changes-before=2026-01-01', 400],
    ['2.1', 'limit=-1', 400],
    ['2.1', 'limit=x', 400],
    ['2.1', 'limit=', 400],
    ['2.1', `limit=${'9'.repeat(40)}`, 200],
    ['2.1', 'marker=x', 400],
    ['2.1', 'marker=', 400],
    ['2.1', 'marker=00000000-1111-4222-8333-444444444444', 400],
    ['2.1', 'sort_key=name', 400],
    ['2.1', 'sort_key=', 400],
    ['2.1', 'sort_dir=up', 400],
    ['2.1', 'sort_dir=asc&sort_dir=asc', 400],
    ['2.1', 'sort_key=host', 403],
    ['2.1', 'sort_key=node', 403],
    ['2.1', 'sort_key=host', 200, ADMIN],
    ['2.74', 'sort_key=memory_mb', 200],
    ['2.75', 'sort_key=memory_mb', 400],
    ['2.72', 'sort_key=locked', 200],
    ['2.75', 'sort_key=locked', 200],
    ['2.1', 'sort_key=created_at&sort_dir=desc', 200],
    ['2.1', 'deleted=True', 200],
  ])('at %s by %s gets %i', async (version, query, code, as = USER) => {
    expect((await get(`/detail?${query}`, { version, as })).code).toBe(code);
  });

  it('is empty for a page of none', async () => {
    await newServer(api);
    expect((await get('?limit=0')).json).toEqual({ servers: [] });
  });
});
