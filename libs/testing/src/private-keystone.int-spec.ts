import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PrivateKeystone } from './private-keystone.js';
import type { KeystoneProject, KeystoneUser, TokenScope } from './keystone-cloud.js';
import { waitUntil } from './wait-until.js';

const START_LIMIT_MS = 120_000;
const CHECKOUT = join(import.meta.dirname, '..', '..', '..');

interface Said {
  readonly token: {
    readonly user: { readonly name: string };
    readonly roles?: readonly { readonly name: string }[];
    readonly project?: { readonly id: string };
    readonly domain?: { readonly id: string };
    readonly system?: unknown;
    readonly catalog?: readonly { readonly type: string; readonly endpoints: readonly { readonly url: string }[] }[];
    readonly application_credential?: { readonly access_rules?: readonly object[] };
  };
}

let keystone: PrivateKeystone;
let project: KeystoneProject;
let user: KeystoneUser;
beforeAll(async () => {
  keystone = await PrivateKeystone.start();
  project = await keystone.createProject('demo');
  user = await keystone.createUserIn(project, 'alice', 'member');
}, START_LIMIT_MS);
afterAll(async () => {
  await keystone.stop();
});

const said = async (token: string): Promise<Said['token']> => {
  const headers = { 'X-Subject-Token': token, 'OpenStack-Identity-Access-Rules': '1' };
  return ((await keystone.call('GET', '/auth/tokens', undefined, headers)) as Said).token;
};
// Keystone names a role twice in a system token when it is implied in two ways.
const rolesOf = ({ roles = [] }: Said['token']) => [...new Set(roles.map(({ name }) => name))].sort();

describe('a private Keystone', () => {
  it('gives a user a token of the project, with the roles that the granted one implies', async () => {
    const token = await said(await keystone.token(user, { project }));
    expect(token).toMatchObject({ user: { name: 'alice' }, project: { id: project.id } });
    expect(rolesOf(token)).toEqual(['member', 'reader']);
  });

  it('has an administrator of project and system, and tokens of every scope', async () => {
    const { user: admin, project: own } = await keystone.admin();
    await keystone.grant(admin, { domain: keystone.defaultDomain }, 'service', 'of-our-own');
    const tokens = await Promise.all(
      (
        [{ project: own }, { system: 'all' }, { domain: keystone.defaultDomain }, 'unscoped'] satisfies TokenScope[]
      ).map(async (scope) => said(await keystone.token(admin, scope))),
    );
    expect(tokens.map(rolesOf)).toEqual([
      ['admin', 'manager', 'member', 'reader'],
      ['admin', 'manager', 'member', 'reader'],
      ['of-our-own', 'service'],
      [],
    ]);
    expect(tokens[1]).toMatchObject({ system: { all: true } });
    expect(tokens[2]).toMatchObject({ domain: { id: 'default' } });
  });

  it('tells services by the catalog of a token', async () => {
    await keystone.createService('volumev3', 'cinderv3', 'http://127.0.0.1:1/v3/%(project_id)s');
    const { catalog } = await said(await keystone.token(user, { project }));
    expect(catalog?.find(({ type }) => type === 'volumev3')?.endpoints.map(({ url }) => url)).toEqual(
      Array.from({ length: 3 }, () => `http://127.0.0.1:1/v3/${project.id}`),
    );
  });

  it('gives tokens for an application credential, with its access rules', async () => {
    const rule = { service: 'compute', method: 'GET', path: '/v2.1/servers' };
    const credential = await keystone.createApplicationCredential(user, project, 'reads', [rule]);
    expect(await said(await keystone.tokenOf(credential))).toMatchObject({
      application_credential: { access_rules: [rule] },
    });
  });

  it('knows a revoked token no more, nor a wrong password', async () => {
    const token = await keystone.token(user, { project });
    await keystone.revoke(token);
    await expect(said(token)).rejects.toThrow('404');
    await expect(keystone.token({ ...user, password: 'wrong' }, { project })).rejects.toThrow('401');
  });

  it(
    'is back on its port with all that is in it after it was killed',
    async () => {
      const token = await keystone.token(user, { project });
      await keystone.kill();
      await expect(said(token)).rejects.toThrow('fetch failed');
      await keystone.resume();
      await keystone.resume();
      expect((await said(token)).user.name).toBe('alice');
    },
    START_LIMIT_MS,
  );

  it(
    'ends, and its folder goes, when the process that started it is killed',
    async () => {
      const program = `
        const { PrivateKeystone } = await import('${join(CHECKOUT, 'libs/testing/src/private-keystone.ts')}');
        const keystone = await PrivateKeystone.start();
        console.log(keystone.url, keystone.folder);
        setInterval(() => undefined, 60_000);`;
      const sources = join(CHECKOUT, 'test/bad-input/typescript.mjs');
      const args = ['--import', sources, '--input-type=module', '--eval', program];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: CHECKOUT });
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      const [url = '', folder = ''] = line.split(' ');
      expect((await fetch(url)).ok).toBe(true);
      child.kill('SIGKILL');
      await waitUntil(
        async () =>
          !existsSync(folder) &&
          (await fetch(url).then(
            () => false,
            () => true,
          )),
      );
    },
    START_LIMIT_MS,
  );
});
