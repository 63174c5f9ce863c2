import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FLAVOR, HOST, IMAGE, newServer } from '../../apps/nova-api/src/testing/start-nova-api.js';
import { type Caller, CALLERS, OTHER, OWN, OWNER, userIdOf } from './callers.js';
import { Cloud, ownedBy, request, SECRETS, secretsOf, volumeId } from './cloud.js';
import { type Row, TABLE, type Things } from './table.js';

/** What those outside of a project can find out about what is in it: nothing, not even that it is there. */
const NOWHERE = 'dddddddd-eeee-4fff-8000-111111111111';
const STRANGER = 'member in another project';
const SHARED: Row = { route: '', may: 'admin', of: 'server', ok: 0 };

let cloud: Cloud;
let things: Things;
beforeAll(async () => {
  cloud = await Cloud.start();
  const owner = CALLERS.find(({ name }) => name === OWNER);
  if (owner === undefined) throw new Error('there is no owner');
  things = await cloud.thingsFor(SHARED, owner);
});
afterAll(() => cloud.api.close());

const isOutside = ({ scope, roles }: Caller): boolean =>
  scope !== 'own' && !(scope === 'other' && roles.includes('admin'));
const OUTSIDE = CALLERS.filter(isOutside);

/** All that an answer says, but for what is another with every request. */
async function said(row: Row, about: Things, as: string): Promise<unknown> {
  const { method, url, options } = request(row, about);
  const { code, headers, text } = await cloud.api.ask(method, url, { ...options, as });
  const { date: _, 'x-openstack-request-id': _own, 'x-compute-request-id': _same, ...rest } = headers;
  const ids = new RegExp([about.server, about.volume, about.action].join('|'), 'g');
  return { code, headers: rest, text: text.replace(ids, 'ID') };
}

const ABOUT_SERVERS = TABLE.filter((row) => row.of === 'server' || row.route.endsWith('os-server-external-events'));

describe('a server of another project is answered as one that does not exist', () => {
  it.each(ABOUT_SERVERS.map((row) => [row.route, row.asks ?? '', row] as const))('by %s %s', async (_, _asks, row) => {
    // Who may send events sends them about the servers of all projects.
    const outside = OUTSIDE.filter(
      ({ roles, scope }) => !(row.may === 'service' && scope === 'other' && roles.includes('service')),
    );
    expect(outside.length).toBeGreaterThan(25);
    for (const { name } of outside) {
      const absent = { ...things, server: NOWHERE, action: `req-${NOWHERE}` };
      expect(await said(row, things, name)).toEqual(await said(row, absent, name));
    }
  });
});

describe('a deleted server of another project', () => {
  it('has no actions, as one that never was', async () => {
    const server = await newServer(cloud.api, OWNER);
    const [action] = await cloud.api.store.instanceActions(server);
    await cloud.api.ask('DELETE', `/v2.1/servers/${server}`, { as: OWNER });
    const deleted = { ...things, server, action: action?.requestId ?? '' };
    for (const route of ['', '/:requestId'].map((rest) => `GET /v2.1/servers/:serverId/os-instance-actions${rest}`)) {
      const row: Row = { route, may: 'reader', of: 'server', ok: 200 };
      const { method, url, options } = request(row, deleted);
      expect((await cloud.api.ask(method, url, { ...options, as: OWNER })).code).toBe(200);
      for (const { name } of OUTSIDE) {
        const absent = await said(row, { ...things, server: NOWHERE, action: `req-${NOWHERE}` }, name);
        const there = await said(row, deleted, name);
        expect(JSON.stringify(there).replaceAll(server, 'ID')).toBe(JSON.stringify(absent).replaceAll(NOWHERE, 'ID'));
      }
    }
  });
});

describe('a flavor that only the project may use', () => {
  const server = (flavorRef: string) => ({ server: { name: 'vm', flavorRef, imageRef: IMAGE, networks: 'none' } });
  it.each([
    ['GET', (id: string) => `/v2.1/flavors/${id}`],
    ['GET', (id: string) => `/v2.1/flavors/${id}/os-extra_specs`],
    ['GET', (id: string) => `/v2.1/flavors/${id}/os-extra_specs/hw:cpu_policy`],
    ['POST', () => '/v2.1/servers'],
  ] as const)('is answered outside of it as one that does not exist: %s %s', async (method, url) => {
    const ask = async (id: string, as: string) => {
      const options = { as, version: '2.90', ...(method === 'POST' ? { body: server(id) } : {}) };
      const { code, text } = await cloud.api.ask(method, url(id), options);
      return { code, text: text.replaceAll(id, 'ID') };
    };
    for (const { name } of OUTSIDE) expect(await ask(SECRETS.flavor, name)).toEqual(await ask('no-such-flavor', name));
    expect((await ask(SECRETS.flavor, OWNER)).code).toBeLessThan(300);
  });
});

describe('nothing of a project is told outside of it', () => {
  const READS = TABLE.filter(({ route }) => route.startsWith('GET '));
  /** The secrets that an answer has, at the row's version and the newest, and that were not asked for by themselves. */
  async function toldTo(as: string, row: Row): Promise<string[]> {
    const { method, url, options } = request(row, things);
    const told: string[] = [];
    for (const version of [options.version, '2.96']) {
      const { text } = await cloud.api.ask(method, url, { version, as });
      told.push(...secretsOf(cloud, things).filter((secret) => !url.includes(secret) && text.includes(secret)));
    }
    return told;
  }

  it.each(READS.map((row) => [row.route, row.query ?? '', row] as const))('by %s%s', async (_, _query, row) => {
    for (const { name } of OUTSIDE) expect([name, await toldTo(name, row)]).toEqual([name, []]);
  });

  it('is told inside of it, so that the search would find it', async () => {
    const told = new Set<string>();
    for (const row of READS) for (const secret of await toldTo(OWNER, row)) told.add(secret);
    expect(secretsOf(cloud, things).filter((secret) => !told.has(secret))).toEqual([]);
  });
});

describe('a list of one project', () => {
  const get = (path: string, as = STRANGER) => cloud.api.ask('GET', `/v2.1${path}`, { as, version: '2.90' });
  const told = async (path: string, as = STRANGER) => {
    const { code, text } = await get(path, as);
    return [code, text.replaceAll(things.server, 'ID').replaceAll(NOWHERE, 'ID').replaceAll(things.action, 'ID')];
  };

  it.each([
    ['name', () => SECRETS.server],
    ['tenant_id', () => OWN],
    ['project_id', () => OWN],
    ['user_id', () => userIdOf({ name: OWNER })],
    ['uuid', () => things.server],
    ['host', () => HOST],
    ['flavor', () => FLAVOR.id],
    ['image', () => IMAGE],
    ['reservation_id', () => `r-${things.server.slice(0, 8)}`],
    ['status', () => 'ACTIVE'],
    ['changes-since', () => '2000-01-01'],
  ])('selects by %s no server of another', async (filter, value) => {
    for (const path of ['/servers', '/servers/detail']) {
      expect((await get(`${path}?${filter}=${encodeURIComponent(value())}`)).json.servers).toEqual([]);
    }
  });

  it('goes on after no server, flavor, key pair or action of another', async () => {
    const own = await newServer(cloud.api, STRANGER);
    for (const path of ['/servers', '/servers/detail']) {
      expect(await told(`${path}?marker=${things.server}`)).toEqual(await told(`${path}?marker=${NOWHERE}`));
    }
    const actions = `/servers/${own}/os-instance-actions?marker=`;
    expect((await told(`${actions}${things.action}`))[0]).toBe(400);
    expect((await told(`/flavors?marker=${things.privateFlavor}`))[0]).toBe(400);
    expect((await told(`/os-keypairs?marker=${things.keyPair}`))[0]).toBe(400);
  });

  it('counts nothing of another', async () => {
    const counted = async (as: string) => {
      const { text } = await get('/limits', as);
      return (JSON.parse(text) as { limits: { absolute: Record<string, number> } }).limits.absolute[
        'totalInstancesUsed'
      ];
    };
    const own = (await counted(OWNER)) ?? 0;
    const other = await counted(STRANGER);
    await newServer(cloud.api, OWNER);
    expect([await counted(OWNER), await counted(STRANGER), await counted('reader unscoped')]).toEqual([
      own + 1,
      other,
      0,
    ]);
  });
});

describe('a volume', () => {
  const HIDDEN = volumeId(900);
  let server: string;
  beforeAll(async () => {
    ownedBy(cloud.api, cloud.api.cinder.add(HIDDEN, { bootable: true }), OWN);
    server = await newServer(cloud.api, STRANGER);
  });
  const answer = async (method: 'POST' | 'DELETE', url: string, body: unknown, id: string) => {
    const options = { as: STRANGER, version: '2.60', ...(body === null ? {} : { body }) };
    const { code, text } = await cloud.api.ask(method, url, options);
    return { code, text: text.replaceAll(id, 'ID') };
  };
  const attach = (id: string) =>
    answer('POST', `/v2.1/servers/${server}/os-volume_attachments`, { volumeAttachment: { volumeId: id } }, id);
  const detach = (id: string) => answer('DELETE', `/v2.1/servers/${server}/os-volume_attachments/${id}`, null, id);
  const bootFrom = (id: string) => {
    const devices = [{ boot_index: 0, uuid: id, source_type: 'volume', destination_type: 'volume' }];
    const vm = { name: 'vm', flavorRef: FLAVOR.id, networks: 'none', block_device_mapping_v2: devices };
    return answer('POST', '/v2.1/servers', { server: vm }, id);
  };

  it.each([
    ['attached', attach, 404],
    ['detached', detach, 404],
    ['booted from', bootFrom, 400],
  ])('that the user’s own token cannot read is not %s, as one that does not exist', async (_, act, code) => {
    const before = await cloud.digest();
    const refused = await act(HIDDEN);
    expect(refused.code).toBe(code);
    expect(refused).toEqual(await act(NOWHERE));
    expect((await cloud.digest()) === before).toBe(true);
  });

  it('is asked for in the name of the caller, of their project', () => {
    const asked = cloud.api.cinder.users.filter(({ token }) => token === STRANGER);
    expect(asked.length).toBeGreaterThan(0);
    expect(new Set(asked.map(({ projectId }) => projectId))).toEqual(new Set([OTHER]));
  });
});

describe('what only administrators see of a server', () => {
  const FIELDS = [
    'OS-EXT-SRV-ATTR:host',
    'OS-EXT-SRV-ATTR:hypervisor_hostname',
    'OS-EXT-SRV-ATTR:instance_name',
    'host_status',
  ];
  it.each(['reader in the project', 'member in the project', 'manager in the project'])(
    'is hidden from a %s',
    async (as) => {
      const seen = async (who: string) => {
        const { server } = (await cloud.api.ask('GET', `/v2.1/servers/${things.server}`, { as: who, version: '2.90' }))
          .json;
        return FIELDS.filter((field) => field in server);
      };
      expect([await seen(as), await seen('admin in the project')]).toEqual([[], FIELDS]);
      const event = async (who: string, version: string) => {
        const url = `/v2.1/servers/${things.server}/os-instance-actions/${things.action}`;
        const { instanceAction } = (await cloud.api.ask('GET', url, { as: who, version })).json;
        return Object.keys('events' in instanceAction ? (instanceAction.events[0] ?? {}) : {}).filter((key) =>
          ['traceback', 'host', 'details'].includes(key),
        );
      };
      expect(await event(as, '2.84')).toEqual([]);
      expect((await event('admin in the project', '2.84')).toSorted()).toEqual(['details', 'host', 'traceback']);
      expect(await event(as, '2.50')).toEqual([]);
      expect(await event('admin in the project', '2.50')).toEqual(['traceback']);
    },
  );
});
