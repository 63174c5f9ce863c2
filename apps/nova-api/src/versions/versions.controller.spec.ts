import { afterEach, describe, expect, it } from '@jest/globals';
import type { NovaApiConfig } from '../nova-api.config.js';
import { startNovaApi, type TestApi } from '../testing/start-nova-api.js';

let api: TestApi;
afterEach(() => api.close());
const start = async (config: Partial<NovaApiConfig> = {}) => (api = await startNovaApi(config));
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

  const forwarded = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'api.example',
    'x-forwarded-prefix': '/compute',
  };
  it.each<[string, Partial<NovaApiConfig>, string]>([
    ['believes X-Forwarded-* when told to', { trustForwardedHeaders: true }, 'https://api.example/compute/v2.1/'],
    ['ignores X-Forwarded-* else', {}, 'http://nova.example:8774/v2.1/'],
    ['prefers the prefix of the configuration', { computeLinkPrefix: 'https://x/nova/' }, 'https://x/nova/v2.1/'],
  ])('%s', async (_, config, href) => {
    await start(config);
    expect((await get('/v2.1/', forwarded)).json.version.links[0]!.href).toBe(href);
  });
});
