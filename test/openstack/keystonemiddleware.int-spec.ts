import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type KeystoneProject, type KeystoneUser, PrivateKeystone, waitUntil } from '@novella/testing';
import { type Asked, type Guarded, type GuardOptions, ours, said, theirs } from './keystonemiddleware.js';

/** OpenStack's own keystonemiddleware and ours before the same Keystone: whoever asks, both answer alike. */
const LIMIT = 180_000;
const RESTRICTED_TO = [
  { service: 'compute', method: 'GET', path: '/v2.1/servers/*' },
  { service: 'compute', method: 'POST', path: '/v2.1/servers/{server_id}/action' },
  { service: 'image', method: 'GET', path: '/v2.1/flavors' },
];

let keystone: PrivateKeystone;
let service: KeystoneProject;
let project: KeystoneProject;
let alice: KeystoneUser;
let cinder: KeystoneUser;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  keystone = await PrivateKeystone.start();
  service = await keystone.createProject('service');
  project = await keystone.createProject('demo');
  await keystone.createUserIn(service, 'nova', 'service', 'admin');
  cinder = await keystone.createUserIn(service, 'cinder', 'service');
  alice = await keystone.createUserIn(project, 'alice', 'member', 'Of-Our-Own');
  await keystone.grant(alice, { domain: keystone.defaultDomain }, 'reader');
  await keystone.grant(alice, { system: 'all' }, 'reader');
  const { user: admin, project: adminProject } = await keystone.admin();
  await keystone.createService('compute', 'nova', 'http://127.0.0.1:8774/v2.1');
  Object.assign(tokens, {
    member: await keystone.token(alice, { project }),
    unscoped: await keystone.token(alice, 'unscoped'),
    domain: await keystone.token(alice, { domain: keystone.defaultDomain }),
    system: await keystone.token(alice, { system: 'all' }),
    admin: await keystone.token(admin, { project: adminProject }),
    cinder: await keystone.token(cinder, { project: service }),
    revoked: await keystone.token(alice, { project }),
    garbage: 'gAAAAABnothing',
    odd: 'töken with blänks',
    blank: '   ',
    credential: await keystone.tokenOf(await keystone.createApplicationCredential(alice, project, 'all')),
    restricted: await keystone.tokenOf(
      await keystone.createApplicationCredential(alice, project, 'some', RESTRICTED_TO),
    ),
  });
  await keystone.revoke(tokens['revoked'] ?? '');
}, LIMIT);
afterAll(() => keystone.stop());

type Given = Omit<Asked, 'token' | 'serviceToken'> & { readonly as?: string; readonly by?: string };
const resolved = ({ as, by, ...rest }: Given): Asked => ({
  ...rest,
  ...(as === undefined ? {} : { token: tokens[as] ?? as }),
  ...(by === undefined ? {} : { serviceToken: tokens[by] ?? by }),
});

const USERS = ['member', 'unscoped', 'domain', 'system', 'admin', 'credential', 'revoked', 'garbage', 'odd', 'blank'];
const REQUESTS: readonly [string, Given, number][] = [
  ['nobody', {}, 401],
  ...USERS.map((as): [string, Given, number] => [as, { as }, USERS.indexOf(as) < 6 ? 200 : 401]),
  ['a token in the old header', { headers: { 'x-storage-token': 'garbage' } }, 401],
  [
    'member, who says that they are somebody else',
    {
      as: 'member',
      headers: {
        'x-user-id': 'root',
        'x-roles': 'admin',
        'x-service-roles': 'service',
        'x-identity-status': 'Confirmed',
      },
    },
    200,
  ],
  ['member, passed on by cinder', { as: 'member', by: 'cinder' }, 200],
  ['garbage, passed on by cinder', { as: 'garbage', by: 'cinder' }, 401],
  ['nobody, passed on by cinder', { by: 'cinder' }, 401],
  ['member, passed on by garbage', { as: 'member', by: 'garbage' }, 401],
  ['member, passed on by a revoked token', { as: 'member', by: 'revoked' }, 401],
  ['restricted, where it may not', { as: 'restricted' }, 401],
  ['restricted, where it may', { as: 'restricted', path: '/v2.1/servers/1' }, 200],
  ['restricted, with a query', { as: 'restricted', path: '/v2.1/servers/1?limit=1' }, 200],
  ['restricted, a part too deep', { as: 'restricted', path: '/v2.1/servers/1/2' }, 401],
  ['restricted, another method', { as: 'restricted', path: '/v2.1/servers/1', method: 'DELETE' }, 401],
  ['restricted, a rule with a name', { as: 'restricted', path: '/v2.1/servers/1/action', method: 'POST' }, 200],
  ['restricted, the rule of another service', { as: 'restricted', path: '/v2.1/flavors' }, 401],
  ['restricted, passed on by cinder', { as: 'restricted', by: 'cinder' }, 200],
];

/** Both, with what they say the same: its status. */
class Both {
  private constructor(private readonly guarded: readonly Guarded[]) {}

  static async behind(options: GuardOptions): Promise<Both> {
    return new Both(await Promise.all([theirs(options), ours(options)]));
  }

  async say(asked: Asked): Promise<number | undefined> {
    const [first, second] = await Promise.all(this.guarded.map((each) => said(each, asked)));
    expect(second).toEqual(first);
    return first?.status;
  }

  async close(): Promise<void> {
    await Promise.all(this.guarded.map((each) => each.close()));
  }
}

describe.each([false, true])('service roles required: %s', (serviceTokenRolesRequired) => {
  let both: Both;
  beforeAll(async () => {
    both = await Both.behind({ keystone, project: service, serviceTokenRolesRequired });
  }, LIMIT);
  afterAll(() => both.close());

  it.each(REQUESTS)('%s', async (_, given, status) => {
    expect(await both.say(resolved(given))).toBe(status);
    // Once more, now that both have it cached.
    expect(await both.say(resolved(given))).toBe(status);
  });

  it('a token without a service role as the service’s', async () => {
    const expected = serviceTokenRolesRequired ? 401 : 200;
    expect(await both.say(resolved({ as: 'member', by: 'admin' }))).toBe(expected);
  });

  it('a token that was revoked after it was cached, for as long as it is', async () => {
    const token = await keystone.token(alice, { project });
    expect(await both.say({ token })).toBe(200);
    await keystone.revoke(token);
    expect(await both.say({ token })).toBe(200);
  });

  describe('while Keystone is away', () => {
    let token: string;
    beforeAll(async () => {
      token = await keystone.token(alice, { project });
      await keystone.kill();
    });
    afterAll(() => keystone.resume(), LIMIT);

    it.each(['application/json', 'text/html', 'text/plain', '*/*'])('nobody is let in, in %s', async (accept) => {
      expect(await both.say({ token, headers: { accept } })).toBe(503);
    });

    it('who has no token gets the same, and who has one that is cached is let in', async () => {
      expect(await both.say({})).toBe(401);
      expect(await both.say(resolved({ as: 'member' }))).toBe(200);
    });

    it(
      'its return is noticed',
      async () => {
        await keystone.resume();
        expect(await both.say({ token })).toBe(200);
      },
      LIMIT,
    );
  });
});

describe('tokens that expire', () => {
  let shortLived: PrivateKeystone;
  let both: Both;
  let owner: KeystoneUser;
  let home: KeystoneProject;
  let passing: KeystoneUser;
  beforeAll(async () => {
    shortLived = await PrivateKeystone.start({ tokenLifetimeS: 5 });
    home = await shortLived.createProject('service');
    await shortLived.createUserIn(home, 'nova', 'service', 'admin');
    passing = await shortLived.createUserIn(home, 'cinder', 'service');
    owner = await shortLived.createUserIn(home, 'alice', 'member');
    both = await Both.behind({ keystone: shortLived, project: home, serviceTokenRolesRequired: true });
  }, LIMIT);
  afterAll(async () => {
    await both.close();
    await shortLived.stop();
  });

  it(
    'are valid until then, also when they are cached, and afterwards only if a service passes them on',
    async () => {
      const token = await shortLived.token(owner, { project: home });
      expect(await both.say({ token })).toBe(200);
      await waitUntil(async () => (await both.say({ token })) === 401, { every: 500 });
      const serviceToken = await shortLived.token(passing, { project: home });
      expect(await both.say({ token, serviceToken })).toBe(200);
      expect(await both.say({ token })).toBe(401);
    },
    LIMIT,
  );
});
