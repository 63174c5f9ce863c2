import { afterEach, describe, expect, it } from '@jest/globals';
import type { NovaApiConfig } from '../nova-api.config.js';
import { IMAGE, PROJECT, startNovaApi, type TestApi } from '../testing/start-nova-api.js';

let api: TestApi;
afterEach(() => api.close());
const start = async (config: Partial<NovaApiConfig> = {}) => (api = await startNovaApi(config));
const TRUSTING: Partial<NovaApiConfig> = { trustForwardedHeaders: true };
const get = (url: string, headers: Record<string, string> = {}) =>
  api.ask('GET', url, { as: null, headers: { host: 'nova.example:8774', ...headers } });

describe('version discovery', () => {
  it('lists v2.0 and v2.1 at / without request id or version headers', async () => {
    await start();
    const answer = await get('/');
    expect(answer.code).toBe(200);
    expect(answer.json).toEqual({
      versions: [
        {
          id: 'v2.0',
          status: 'SUPPORTED',
          version: '',
          min_version: '',
          updated: '2011-01-21T11:33:21Z',
          links: [{ rel: 'self', href: 'http://nova.example:8774/v2/' }],
        },
        {
          id: 'v2.1',
          status: 'CURRENT',
          version: '2.96',
          min_version: '2.1',
          updated: '2013-07-23T11:33:21Z',
          links: [{ rel: 'self', href: 'http://nova.example:8774/v2.1/' }],
        },
      ],
    });
    expect(answer.headers).not.toHaveProperty('x-openstack-request-id');
    expect(answer.headers).not.toHaveProperty('openstack-api-version');
  });

  it('leads by each self link to a document with that very self link', async () => {
    await start();
    for (const version of (await get('/')).json.versions) {
      const { href } = version.links[0]!;
      const shown = await get(new URL(href).pathname);
      expect(shown.json.version).toMatchObject({ id: version.id, version: version.version });
      expect(shown.json.version.links[0]!.href).toBe(href);
      expect(shown.json.version['media-types'][0]?.base).toBe('application/json');
      expect(shown.headers['x-openstack-request-id']).toMatch(/^req-/);
    }
  });

  it('shows v2.1 without the slash as well', async () => {
    await start();
    expect((await get('/v2.1')).json).toEqual((await get('/v2.1/')).json);
  });

  it.each(['/servers', '/v3/servers'])('offers 300 choices for %s', async (url) => {
    await start();
    const answer = await get(url);
    expect(answer.code).toBe(300);
    expect(answer.json.choices.map(({ id }: { id: string }) => id)).toEqual(['v2.0', 'v2.1']);
    expect(answer.json.choices[1]!.links[0]!.href).toBe(`http://nova.example:8774/v2.1${url}`);
  });

  const xForwarded = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'api.example',
    'x-forwarded-prefix': '/compute',
  };
  it.each<[string, Partial<NovaApiConfig>, Record<string, string>, string]>([
    ['believes X-Forwarded-* when told to', TRUSTING, xForwarded, 'https://api.example/compute/v2.1/'],
    ['ignores X-Forwarded-* else', {}, xForwarded, 'http://nova.example:8774/v2.1/'],
    ['ignores Forwarded else', {}, { forwarded: 'proto=https;host=x' }, 'http://nova.example:8774/v2.1/'],
    [
      'prefers the prefix of the configuration',
      { ...TRUSTING, computeLinkPrefix: 'https://x/nova/' },
      xForwarded,
      'https://x/nova/v2.1/',
    ],
    [
      'believes the first proxy',
      TRUSTING,
      { 'x-forwarded-proto': 'https, http', 'x-forwarded-host': 'api.example, inner' },
      'https://api.example/v2.1/',
    ],
    [
      'believes Forwarded before X-Forwarded-*, and the prefix beside it',
      TRUSTING,
      { ...xForwarded, forwarded: 'for=192.0.2.1;Proto=HTTPS;host="nova.example:8443", proto=http;host=inner' },
      'https://nova.example:8443/compute/v2.1/',
    ],
    ['takes an IPv6 host', TRUSTING, { 'x-forwarded-host': '[2001:db8::1]:443' }, 'http://[2001:db8::1]:443/v2.1/'],
    [
      'does not take what is no scheme, host or path',
      TRUSTING,
      { 'x-forwarded-proto': 'javascript', 'x-forwarded-host': 'a"b', 'x-forwarded-prefix': '/<x>' },
      'http://nova.example:8774/v2.1/',
    ],
    ['does not fall over an odd Forwarded', TRUSTING, { forwarded: ';;=,' }, 'http://nova.example:8774/v2.1/'],
  ])('%s', async (_, config, headers, href) => {
    await start(config);
    expect((await get('/v2.1/', headers)).json.version.links[0]!.href).toBe(href);
    for (const { links } of (await get('/', headers)).json.versions)
      expect(links[0]!.href).toContain(href.slice(0, -5));
  });

  it('links resources, pages and places by the same name, with and without a project in the path', async () => {
    await start(TRUSTING);
    const ask = (method: 'GET' | 'POST', url: string, body?: object) =>
      api.ask(method, url, { headers: xForwarded, version: '2.40', ...(body === undefined ? {} : { body }) });
    const server = { name: 'vm', flavorRef: '1', imageRef: IMAGE, networks: 'none' };
    const made = await ask('POST', `/v2.1/${PROJECT}/servers`, { server });
    const base = 'https://api.example/compute';
    expect(made.headers['location']).toBe(`${base}/v2.1/${PROJECT}/servers/${made.json.server.id}`);
    const { servers, servers_links } = (await ask('GET', '/v2.1/servers/detail?limit=1')).json;
    expect(servers_links?.[0]?.href).toMatch(`${base}/v2.1/servers/detail?limit=1&marker=`);
    expect(servers[0]?.links.map(({ href }) => href)).toEqual([
      `${base}/v2.1/servers/${made.json.server.id}`,
      `${base}/servers/${made.json.server.id}`,
    ]);
    expect(JSON.stringify(servers[0]?.['image'])).toContain(`${base}/images/${IMAGE}`);
  });

  it('tells who has no token where the service is, by the same name', async () => {
    await start(TRUSTING);
    const answer = await api.ask('GET', '/v2.1/servers', { as: null, headers: xForwarded });
    expect(answer.headers['x-server-management-url']).toBe('https://api.example/compute/v2.1/admin');
  });
});
