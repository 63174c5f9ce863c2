import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { seconds } from '@novella/core';
import { createKeystone } from '@novella/keystone';
import { novaDefaults } from '@novella/policy';
import { systemClock } from '@novella/service-kit';
import { keystoneAuthenticator } from '../../../nova-api/src/http/keystone-authenticator.js';
import type { AuthenticRequest } from '../../../nova-api/src/http/authenticator.js';
import { Judge } from '../../../nova-api/src/http/judge.js';
import type { Row } from './figures.js';

/**
 * What it costs nova-api to know who asks and what they may, in processor time: Keystone's part, and the network, are not
 * in it.
 */
export async function benchAuth(requests: number): Promise<{ rows: Row[]; endedWell: boolean }> {
  const server = createServer((request, response) => {
    request.resume();
    answer(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const keystone = createKeystone({
    authUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { kind: 'application-credential', id: 'nova', secret: 'secret' },
    endpoints: { interfaces: ['internal'], region: null },
    clock: systemClock,
    log: silent,
  });
  const checker = keystone.tokenChecker({
    serviceType: 'compute',
    serviceTokenRoles: ['service'],
    serviceTokenRolesRequired: true,
    tokenCacheTime: seconds(300),
  });
  const authenticator = keystoneAuthenticator({ checker, keystone, log: silent }, 'http://keystone/v3');
  const ask = (tokens: Pick<AuthenticRequest, 'token' | 'serviceToken'>) =>
    authenticator.authenticate({ ...REQUEST, ...tokens });
  const policy = novaDefaults({ clock: systemClock, log: silent });
  /** As a server is shown: may the caller see it, and what of it. */
  const askAndJudge = async (tokens: Parameters<typeof ask>[0]) => {
    const authenticated = await ask(tokens);
    if (authenticated.kind !== 'identified') throw new Error('the token is not believed');
    const { identity } = authenticated;
    const judge = new Judge(policy.rules(), identity);
    if (!judge.authorizes('os_compute_api:servers:show', identity)) throw new Error('the server may not be seen');
    for (const rule of SEEN_OF_A_SERVER) judge.allows(rule, identity);
  };
  type Request = (tokens: Parameters<typeof ask>[0]) => Promise<unknown>;
  const cost = async (tokens: (turn: number) => Parameters<typeof ask>[0], request: Request = ask) => {
    // Once through, so that the code is compiled and, where they can be, the tokens are cached.
    for (let turn = 0; turn < requests; turn++) await request(tokens(turn));
    const since = process.cpuUsage();
    for (let turn = 0; turn < requests; turn++) await request(tokens(turn));
    const { user, system } = process.cpuUsage(since);
    return `${((user + system) / requests).toFixed(1)} us`;
  };
  try {
    return {
      rows: [
        [
          'auth: a cached token, processor time per request',
          await cost(() => ({ token: TOKEN, serviceToken: undefined })),
        ],
        [
          'auth: one of 1,000 cached tokens',
          await cost((turn) => ({ token: `${TOKEN}${turn % 1_000}`, serviceToken: undefined })),
        ],
        [
          'auth: a cached token and a cached service token',
          await cost(() => ({ token: TOKEN, serviceToken: `${TOKEN}-of-a-service` })),
        ],
        [
          'auth: a cached token, and the rules of who is shown a server',
          await cost(() => ({ token: TOKEN, serviceToken: undefined }), askAndJudge),
        ],
      ],
      endedWell: true,
    };
  } finally {
    await keystone.close();
    server.close();
    server.closeAllConnections();
  }
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const REQUEST = {
  method: 'GET',
  path: '/v2.1/servers/detail',
  header: () => undefined,
  versionUrl: 'http://nova/v2.1',
};
const SEEN_OF_A_SERVER = [
  'os_compute_api:os-extended-server-attributes',
  'os_compute_api:servers:show:host_status',
  'os_compute_api:servers:show:host_status:unknown-only',
  'os_compute_api:os-flavor-extra-specs:index',
] as const;
/** As long as a Fernet token. */
const TOKEN = `gAAAA${'x'.repeat(178)}`;

/** A Keystone that knows every token, with a catalog of some services. */
function answer(response: ServerResponse): void {
  const now = Date.now();
  const endpoints = ['public', 'internal', 'admin'].map((each) => ({
    id: 'e',
    interface: each,
    region: 'RegionOne',
    region_id: 'RegionOne',
    url: `http://controller:8774/v2.1`,
  }));
  const types = ['compute', 'volumev3', 'image', 'network', 'identity', 'placement', 'object-store', 'orchestration'];
  const token = {
    methods: ['password'],
    user: { id: 'u'.repeat(32), name: 'alice', domain: { id: 'default', name: 'Default' } },
    project: { id: 'd'.repeat(32), name: 'demo', domain: { id: 'default', name: 'Default' } },
    roles: ['member', 'reader', 'service'].map((name) => ({ id: name, name })),
    issued_at: new Date(now).toISOString(),
    expires_at: new Date(now + 3_600_000).toISOString(),
    catalog: types.map((type) => ({ id: type, type, name: type, endpoints })),
  };
  response.writeHead(200, { 'content-type': 'application/json', 'x-subject-token': TOKEN });
  response.end(JSON.stringify({ token }));
}
