import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ADMIN, type Ask, faultKey, NO_SUCH_ID, Novella, USER } from './novella.js';

/** The routes that need no host, through the whole product on a real Postgres: nothing wrong is kept, nothing is a 5xx. */
const IMAGE = '11111111-2222-4333-8444-555555555555';
const STRANGER = `mallory:${'e'.repeat(32)}`;
const NUL = '\u0000';
const LONE_SURROGATE = '\ud800';
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtBudAzsXDH5gzpG+AgsJOVyrec9zbfeVNS6edkMiLQ me@home';

let novella: Novella;
let server: string;
beforeAll(async () => {
  novella = await Novella.start();
  await novella.image(IMAGE, {}, 'x');
  server = await novella.server(IMAGE);
  const made = await novella.nova('POST', '/os-keypairs', { body: { keypair: { name: 'laptop', public_key: KEY } } });
  expect(made.status).toBe(201);
}, 120_000);
afterAll(() => novella.close());

const ask = (method: string, path: string, options: Ask = {}) =>
  novella.nova(method, path.replace('SERVER', server), options);

describe('a wrong request changes nothing', () => {
  const meta = (body: unknown) => ({ body });
  it.each<[string, string, Ask, number, string]>([
    ['POST', '/os-keypairs', { body: { keypair: { name: 'laptop', public_key: KEY } } }, 409, 'conflictingRequest'],
    ['POST', '/os-keypairs', { body: { keypair: { name: 'a', public_key: `ssh-ed25519 ${NUL}` } } }, 400, 'badRequest'],
    ['POST', '/os-keypairs', { body: { keypair: { name: NUL, public_key: KEY } } }, 400, 'badRequest'],
    ['POST', '/os-keypairs', { body: { keypair: { name: LONE_SURROGATE, public_key: KEY } } }, 400, 'badRequest'],
    ['POST', '/os-keypairs', { body: { keypair: { name: 'a', public_key: KEY, user_id: 'bob' } } }, 403, 'forbidden'],
    ['DELETE', '/os-keypairs/nope', {}, 404, 'itemNotFound'],
    ['DELETE', '/os-keypairs/%00', {}, 404, 'itemNotFound'],
    ['DELETE', '/os-keypairs/laptop', { as: STRANGER }, 404, 'itemNotFound'],
    ['DELETE', '/os-keypairs/laptop?user_id=alice', { as: STRANGER }, 403, 'forbidden'],
    ['GET', '/os-keypairs?marker=%00', {}, 400, 'badRequest'],
    ['GET', '/limits?tenant_id=x', {}, 403, 'forbidden'],
    ['GET', '/os-quota-sets/other', {}, 403, 'forbidden'],
    ['PUT', '/os-quota-sets/other', { as: ADMIN, body: {} }, 404, ''],
    ['GET', '/extensions/%00', {}, 404, 'itemNotFound'],
    ['POST', '/flavors', { body: { flavor: { name: 'x', ram: 1, vcpus: 1, disk: 0 } } }, 403, 'forbidden'],
    [
      'POST',
      '/flavors',
      { as: ADMIN, body: { flavor: { name: 'm1.tiny', ram: 1, vcpus: 1, disk: 0 } } },
      409,
      'conflictingRequest',
    ],
    ['POST', '/flavors', { as: ADMIN, body: { flavor: { name: NUL, ram: 1, vcpus: 1, disk: 0 } } }, 400, 'badRequest'],
    [
      'POST',
      '/flavors',
      { as: ADMIN, body: { flavor: { name: 'x', ram: 2 ** 31, vcpus: 1, disk: 0 } } },
      400,
      'badRequest',
    ],
    ['PUT', '/flavors/1', { as: ADMIN, body: { flavor: { description: LONE_SURROGATE } } }, 400, 'badRequest'],
    ['DELETE', '/flavors/1', {}, 403, 'forbidden'],
    ['DELETE', '/flavors/%00', { as: ADMIN }, 404, 'itemNotFound'],
    ['POST', '/flavors/1/os-extra_specs', { as: ADMIN, body: { extra_specs: { 'hw:nope': 'x' } } }, 400, 'badRequest'],
    ['DELETE', '/flavors/1/os-extra_specs/%00', { as: ADMIN }, 404, 'itemNotFound'],
    ['POST', '/flavors/1/action', { as: ADMIN, body: { addTenantAccess: { tenant: 'x' } } }, 409, 'conflictingRequest'],
    ['POST', '/flavors/1/action', { as: ADMIN, body: { removeTenantAccess: { tenant: NUL } } }, 404, 'itemNotFound'],
    ['PUT', '/servers/SERVER', { body: { server: { name: NUL } } }, 400, 'badRequest'],
    ['PUT', '/servers/SERVER', { body: { server: { description: LONE_SURROGATE } } }, 400, 'badRequest'],
    ['PUT', '/servers/SERVER', { as: STRANGER, body: { server: { name: 'x' } } }, 404, 'itemNotFound'],
    ['PUT', `/servers/${NO_SUCH_ID}`, { body: { server: { name: 'x' } } }, 404, 'itemNotFound'],
    ['POST', '/servers/SERVER/metadata', meta({ metadata: { [NUL]: 'x' } }), 400, 'badRequest'],
    ['PUT', '/servers/SERVER/metadata/a', meta({ meta: { b: 'x' } }), 400, 'badRequest'],
    ['DELETE', '/servers/SERVER/metadata/%00', {}, 404, 'itemNotFound'],
    ['PUT', '/servers/SERVER/tags/a,b', {}, 400, 'badRequest'],
    ['DELETE', '/servers/SERVER/tags/%00', {}, 404, 'itemNotFound'],
    ['POST', '/servers/SERVER/action', { body: { lock: { locked_reason: '' } } }, 400, 'badRequest'],
    ['POST', '/servers/SERVER/action', { as: STRANGER, body: { lock: null } }, 404, 'itemNotFound'],
    [
      'POST',
      '/servers',
      { body: { server: { name: 'x', flavorRef: '1', imageRef: IMAGE, networks: 'none', key_name: NUL } } },
      400,
      'badRequest',
    ],
    [
      'POST',
      '/servers',
      { body: { server: { name: 'x', flavorRef: '1', imageRef: IMAGE, networks: 'none', key_name: 'desk' } } },
      400,
      'badRequest',
    ],
    [
      'POST',
      '/servers',
      { body: { server: { name: 'x', flavorRef: '1', imageRef: IMAGE, networks: 'auto' } } },
      400,
      'badRequest',
    ],
    [
      'POST',
      '/servers',
      { body: { server: { name: 'x', flavorRef: '1', imageRef: IMAGE, networks: 'none', min_count: 101 } } },
      403,
      'forbidden',
    ],
  ])('%s %s with %j is %i %s', async (method, path, options, status, key) => {
    const before = await novella.rows();
    const answer = await ask(method, path, options);
    expect([answer.status, key === '' ? '' : faultKey(answer)]).toEqual([status, key]);
    expect(await novella.rows()).toEqual(before);
  });
});

describe('what Postgres cannot hold is replaced', () => {
  it('in a lock’s reason, a tag and metadata', async () => {
    const reason = `because${NUL}`;
    expect((await ask('POST', '/servers/SERVER/action', { body: { lock: { locked_reason: reason } } })).status).toBe(
      202,
    );
    expect((await ask('POST', '/servers/SERVER/action', { body: { unlock: null } })).status).toBe(202);
    expect((await ask('PUT', '/servers/SERVER/tags', { body: { tags: [`t${LONE_SURROGATE}`] } })).status).toBe(200);
    expect((await ask('GET', '/servers/SERVER/tags')).text).toBe('{"tags":["t\ufffd"]}');
    const metadata = { a: NUL };
    expect((await ask('PUT', '/servers/SERVER/metadata', { body: { metadata } })).text).toBe(
      '{"metadata":{"a":"\ufffd"}}',
    );
  });
});

/** Whatever is sent wherever: an answer of the API’s own, and never that the API itself has failed. */
describe('nothing that is sent is a 5xx', () => {
  const ODD_BODIES: readonly unknown[] = [
    ...[undefined, null, 1, 'x', [], {}, [[]], { '': null }, '{', '[1,', '""', NUL, LONE_SURROGATE],
    ...['lock', 'server', 'meta', 'metadata', 'tags', 'keypair', 'flavor', 'extra_specs', 'addTenantAccess'].flatMap(
      (key) =>
        [null, 0, -1, 1e400, 1.5, '', NUL, [], {}, [null], { a: null }, { a: {} }, { name: {} }, true].map((value) => ({
          [key]: value,
        })),
    ),
  ];
  const ODD_IDS = ['%00', '%20', '..%2F..', '9'.repeat(300), '%F0%9F%98%80', "'%20or%201=1--", '-1'];
  const ODD_QUERIES = [
    ...[
      'limit=-1',
      'limit=1e9',
      'limit=%00',
      'marker=%00',
      'marker=',
      'sort_key=%00',
      'sort_dir=%00',
      'sort_dir=asc&sort_dir=asc',
    ],
    ...[
      'name=%00',
      'name=[',
      'name=%5C',
      'name=(?=',
      'name=***:x',
      'name=***=x',
      'name=(?q)x',
      'name=[[:alpha:]',
      'name=a{1}{2}',
    ],
    ...['power_state=(', 'node=*', 'tags=%00', 'tags-any=,', 'locked=2', 'all_tenants=2', 'deleted=%00', 'status=%00'],
    ...['changes-since=9999-12-31T23:59:59Z', 'changes-since=0000-01-01', 'changes-before=%00', 'uuid=%00', 'host=%00'],
    ...[
      'user_id=%00',
      'tenant_id=%00&all_tenants=1',
      'is_public=%00',
      'minRam=1e999',
      'minRam=99999999999999999999',
      'a=1&a=2',
    ],
  ];
  const PATHS = [
    '/servers',
    '/servers/detail',
    '/servers/SERVER',
    '/servers/SERVER/metadata',
    '/servers/SERVER/metadata/a',
    '/servers/SERVER/tags',
    '/servers/SERVER/tags/a',
    '/servers/SERVER/action',
    '/servers/SERVER/os-instance-actions',
    '/os-keypairs',
    '/os-keypairs/laptop',
    '/limits',
    '/os-quota-sets/x',
    '/os-quota-sets/x/detail',
    '/extensions',
    '/extensions/x',
    '/flavors',
    '/flavors/detail',
    '/flavors/nope',
    '/flavors/nope/os-extra_specs',
    '/flavors/nope/os-extra_specs/a',
    '/flavors/nope/os-flavor-access',
    '/flavors/nope/action',
  ];
  const VERSIONS = ['2.1', '2.96'];

  async function sweep(requests: readonly (readonly [string, string, Ask])[]): Promise<void> {
    const failed: unknown[] = [];
    for (const [method, path, options] of requests) {
      const { status } = await ask(method, path, options);
      if (status >= 500) failed.push([method, path, options, status]);
    }
    expect(failed).toEqual([]);
  }

  it.each(PATHS)('to %s as a body', async (path) => {
    await sweep(
      ['POST', 'PUT'].flatMap((method) =>
        ODD_BODIES.map((body) => [method, path, { as: ADMIN, ...(body === undefined ? {} : { body }) }] as const),
      ),
    );
  });

  it('as a query', async () => {
    await sweep(
      VERSIONS.flatMap((version) =>
        [USER, ADMIN].flatMap((as) =>
          PATHS.flatMap((path) => ODD_QUERIES.map((query) => ['GET', `${path}?${query}`, { version, as }] as const)),
        ),
      ),
    );
  }, 120_000);

  it('as an id', async () => {
    const templates = [
      ...[
        '/servers/ID',
        '/servers/ID/metadata',
        '/servers/ID/tags',
        '/servers/SERVER/metadata/ID',
        '/servers/SERVER/tags/ID',
      ],
      ...[
        '/os-keypairs/ID',
        '/os-quota-sets/ID/detail',
        '/extensions/ID',
        '/flavors/ID',
        '/flavors/ID/os-extra_specs/ID',
      ],
      ...['/flavors/ID/os-flavor-access', '/servers/SERVER/os-instance-actions/ID'],
    ];
    await sweep(
      templates.flatMap((template) =>
        ['GET', 'DELETE', 'PUT'].flatMap((method) =>
          ODD_IDS.map((id) => [method, template.replaceAll('ID', id), { as: ADMIN }] as const),
        ),
      ),
    );
  });

  it('and the server is still there, unharmed', async () => {
    expect((await ask('GET', '/servers/SERVER')).json.server.status).toBe('ACTIVE');
  });
});
