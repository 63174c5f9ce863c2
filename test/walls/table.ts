import type { VmState } from '@novella/core';

/**
 * What Nova lets whom do, written down by hand from nova:nova/policies/ and its controllers, not read from our rules.
 * A route, or an action of a server, that is not here makes the test red: a new one is one line.
 */
export type Who =
  /** Of the project that has the thing, with this role. */
  | 'reader'
  | 'member'
  /** Anybody with a token of a project, or with one of nothing. */
  | 'anybody'
  | 'admin'
  | 'service'
  /** No rule is asked: any token. */
  | 'any token';

export type Of =
  /** A server of one project: another's is 404. */
  | 'server'
  /** What the caller does in their own project. */
  | 'own project'
  /** The project that the URL names; there is nothing to be found out, so another's is 403. */
  | 'named project'
  /** What has no project. */
  | 'deployment';

/** What the request is about, by what the row needs of it. */
export interface Things {
  readonly server: string;
  readonly volume: string;
  readonly freeVolume: string;
  readonly action: string;
  readonly flavor: string;
  readonly privateFlavor: string;
  readonly service: string;
  readonly keyPair: string;
  readonly publicKey: string;
}

export interface Row {
  /** As the router has it. */
  readonly route: string;
  /** What else is asked of the same route. */
  readonly asks?: string;
  readonly may: Who;
  readonly of: Of;
  /** For who may. */
  readonly ok: number;
  /** Made anew for each caller, since the request changes it; else all share what there is. */
  readonly anew?: VmState | 'attached' | 'flavor' | 'service' | 'volume' | 'key pair';
  readonly query?: string;
  readonly body?: (things: Things) => unknown;
  /** 2.79 unless given: old enough for most routes, new enough for most fields. */
  readonly version?: string;
}

const image = '11111111-2222-4333-8444-555555555555';
const vm = { name: 'vm', flavorRef: '1', imageRef: image, networks: 'none' };
const attached = ({ freeVolume: uuid }: Things) => [
  { boot_index: 0, uuid: image, source_type: 'image', destination_type: 'local' },
  { boot_index: -1, uuid, source_type: 'volume', destination_type: 'volume' },
];
const server = (fields: object = {}) => ({ server: { ...vm, ...fields } });

export const TABLE: readonly Row[] = [
  { route: 'GET /v2.1/servers', may: 'reader', of: 'own project', ok: 200 },
  { route: 'GET /v2.1/servers', asks: 'of all', query: '?all_tenants=1', may: 'admin', of: 'own project', ok: 200 },
  { route: 'GET /v2.1/servers/detail', may: 'reader', of: 'own project', ok: 200 },
  {
    route: 'GET /v2.1/servers/detail',
    asks: 'of all',
    query: '?all_tenants=1',
    may: 'admin',
    of: 'own project',
    ok: 200,
  },
  { route: 'GET /v2.1/servers/:id', may: 'reader', of: 'server', ok: 200 },
  { route: 'POST /v2.1/servers', may: 'member', of: 'own project', ok: 202, body: () => server() },
  {
    route: 'POST /v2.1/servers',
    asks: 'with a volume',
    may: 'member',
    of: 'own project',
    ok: 202,
    anew: 'volume',
    body: (things) => server({ block_device_mapping_v2: attached(things) }),
  },
  // What only some may ask for and nobody gets: 400 comes after the rule.
  {
    route: 'POST /v2.1/servers',
    asks: 'on a host',
    may: 'admin',
    of: 'own project',
    ok: 400,
    body: () => server({ availability_zone: 'nova:host-1' }),
  },
  {
    route: 'POST /v2.1/servers',
    asks: 'to a host',
    may: 'admin',
    of: 'own project',
    ok: 400,
    body: () => server({ host: 'host-1' }),
  },
  {
    route: 'POST /v2.1/servers',
    asks: 'with trusted certificates',
    may: 'member',
    of: 'own project',
    ok: 400,
    body: () => server({ trusted_image_certificates: ['c'] }),
  },
  {
    route: 'POST /v2.1/servers',
    asks: 'without a disk',
    may: 'admin',
    of: 'own project',
    ok: 202,
    body: () => server({ flavorRef: 'no-disk' }),
  },
  {
    route: 'PUT /v2.1/servers/:id',
    may: 'member',
    of: 'server',
    ok: 200,
    anew: 'active',
    body: () => ({ server: { name: 'renamed' } }),
  },
  { route: 'DELETE /v2.1/servers/:id', may: 'member', of: 'server', ok: 204, anew: 'active' },

  { route: 'GET /v2.1/servers/:serverId/metadata', may: 'reader', of: 'server', ok: 200 },
  // There is no such item, nor such a tag: 404 comes after the rule.
  { route: 'GET /v2.1/servers/:serverId/metadata/:key', may: 'reader', of: 'server', ok: 404 },
  { route: 'DELETE /v2.1/servers/:serverId/metadata/:key', may: 'member', of: 'server', ok: 404 },
  {
    route: 'POST /v2.1/servers/:serverId/metadata',
    may: 'member',
    of: 'server',
    ok: 200,
    anew: 'active',
    body: () => ({ metadata: { a: 'b' } }),
  },
  {
    route: 'PUT /v2.1/servers/:serverId/metadata',
    may: 'member',
    of: 'server',
    ok: 200,
    anew: 'active',
    body: () => ({ metadata: { a: 'b' } }),
  },
  {
    route: 'PUT /v2.1/servers/:serverId/metadata/:key',
    may: 'member',
    of: 'server',
    ok: 200,
    anew: 'active',
    body: () => ({ meta: { 'hw:cpu_policy': 'b' } }),
  },
  { route: 'GET /v2.1/servers/:serverId/tags', may: 'reader', of: 'server', ok: 200 },
  { route: 'GET /v2.1/servers/:serverId/tags/:tag', may: 'reader', of: 'server', ok: 404 },
  { route: 'DELETE /v2.1/servers/:serverId/tags/:tag', may: 'member', of: 'server', ok: 404 },
  { route: 'DELETE /v2.1/servers/:serverId/tags', may: 'member', of: 'server', ok: 204, anew: 'active' },
  { route: 'PUT /v2.1/servers/:serverId/tags/:tag', may: 'member', of: 'server', ok: 201, anew: 'active' },
  {
    route: 'PUT /v2.1/servers/:serverId/tags',
    may: 'member',
    of: 'server',
    ok: 200,
    anew: 'active',
    body: () => ({ tags: ['a'] }),
  },

  action('os-start', 202, 'stopped'),
  action('os-stop', 202, 'active'),
  action('reboot', 202, 'active', { type: 'SOFT' }),
  action('pause', 202, 'active'),
  action('unpause', 202, 'paused'),
  action('suspend', 202, 'active'),
  action('resume', 202, 'suspended'),
  action('lock', 202, 'active'),
  action('unlock', 202, 'active'),
  action('os-getConsoleOutput', 200, undefined, {}),

  { route: 'GET /v2.1/servers/:serverId/os-volume_attachments', may: 'reader', of: 'server', ok: 200 },
  { route: 'GET /v2.1/servers/:serverId/os-volume_attachments/:volumeId', may: 'reader', of: 'server', ok: 200 },
  {
    route: 'POST /v2.1/servers/:serverId/os-volume_attachments',
    may: 'member',
    of: 'server',
    ok: 200,
    anew: 'volume',
    body: ({ freeVolume: volumeId }) => ({ volumeAttachment: { volumeId } }),
  },
  {
    route: 'PUT /v2.1/servers/:serverId/os-volume_attachments/:volumeId',
    may: 'member',
    of: 'server',
    ok: 202,
    anew: 'attached',
    version: '2.85',
    body: ({ volume: volumeId }) => ({ volumeAttachment: { volumeId, delete_on_termination: true } }),
  },
  {
    route: 'DELETE /v2.1/servers/:serverId/os-volume_attachments/:volumeId',
    may: 'member',
    of: 'server',
    ok: 202,
    anew: 'attached',
  },
  { route: 'GET /v2.1/servers/:serverId/os-instance-actions', may: 'reader', of: 'server', ok: 200 },
  { route: 'GET /v2.1/servers/:serverId/os-instance-actions/:requestId', may: 'reader', of: 'server', ok: 200 },
  {
    route: 'POST /v2.1/os-server-external-events',
    may: 'service',
    of: 'deployment',
    ok: 200,
    body: (things) => ({ events: [{ name: 'network-changed', server_uuid: things.server }] }),
  },

  { route: 'GET /v2.1/flavors', may: 'any token', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/flavors/detail', may: 'any token', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/flavors/:id', may: 'any token', of: 'deployment', ok: 200 },
  {
    route: 'POST /v2.1/flavors',
    may: 'admin',
    of: 'deployment',
    ok: 200,
    anew: 'flavor',
    body: ({ flavor }) => ({ flavor: { name: `new ${flavor}`, ram: 1, vcpus: 1, disk: 1 } }),
  },
  {
    route: 'PUT /v2.1/flavors/:id',
    may: 'admin',
    of: 'deployment',
    ok: 200,
    body: () => ({ flavor: { description: 'x' } }),
  },
  { route: 'DELETE /v2.1/flavors/:id', may: 'admin', of: 'deployment', ok: 202, anew: 'flavor' },
  { route: 'GET /v2.1/flavors/:id/os-extra_specs', may: 'reader', of: 'own project', ok: 200 },
  { route: 'GET /v2.1/flavors/:id/os-extra_specs/:key', may: 'reader', of: 'own project', ok: 200 },
  {
    route: 'POST /v2.1/flavors/:id/os-extra_specs',
    may: 'admin',
    of: 'deployment',
    ok: 200,
    body: () => ({ extra_specs: { a: 'b' } }),
  },
  {
    route: 'PUT /v2.1/flavors/:id/os-extra_specs/:key',
    may: 'admin',
    of: 'deployment',
    ok: 200,
    body: () => ({ 'hw:cpu_policy': 'shared' }),
  },
  { route: 'DELETE /v2.1/flavors/:id/os-extra_specs/:key', may: 'admin', of: 'deployment', ok: 200, anew: 'flavor' },
  { route: 'GET /v2.1/flavors/:id/os-flavor-access', may: 'admin', of: 'deployment', ok: 200, anew: 'flavor' },
  {
    route: 'POST /v2.1/flavors/:id/action',
    asks: 'to add',
    may: 'admin',
    of: 'deployment',
    ok: 200,
    anew: 'flavor',
    body: () => ({ addTenantAccess: { tenant: 'p' } }),
  },
  {
    route: 'POST /v2.1/flavors/:id/action',
    asks: 'to remove',
    may: 'admin',
    of: 'deployment',
    ok: 404,
    anew: 'flavor',
    body: () => ({ removeTenantAccess: { tenant: 'p' } }),
  },

  { route: 'GET /v2.1/os-keypairs', may: 'anybody', of: 'deployment', ok: 200 },
  {
    route: 'GET /v2.1/os-keypairs',
    asks: 'of another',
    query: '?user_id=somebody',
    may: 'admin',
    of: 'deployment',
    ok: 200,
  },
  { route: 'GET /v2.1/os-keypairs/:name', may: 'anybody', of: 'deployment', ok: 200, anew: 'key pair' },
  {
    route: 'GET /v2.1/os-keypairs/:name',
    asks: 'of another',
    query: '?user_id=somebody',
    may: 'admin',
    of: 'deployment',
    ok: 404,
  },
  {
    route: 'POST /v2.1/os-keypairs',
    may: 'anybody',
    of: 'deployment',
    ok: 201,
    body: ({ publicKey }) => ({ keypair: { name: 'k', public_key: publicKey } }),
  },
  {
    route: 'POST /v2.1/os-keypairs',
    asks: 'for another',
    may: 'admin',
    of: 'deployment',
    ok: 201,
    anew: 'key pair',
    body: ({ publicKey, keyPair }) => ({
      keypair: { name: `for ${keyPair}`, public_key: publicKey, user_id: 'somebody' },
    }),
  },
  { route: 'DELETE /v2.1/os-keypairs/:name', may: 'anybody', of: 'deployment', ok: 204, anew: 'key pair' },
  {
    route: 'DELETE /v2.1/os-keypairs/:name',
    asks: 'of another',
    query: '?user_id=somebody',
    may: 'admin',
    of: 'deployment',
    ok: 404,
  },
  { route: 'GET /v2.1/limits', may: 'anybody', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/limits', asks: 'of another', query: '?tenant_id=p', may: 'admin', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/os-quota-sets/:projectId', may: 'reader', of: 'named project', ok: 200 },
  { route: 'GET /v2.1/os-quota-sets/:projectId/detail', may: 'reader', of: 'named project', ok: 200 },
  { route: 'GET /v2.1/os-quota-sets/:projectId/defaults', may: 'anybody', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/extensions', may: 'anybody', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/extensions/:alias', may: 'anybody', of: 'deployment', ok: 200 },

  { route: 'GET /v2.1/os-services', may: 'admin', of: 'deployment', ok: 200 },
  { route: 'PUT /v2.1/os-services/:id', may: 'admin', of: 'deployment', ok: 200, body: () => ({ status: 'enabled' }) },
  {
    route: 'PUT /v2.1/os-services/:id',
    asks: 'in the older way',
    may: 'admin',
    of: 'deployment',
    // Before 2.53 the id is what to do, and this is nothing to do.
    ok: 404,
    version: '2.52',
    body: () => ({ host: 'host-1', binary: 'nova-compute' }),
  },
  { route: 'DELETE /v2.1/os-services/:id', may: 'admin', of: 'deployment', ok: 204, anew: 'service' },
  { route: 'GET /v2.1/os-hypervisors', may: 'admin', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/os-hypervisors/detail', may: 'admin', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/os-hypervisors/statistics', may: 'admin', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/os-hypervisors/:id', may: 'admin', of: 'deployment', ok: 200, query: '?with_servers=true' },
  { route: 'GET /v2.1/os-hypervisors/:id/uptime', may: 'admin', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/os-hypervisors/:pattern/search', may: 'admin', of: 'deployment', ok: 200, version: '2.52' },
  { route: 'GET /v2.1/os-hypervisors/:pattern/servers', may: 'admin', of: 'deployment', ok: 200, version: '2.52' },
  { route: 'GET /v2.1/os-availability-zone', may: 'anybody', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/os-availability-zone/detail', may: 'admin', of: 'deployment', ok: 200 },
  { route: 'GET /v2.1/os-aggregates', may: 'admin', of: 'deployment', ok: 200 },
];

/** One action of a server: `POST .../action` with its name as the body's key. All are for members. */
function action(name: string, ok: number, anew?: VmState, argument: object | null = null): Row {
  const row = { route: 'POST /v2.1/servers/:id/action', asks: name, may: 'member', of: 'server', ok } as const;
  return { ...row, ...(anew === undefined ? {} : { anew }), body: () => ({ [name]: argument }) };
}

/** Routes that need no token: discovery, health and the description of the API. */
export const OPEN: readonly string[] = [
  'GET /',
  'GET /v2',
  'GET /v2.1',
  'GET /health',
  'GET /health/live',
  'GET /health/ready',
  'GET /openapi.json',
];

/** All actions that Nova has, so that one that is served and not in the table is noticed. */
export const NOVA_ACTIONS: readonly string[] = [
  'addFixedIp',
  'addFloatingIp',
  'addSecurityGroup',
  'changePassword',
  'confirmResize',
  'createBackup',
  'createImage',
  'evacuate',
  'forceDelete',
  'injectNetworkInfo',
  'lock',
  'migrate',
  'os-getConsoleOutput',
  'os-getRDPConsole',
  'os-getSPICEConsole',
  'os-getSerialConsole',
  'os-getVNCConsole',
  'os-migrateLive',
  'os-resetState',
  'os-start',
  'os-stop',
  'pause',
  'reboot',
  'rebuild',
  'removeFixedIp',
  'removeFloatingIp',
  'removeSecurityGroup',
  'rescue',
  'resetNetwork',
  'resize',
  'restore',
  'resume',
  'revertResize',
  'shelve',
  'shelveOffload',
  'suspend',
  'trigger_crash_dump',
  'unlock',
  'unpause',
  'unrescue',
  'unshelve',
];
