import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NovellaError, type ProjectId, type UserId } from '@novella/core';
import type { Checked, TokensOffered, ValidatedToken } from '@novella/keystone';
import { FLAVOR, IMAGE, newServer, PROJECT, startNovaApi, type TestApi } from '../testing/start-nova-api.js';
import { ApiFault } from './fault.js';
import { keystoneAuthenticator } from './keystone-authenticator.js';

const token = (changes: Partial<ValidatedToken> = {}): ValidatedToken => ({
  userId: 'alice-id' as UserId,
  userDomainId: 'default',
  projectId: PROJECT as ProjectId,
  projectDomainId: 'default',
  domainId: null,
  systemScope: null,
  roles: ['Member', 'reader'],
  expiresAt: Number.POSITIVE_INFINITY,
  restriction: null,
  ...changes,
});
const unscoped = { projectId: null, projectDomainId: null };
const TOKENS: Readonly<Record<string, ValidatedToken>> = {
  alice: token(),
  admin: token({ userId: 'root-id' as UserId, roles: ['Admin'] }),
  unscoped: token({ ...unscoped, roles: [] }),
  'domain-admin': token({ ...unscoped, domainId: 'default', roles: ['admin', 'member', 'reader'] }),
  'system-admin': token({ ...unscoped, systemScope: 'all', roles: ['admin', 'member', 'reader'] }),
  'system-service': token({ ...unscoped, systemScope: 'all', roles: ['service'] }),
};

/** In the place of Keystone: knows TOKENS, or is away. */
class Checker {
  away: NovellaError | null = null;
  offered: TokensOffered | null = null;

  check(offered: TokensOffered): Promise<Checked | null> {
    this.offered = offered;
    if (this.away !== null) return Promise.reject(this.away);
    const user = TOKENS[offered.userToken ?? ''];
    return Promise.resolve(user === undefined ? null : { user, service: null });
  }
}

const URI = 'http://keystone.example/v3';
let api: TestApi;
let checker: Checker;
const start = (...[config, changeStore]: Parameters<typeof startNovaApi>) => {
  const told: unknown[] = [];
  const say = (message: string) => void told.push(message);
  const log = { debug: say, info: say, warn: say, error: say };
  const keystone = {
    ownToken: () =>
      checker.away === null
        ? Promise.resolve({ id: 'own', projectId: PROJECT as ProjectId, catalog: [] })
        : Promise.reject(checker.away),
  };
  return startNovaApi(config, changeStore, {
    authenticator: keystoneAuthenticator({ checker, keystone, log }, URI),
  }).then((started) => Object.assign(started, { said: told }));
};
let said: unknown[];
beforeEach(async () => {
  checker = new Checker();
  const started = await start();
  api = started;
  said = started.said;
});
afterEach(() => api.close());

const UNAUTHORIZED = {
  error: {
    code: 401,
    title: 'Unauthorized',
    message: 'The request you have made requires authentication.',
  },
};

describe('a request without a valid token', () => {
  it.each([null, 'nobody-knows-it', ''])('with %j is 401 as keystonemiddleware says it', async (as) => {
    const answer = await api.ask('GET', '/v2.1/servers', { as, version: '2.60' });
    expect([answer.code, answer.json]).toEqual([401, UNAUTHORIZED]);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'www-authenticate': `Keystone uri="${URI}"`,
    });
    expect(answer.headers['x-compute-request-id']).toMatch(/^req-/);
    expect(answer.headers).not.toHaveProperty('openstack-api-version');
  });

  it('is 401 before it is a 404, and versions are told to everybody', async () => {
    expect((await api.ask('GET', '/v2.1/nothing-here', { as: null })).code).toBe(401);
    expect((await api.ask('GET', '/v2.1/', { as: null })).code).toBe(200);
    expect((await api.ask('GET', '/health/live', { as: null })).code).toBe(200);
  });

  it('is not let in by what it says of itself', async () => {
    const headers = {
      'x-identity-status': 'Confirmed',
      'x-user-id': 'root-id',
      'x-roles': 'admin',
      'x-project-id': PROJECT,
      'x-auth-user': 'admin',
    };
    expect((await api.ask('GET', '/v2.1/os-services', { as: null, headers })).code).toBe(401);
    expect((await api.ask('GET', '/v2.1/os-services', { as: 'alice', headers })).code).toBe(403);
  });
});

it('is told where a token is to be had by every 401', async () => {
  const refusing = await start({}, (store) => ({ ...store, flavors: () => Promise.reject(new ApiFault(401, 'no')) }));
  const answer = await refusing.ask('GET', '/v2.1/flavors', { as: 'alice' });
  await refusing.close();
  expect([answer.code, answer.headers['www-authenticate']]).toEqual([401, `Keystone uri="${URI}"`]);
});

it('gives the checker both tokens, the method and the path as it was asked for', async () => {
  const headers = { 'x-storage-token': 'alice', 'x-service-token': 'of-cinder' };
  await api.ask('GET', `/v2.1/${PROJECT}/servers/detail?limit=1`, { as: null, headers });
  expect(checker.offered).toMatchObject({
    userToken: 'alice',
    serviceToken: 'of-cinder',
    method: 'GET',
    path: `/v2.1/${PROJECT}/servers/detail`,
  });
});

it('knows roles in any case', async () => {
  expect((await api.ask('GET', '/v2.1/os-services', { as: 'admin' })).code).toBe(200);
  await newServer(api, 'alice');
});

describe('while Keystone is away', () => {
  beforeEach(() => {
    checker.away = new NovellaError('keystone-unreachable', 'Keystone is away');
  });

  it.each([
    ['application/json', 'application/json', '"title":"Service Unavailable"'],
    ['text/html', 'text/html; charset=UTF-8', '<h1>503 Service Unavailable</h1>'],
    ['text/plain', 'text/plain; charset=UTF-8', '503 Service Unavailable'],
  ])('nobody is let in nor refused, and %s is answered in its form', async (accept, type, part) => {
    const answer = await api.ask('GET', '/v2.1/servers', { as: 'alice', headers: { accept } });
    expect([answer.code, answer.headers['content-type']]).toEqual([503, type]);
    expect(answer.text).toContain(part);
    expect(answer.text).toContain('The Keystone service is temporarily unavailable.');
  });

  it('the health is degraded, the log says so once, and both tell when it is over', async () => {
    for (let count = 0; count < 3; count += 1) await api.ask('GET', '/v2.1/servers', { as: 'alice' });
    const health = () => api.ask('GET', '/health', { as: null });
    expect((await health()).text).toContain('keystone-unreachable');
    expect(said).toEqual(['Keystone cannot say who asks']);
    checker.away = null;
    expect((await api.ask('GET', '/v2.1/servers', { as: 'alice' })).code).toBe(200);
    expect((await health()).text).not.toContain('keystone-unreachable');
    expect(said).toEqual(['Keystone cannot say who asks', 'Keystone says again who asks']);
  });
});

describe('a token without a project', () => {
  const server = { name: 'vm', flavorRef: FLAVOR.id, imageRef: IMAGE, networks: 'none' };
  const create = (as: string) => api.ask('POST', '/v2.1/servers', { as, version: '2.51', body: { server } });

  it.each(['unscoped', 'domain-admin', 'system-admin', 'system-service'])('%s creates no server', async (as) => {
    expect((await create(as)).code).toBe(403);
  });

  it.each(['domain-admin', 'system-admin'])(
    '%s is told of no servers: rules are for tokens of projects',
    async (as) => {
      await newServer(api, 'alice');
      for (const url of ['/v2.1/servers', '/v2.1/servers?all_tenants=1']) {
        expect((await api.ask('GET', url, { as })).code).toBe(403);
      }
    },
  );

  it('has no server, not by its id either', async () => {
    const id = await newServer(api, 'alice');
    expect((await api.ask('GET', `/v2.1/servers/${id}`, { as: 'unscoped' })).code).toBe(404);
    expect((await api.ask('GET', '/v2.1/servers', { as: 'unscoped' })).code).toBe(403);
  });

  it('fits no URL with a project', async () => {
    expect((await api.ask('GET', `/v2.1/${PROJECT}/servers`, { as: 'system-admin' })).code).toBe(400);
  });

  it('reports no events', async () => {
    const id = await newServer(api, 'alice');
    const events = [{ name: 'network-changed', server_uuid: id }];
    const answer = await api.ask('POST', '/v2.1/os-server-external-events', { as: 'system-service', body: { events } });
    expect(answer.code).toBe(403);
  });
});
