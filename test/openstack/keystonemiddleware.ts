import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { seconds } from '@novella/core';
import { createKeystone } from '@novella/keystone';
import { systemClock } from '@novella/service-kit';
import type { KeystoneProject, PrivateKeystone } from '@novella/testing';
import { keystoneAuthenticator } from '../../apps/nova-api/src/http/keystone-authenticator.js';

/** A service that lets in who has a token, and answers whom it has let in. */
export interface Guarded {
  readonly url: string;
  close(): Promise<void>;
}

export interface GuardOptions {
  readonly keystone: PrivateKeystone;
  /** Where its own user `nova` acts. */
  readonly project: KeystoneProject;
  readonly serviceTokenRolesRequired: boolean;
}

const URI = 'http://identity.example/v3';

/** Guarded by OpenStack's own keystonemiddleware, from Debian's python3-keystonemiddleware. */
export async function theirs({ keystone, project, serviceTokenRolesRequired }: GuardOptions): Promise<Guarded> {
  const program = join(import.meta.dirname, 'keystonemiddleware_peer.py');
  const args = [program, keystone.url, project.id, String(serviceTokenRolesRequired)];
  const child = spawn('/usr/bin/python3', args, {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1' },
  });
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string];
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** Guarded by nova-api's own authenticator. */
export async function ours({ keystone, project, serviceTokenRolesRequired }: GuardOptions): Promise<Guarded> {
  const client = createKeystone({
    authUrl: keystone.url,
    credentials: {
      kind: 'password',
      username: 'nova',
      password: 'secret',
      userDomain: 'Default',
      project: project.name,
      projectDomain: 'Default',
    },
    endpoints: { interfaces: ['internal'], region: null },
    clock: systemClock,
    log: quiet,
  });
  const checker = client.tokenChecker({
    serviceType: 'compute',
    serviceTokenRoles: ['service'],
    serviceTokenRolesRequired,
    tokenCacheTime: seconds(300),
  });
  const authenticator = keystoneAuthenticator({ checker, keystone: client, log: quiet }, URI);
  const server = createServer((request, response) => {
    const header = (name: string) => [request.headers[name]].flat().join(', ') || undefined;
    const { method = '', url: path = '' } = request;
    const asked = { method, path, token: header('x-auth-token'), serviceToken: header('x-service-token'), header };
    void authenticator.authenticate({ ...asked, versionUrl: '' }).then((said) => {
      if (said.kind === 'answered') {
        response.writeHead(said.status, said.headers).end(said.body);
        return;
      }
      const { userId, userDomainId, projectId, projectDomainId, domainId, roles, serviceRoles } = said.identity;
      const sorted = { roles: roles.toSorted(), serviceRoles: serviceRoles.toSorted() };
      const identity = { userId, userDomainId, projectId, projectDomainId, domainId, ...sorted };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(identity));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      await client.close();
    },
  };
}

export interface Asked {
  readonly token?: string;
  readonly serviceToken?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Said {
  readonly status: number;
  readonly type: string | null;
  readonly challenge: string | null;
  readonly body: string;
}

/** What a guarded service says, as far as a client sees it. */
export async function said({ url }: Guarded, asked: Asked): Promise<Said> {
  const answer = await fetch(`${url}${asked.path ?? '/v2.1/servers'}`, {
    method: asked.method ?? 'GET',
    headers: {
      accept: 'application/json',
      ...(asked.token === undefined ? {} : { 'x-auth-token': asked.token }),
      ...(asked.serviceToken === undefined ? {} : { 'x-service-token': asked.serviceToken }),
      ...asked.headers,
    },
  });
  const text = await answer.text();
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    challenge: answer.headers.get('www-authenticate'),
    body: answer.headers.get('content-type')?.includes('json') === true ? ordered(text) : text,
  };
}

/** The same JSON, whatever the order of its keys and its blanks. */
function ordered(text: string): string {
  const byKey = (value: unknown): unknown =>
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(
          Object.entries(value)
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, item]) => [key, byKey(item)]),
        );
  return JSON.stringify(byKey(JSON.parse(text)));
}
