import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { seconds } from '@novella/core';
import { systemClock } from '@novella/service-kit';
import { type KeystoneProject, type KeystoneUser, PrivateKeystone } from '@novella/testing';
import { createKeystone, type Keystone } from './keystone.js';
import type { Credentials } from './own-tokens.js';

/** What only a real Keystone can tell; what is made of its answers is in keystone.spec.ts. */
const LIMIT = 120_000;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

let real: PrivateKeystone;
let project: KeystoneProject;
let nova: KeystoneUser;
const opened: Keystone[] = [];
beforeAll(async () => {
  real = await PrivateKeystone.start();
  project = await real.createProject('service');
  nova = await real.createUserIn(project, 'nova', 'service');
  await real.createService('volumev3', 'cinderv3', 'http://127.0.0.1:8776/v3/%(project_id)s');
}, LIMIT);
afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()));
  await real.stop();
});

const PASSWORD = {
  kind: 'password',
  username: 'nova',
  userDomain: 'Default',
  password: 'secret',
  project: 'service',
  projectDomain: 'Default',
} as const satisfies Credentials;

function open(credentials: Credentials = PASSWORD): Keystone {
  const endpoints = { interfaces: ['internal'], region: real.region };
  const keystone = createKeystone({ authUrl: real.url, credentials, endpoints, clock: systemClock, log: quiet });
  opened.push(keystone);
  return keystone;
}
const check = (keystone: Keystone, userToken: string) =>
  keystone
    .tokenChecker({
      serviceType: 'compute',
      serviceTokenRoles: ['service'],
      serviceTokenRolesRequired: true,
      tokenCacheTime: seconds(300),
    })
    .check({ userToken, serviceToken: undefined, method: 'GET', path: '/' });

describe('a service at a real Keystone', () => {
  it('has a token of its project by its password, and knows from it where Cinder is', async () => {
    const keystone = open();
    expect((await keystone.ownToken()).projectId).toBe(project.id);
    expect(await keystone.endpoint('block-storage')).toBe('http://127.0.0.1:8776/v3');
    await expect(keystone.endpoint('image')).rejects.toMatchObject({ code: 'endpoint-not-found' });
  });

  it('has one by an application credential, which lets it check tokens as well', async () => {
    const { id, secret } = await real.createApplicationCredential(nova, project, 'of the service');
    const keystone = open({ kind: 'application-credential', id, secret });
    expect((await keystone.ownToken()).projectId).toBe(project.id);
    expect((await check(keystone, await real.token(nova, { project })))?.user.userId).toBe(nova.id);
  });

  it('goes on with another when its own was revoked', async () => {
    const keystone = open();
    const { id } = await keystone.ownToken();
    await real.revoke(id);
    expect((await check(keystone, await real.token(nova, { project })))?.user.userId).toBe(nova.id);
    expect((await keystone.ownToken()).id).not.toBe(id);
  });

  it.each<[string, Credentials]>([
    ['a wrong password', { ...PASSWORD, password: 'wrong' }],
    ['an unknown user', { ...PASSWORD, username: 'nobody' }],
    ['an unknown domain', { ...PASSWORD, userDomain: 'nowhere' }],
    ['a project that it has no role on', { ...PASSWORD, project: 'admin' }],
    ['an unknown application credential', { kind: 'application-credential', id: 'none', secret: 'secret' }],
  ])('is refused with %s', async (_, credentials) => {
    await expect(open(credentials).ownToken()).rejects.toMatchObject({ code: 'keystone-refused' });
  });

  it('without the role to check tokens is refused that', async () => {
    await real.createUserIn(project, 'powerless', 'reader');
    const keystone = open({ ...PASSWORD, username: 'powerless' });
    const checked = check(keystone, await real.token(nova, { project }));
    await expect(checked).rejects.toMatchObject({ code: 'keystone-refused' });
  });
});
