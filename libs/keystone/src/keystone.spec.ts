import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ErrorCode, type Log, millis, minutes, seconds } from '@novella/core';
import {
  answer,
  answerAndHangUp,
  cutBody,
  hangUp,
  notHttp,
  type ScriptedPeer,
  silence,
  startScriptedPeer,
  type Step,
  trickle,
  type VirtualClock,
  virtualClock,
} from '@novella/testing';
import { createKeystone, type Keystone, type KeystoneOptions, type TokenChecker } from './keystone.js';

const START = new Date('2026-01-01T00:00:00Z');
const PROJECT = 'd'.repeat(32);
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const SERVERS = { method: 'GET', path: '/v2.1/servers' };

const after = (lifetimeS: number) => new Date(START.getTime() + lifetimeS * 1000).toISOString().replace('Z', '000Z');
const tokenBody = (changes: object = {}, lifetimeS = 3600) => ({
  token: {
    methods: ['password'],
    user: { id: 'alice-id', name: 'alice', domain: { id: 'default', name: 'Default' } },
    project: { id: PROJECT, name: 'demo', domain: { id: 'demo-domain', name: 'Demo' } },
    roles: [{ id: '1', name: 'Member' }],
    issued_at: after(0),
    expires_at: after(lifetimeS),
    catalog: [{ type: 'compute', endpoints: [] }],
    ...changes,
  },
});
const CATALOG = [
  {
    type: 'volumev3',
    name: 'cinderv3',
    endpoints: [
      { interface: 'internal', region: 'RegionOne', region_id: 'RegionOne', url: `http://cinder/v3/${PROJECT}` },
      { interface: 'internal', region: 'RegionOne', region_id: 'RegionOne', url: null },
    ],
  },
];
const issued = (id: string, lifetimeS = 3600): Step =>
  answer(201, tokenBody({ catalog: CATALOG }, lifetimeS), { 'X-Subject-Token': id });
const valid = (changes: object = {}, lifetimeS = 3600) => answer(200, tokenBody(changes, lifetimeS));
const NO_SUCH_TOKEN = answer(404, { error: { code: 404, title: 'Not Found', message: 'Could not find token.' } });
const REFUSED = answer(401, { error: { code: 401, title: 'Unauthorized', message: 'No.' } });

let peer: ScriptedPeer;
let clock: VirtualClock;
let keystone: Keystone;
const open = (options: Partial<KeystoneOptions> = {}) =>
  createKeystone({
    authUrl: peer.endpoint,
    credentials: {
      kind: 'password',
      username: 'nova',
      userDomain: 'Default',
      password: 'hunter2',
      project: 'service',
      projectDomain: 'Default',
    },
    endpoints: { interfaces: ['internal', 'public'], region: null },
    clock,
    log: quiet,
    ...options,
  });
const checkerOf = (of: Keystone, serviceTokenRolesRequired = true) =>
  of.tokenChecker({
    serviceType: 'compute',
    serviceTokenRoles: ['service'],
    serviceTokenRolesRequired,
    tokenCacheTime: minutes(5),
  });

let checker: TokenChecker;
beforeEach(async () => {
  peer = await startScriptedPeer();
  clock = virtualClock(START);
  keystone = open();
  checker = checkerOf(keystone);
});
afterEach(async () => {
  await keystone.close();
  await peer.close();
});

const check = (userToken?: string, serviceToken?: string, asked = SERVERS) =>
  checker.check({ userToken, serviceToken, ...asked });
const asked = () => peer.requests.map(({ method, path }) => `${method} ${path}`);
const ISSUE = 'POST /v3/auth/tokens';
const VALIDATE = 'GET /v3/auth/tokens';

describe('our own token', () => {
  it('is asked for with user and password, in a project', async () => {
    peer.script(issued('own-1'));
    expect(await keystone.ownToken()).toMatchObject({ id: 'own-1', projectId: PROJECT });
    expect(asked()).toEqual([ISSUE]);
    expect(JSON.parse(peer.requests[0]?.body ?? '')).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'nova', domain: { name: 'Default' }, password: 'hunter2' } },
        },
        scope: { project: { name: 'service', domain: { name: 'Default' } } },
      },
    });
  });

  it('is asked for with an application credential, which has its project by itself', async () => {
    keystone = open({ credentials: { kind: 'application-credential', id: 'id-1', secret: 'hunter2' } });
    peer.script(issued('own-1'));
    await keystone.ownToken();
    expect(JSON.parse(peer.requests[0]?.body ?? '')).toEqual({
      auth: {
        identity: { methods: ['application_credential'], application_credential: { id: 'id-1', secret: 'hunter2' } },
      },
    });
  });

  it.each(['/identity', '/identity/', '/identity/v3', '/identity/v3/'])('is asked for below %s', async (path) => {
    keystone = open({ authUrl: new URL(path, peer.endpoint).href });
    peer.script(issued('own-1'));
    await keystone.ownToken();
    expect(asked()).toEqual(['POST /identity/v3/auth/tokens']);
  });

  it('is one for all who ask at the same time', async () => {
    peer.script(issued('own-1'));
    const tokens = await Promise.all(Array.from({ length: 50 }, () => keystone.ownToken()));
    expect(new Set(tokens.map(({ id }) => id))).toEqual(new Set(['own-1']));
    expect(asked()).toEqual([ISSUE]);
  });

  it('is renewed before it expires, and serves until the new one is there', async () => {
    peer.script(issued('own-1'), issued('own-2'));
    await keystone.ownToken();
    await clock.advance(seconds(3600 - 121));
    expect((await keystone.ownToken()).id).toBe('own-1');
    expect(asked()).toEqual([ISSUE]);
    await clock.advance(seconds(1));
    expect((await keystone.ownToken()).id).toBe('own-1');
    await until(() => peer.requests.length === 2);
    await until(async () => (await keystone.ownToken()).id === 'own-2');
    expect(asked()).toEqual([ISSUE, ISSUE]);
  });

  it('serves on when it cannot be renewed yet, and Keystone is asked again after a pause', async () => {
    peer.script(issued('own-1', 1000), hangUp, hangUp, issued('own-2', 1000));
    await keystone.ownToken();
    await clock.advance(seconds(900));
    expect((await keystone.ownToken()).id).toBe('own-1');
    await until(() => peer.requests.length === 3);
    for (let more = 0; more < 10; more += 1) expect((await keystone.ownToken()).id).toBe('own-1');
    expect(peer.requests).toHaveLength(3);
    await clock.advance(seconds(5));
    await keystone.ownToken();
    await until(async () => (await keystone.ownToken()).id === 'own-2');
  });

  it('is another when it has expired, however Keystone’s clock is set', async () => {
    peer.script(issued('own-1', 10), issued('own-2', 10));
    clock = virtualClock(new Date('2031-01-01T00:00:00Z'));
    keystone = open();
    expect((await keystone.ownToken()).id).toBe('own-1');
    await clock.advance(seconds(7));
    expect((await keystone.ownToken()).id).toBe('own-1');
    await clock.advance(seconds(3));
    expect((await keystone.ownToken()).id).toBe('own-2');
  });

  it('is renewed once when two services refuse it', async () => {
    peer.script(issued('own-1'), issued('own-2'));
    const { id: refused } = await keystone.ownToken();
    const [one, two] = await Promise.all([keystone.renewedToken(refused), keystone.renewedToken(refused)]);
    expect([one.id, two.id, (await keystone.renewedToken(refused)).id]).toEqual(['own-2', 'own-2', 'own-2']);
    expect(asked()).toEqual([ISSUE, ISSUE]);
  });

  it.each<[string, Step, ErrorCode]>([
    ['wrong credentials', REFUSED, 'keystone-refused'],
    ['a user without the project', answer(403, { error: { message: 'No.' } }), 'keystone-refused'],
    ['no token in the answer', answer(201, tokenBody()), 'keystone-answer-invalid'],
    [
      'a token without a project',
      answer(201, tokenBody({ project: undefined }), { 'X-Subject-Token': 'x' }),
      'keystone-answer-invalid',
    ],
    ['something else', answer(200, '<html>', { 'content-type': 'text/html' }), 'keystone-answer-invalid'],
    ['a redirect', answer(302, '', { location: '/elsewhere' }), 'keystone-answer-invalid'],
    ['several versions', answer(300, { versions: { values: [] } }), 'keystone-answer-invalid'],
    ['no HTTP', notHttp, 'keystone-answer-invalid'],
    ['a failure', answer(500, { error: { message: 'No.' } }), 'keystone-unreachable'],
    ['too many requests', answer(429, 'slow down'), 'keystone-unreachable'],
    ['half an answer', cutBody, 'keystone-unreachable'],
  ])('is not there with %s: %s', async (_, step, code) => {
    peer.script(step, step);
    const failed = keystone.ownToken();
    await expect(failed).rejects.toMatchObject({ code });
    const thrown = (await failed.catch((error: unknown) => error)) as Error;
    expect(JSON.stringify([thrown.message, thrown])).not.toContain('hunter2');
  });

  it.each([
    ['nothing', silence],
    ['a byte now and then', trickle],
  ])('is waited for only so long when Keystone says %s', async (_, step) => {
    keystone = open({ totalTimeout: millis(200) });
    peer.script(step);
    await expect(keystone.ownToken()).rejects.toMatchObject({ code: 'keystone-unreachable' });
  });

  it('tells where other services are, without the project', async () => {
    peer.script(issued('own-1'));
    expect(await keystone.endpoint('block-storage')).toBe('http://cinder/v3');
    await expect(keystone.endpoint('image')).rejects.toMatchObject({ code: 'endpoint-not-found' });
  });
});

describe('a token', () => {
  beforeEach(() => peer.script(issued('own-1')));

  it('says who asks, in which project, with which roles', async () => {
    peer.script(valid());
    expect(await check('alice-token')).toEqual({
      user: {
        userId: 'alice-id',
        userDomainId: 'default',
        projectId: PROJECT,
        projectDomainId: 'demo-domain',
        domainId: null,
        systemScope: null,
        roles: ['Member'],
        expiresAt: START.getTime() + 3_600_000,
        restriction: null,
      },
      service: null,
    });
    const [, validation] = peer.requests;
    expect(validation).toMatchObject({
      method: 'GET',
      path: '/v3/auth/tokens',
      headers: {
        'x-auth-token': 'own-1',
        'x-subject-token': 'alice-token',
        'openstack-identity-access-rules': '1',
      },
    });
  });

  it.each([
    [
      'the system',
      { project: undefined, system: { all: true } },
      { projectId: null, systemScope: 'all', domainId: null },
    ],
    [
      'a domain',
      { project: undefined, domain: { id: 'd1', name: 'D' } },
      { projectId: null, systemScope: null, domainId: 'd1' },
    ],
    [
      'nothing',
      { project: undefined, roles: undefined, catalog: undefined },
      { projectId: null, systemScope: null, domainId: null, roles: [] },
    ],
  ])('may be for %s', async (_, changes, user) => {
    peer.script(valid(changes));
    expect(await check('token')).toMatchObject({ user });
  });

  it('is asked for once when 200 requests come with it at the same time', async () => {
    peer.script(valid());
    const answers = await Promise.all(Array.from({ length: 200 }, () => check('alice-token')));
    expect(answers.every((each) => each?.user.userId === 'alice-id')).toBe(true);
    expect(asked()).toEqual([ISSUE, VALIDATE]);
  });

  it('is not asked for again for as long as it is cached, and then is', async () => {
    peer.script(valid(), valid());
    await check('alice-token');
    await clock.advance(seconds(299));
    await check(' alice-token ');
    expect(asked()).toEqual([ISSUE, VALIDATE]);
    await clock.advance(seconds(1));
    expect(await check('alice-token')).not.toBeNull();
    expect(asked()).toEqual([ISSUE, VALIDATE, VALIDATE]);
  });

  it('that has expired is not valid, although it is cached', async () => {
    peer.script(valid({}, 100));
    expect(await check('alice-token')).not.toBeNull();
    await clock.advance(seconds(100));
    expect(await check('alice-token')).not.toBeNull();
    await clock.advance(millis(1));
    expect(await check('alice-token')).toBeNull();
    expect(asked()).toEqual([ISSUE, VALIDATE]);
  });

  it('that Keystone does not know is asked for each time, but once for those who ask together', async () => {
    peer.script(NO_SUCH_TOKEN, valid());
    expect(await Promise.all([check('young'), check('young')])).toEqual([null, null]);
    expect(await check('young')).not.toBeNull();
    expect(asked()).toEqual([ISSUE, VALIDATE, VALIDATE]);
  });

  it('is asked for with a new token of ours when Keystone refuses the old one', async () => {
    peer.script(REFUSED, issued('own-2'), valid());
    expect(await check('alice-token')).not.toBeNull();
    expect(asked()).toEqual([ISSUE, VALIDATE, ISSUE, VALIDATE]);
    expect(peer.requests.map(({ headers }) => headers['x-auth-token'])).toEqual([
      undefined,
      'own-1',
      undefined,
      'own-2',
    ]);
  });

  it.each<[string, readonly Step[], ErrorCode]>([
    ['refuses our new token too', [REFUSED, issued('own-2'), REFUSED], 'keystone-refused'],
    ['does not let us ask', [answer(403, { error: { message: 'No.' } })], 'keystone-refused'],
    ['fails', [answer(500, '')], 'keystone-unreachable'],
    ['hangs up', [hangUp, hangUp], 'keystone-unreachable'],
    ['answers about no token', [answer(200, {})], 'keystone-answer-invalid'],
    ['leaves out the user', [valid({ user: undefined })], 'keystone-answer-invalid'],
    ['answers 404 as a proxy does', [answer(404, '<html>')], 'keystone-answer-invalid'],
  ])('is neither valid nor invalid when Keystone %s', async (_, steps, code) => {
    peer.script(...steps, valid());
    await expect(check('alice-token')).rejects.toMatchObject({ code });
    expect(await check('alice-token')).not.toBeNull();
  });

  it('is asked for again when Keystone had closed the kept connection', async () => {
    peer.script(answerAndHangUp(200, tokenBody()), valid());
    await check('one');
    expect(await check('two')).not.toBeNull();
  });

  it.each([undefined, '', '  '])('that is %j is none, and Keystone is not asked', async (token) => {
    expect(await check(token)).toBeNull();
    expect(asked()).toEqual([]);
  });
});

describe('a service token', () => {
  const service = (...roles: string[]) => valid({ user: { id: 'cinder-id' }, roles: roles.map((name) => ({ name })) });
  beforeEach(() => peer.script(issued('own-1')));

  it('with the role says which service passes the request on', async () => {
    peer.script(service('service', 'admin'), valid());
    const checked = await check('alice-token', 'cinder-token');
    expect([checked?.user.userId, checked?.service?.userId, checked?.service?.roles]).toEqual([
      'alice-id',
      'cinder-id',
      ['service', 'admin'],
    ]);
  });

  it('with the role lets an expired token count, which does not count without it', async () => {
    peer.script(service('service'), valid({}, -10));
    expect(await check('expired', 'cinder-token')).not.toBeNull();
    expect(asked().at(-1)).toBe(`${VALIDATE}?allow_expired=1`);
    expect(await check('expired')).toBeNull();
    expect(asked()).toHaveLength(3);
  });

  it.each<[string, Step]>([
    ['without the role', service('member')],
    ['with the role in other letters', service('Service')],
    ['without any role', service()],
    ['that Keystone does not know', NO_SUCH_TOKEN],
    ['that has expired', valid({ roles: [{ name: 'service' }] }, -10)],
  ])('%s spoils the request', async (_, step) => {
    peer.script(step, valid());
    expect(await check('alice-token', 'bad-token')).toBeNull();
    expect(await check('alice-token')).not.toBeNull();
  });

  it('does not stand in for a user', async () => {
    peer.script(service('service'));
    expect(await check(undefined, 'cinder-token')).toBeNull();
  });

  it('without the role counts where roles are not required, but not for expired tokens', async () => {
    checker = checkerOf(keystone, false);
    peer.script(service('member'), valid(), NO_SUCH_TOKEN);
    expect((await check('alice-token', 'bob-token'))?.service?.roles).toEqual(['member']);
    expect(await check('expired', 'bob-token')).toBeNull();
    expect(asked().at(-1)).toBe(VALIDATE);
  });
});

describe('an application credential with access rules', () => {
  const restricted = (changes: object = {}) =>
    valid({
      application_credential: {
        id: 'a',
        access_rules: [{ id: 'r', service: 'compute', method: 'GET', path: '/v2.1/servers' }],
      },
      ...changes,
    });
  beforeEach(() => peer.script(issued('own-1')));

  it.each([
    ['what a rule names', SERVERS, true],
    ['another method', { ...SERVERS, method: 'POST' }, false],
    ['another path', { ...SERVERS, path: '/v2.1/flavors' }, false],
  ])('is good for %s: %j %s', async (_, request, allowed) => {
    peer.script(restricted());
    expect((await check('restricted', undefined, request)) !== null).toBe(allowed);
  });

  it('is good for nothing when its catalog does not have this service', async () => {
    peer.script(restricted({ catalog: undefined }));
    expect(await check('restricted')).toBeNull();
  });

  it('is good for nothing when it has no rule at all', async () => {
    peer.script(valid({ application_credential: { id: 'a', access_rules: [] } }));
    expect(await check('restricted')).toBeNull();
  });

  it('without rules is good for all', async () => {
    peer.script(valid({ application_credential: { id: 'a' } }));
    expect(await check('unrestricted')).not.toBeNull();
  });

  it('may be passed on by a service for whatever the service makes of the request', async () => {
    peer.script(valid({ roles: [{ name: 'service' }] }), restricted());
    expect(await check('restricted', 'cinder-token', { ...SERVERS, method: 'POST' })).not.toBeNull();
  });

  it('is not freed of its rules by a service token without the role, also where roles are not required', async () => {
    checker = checkerOf(keystone, false);
    peer.script(valid(), restricted());
    expect(await check('restricted', 'bob-token', { ...SERVERS, method: 'POST' })).toBeNull();
  });
});

it('takes no other URL than http and https', () => {
  expect(() => open({ authUrl: 'ftp://keystone/v3' })).toThrow(TypeError);
});

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}
