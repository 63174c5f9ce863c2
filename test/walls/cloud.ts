import { type HostName, type ProjectId, seconds, type ServerId, type VolumeId } from '@novella/core';
import { EVERY_PROJECT } from '@novella/persistence';
import { SSH_KEYS } from '../../apps/nova-api/src/testing/public-keys.js';
import {
  activeServer,
  built,
  FLAVOR,
  HOST,
  IMAGE,
  newServer,
  reported,
  startNovaApi,
  type TestApi,
} from '../../apps/nova-api/src/testing/start-nova-api.js';
import { byName, type Caller, named, OWN, OWNER, userIdOf } from './callers.js';
import { routesWhile } from './routes.js';
import type { Row, Things } from './table.js';

/** What nobody outside of the project ever reads. */
export const SECRETS = {
  server: 'the-owners-server',
  keyPair: 'the-owners-key',
  flavor: 'only-for-the-project',
} as const;

/** nova-api on the memory store, with one project that has something of everything. */
export class Cloud {
  #count = 0;

  private constructor(
    readonly api: TestApi,
    readonly routes: readonly string[],
    private readonly shared: Things,
  ) {}

  static async start(): Promise<Cloud> {
    const { started: api, routes } = await routesWhile(() => startNovaApi({}, undefined, { authenticator: byName }));
    await api.store.createFlavor({ ...FLAVOR, id: 'no-disk', name: 'no disk', rootGib: 0 });
    await api.store.createFlavor({
      ...FLAVOR,
      id: SECRETS.flavor,
      name: SECRETS.flavor,
      isPublic: false,
    });
    await api.store.updateFlavor(SECRETS.flavor, { addProject: OWN });
    const server = await built(api, await serverNamed(api, SECRETS.server));
    api.hosts.consoles.set(server, 'login:');
    const volume = await attachedVolume(api, server, volumeId(0));
    const [action] = await api.store.instanceActions(server);
    const service = await reported(api);
    const cloud = new Cloud(api, routes, {
      server,
      volume,
      freeVolume: volume,
      action: action?.requestId ?? '',
      flavor: FLAVOR.id,
      privateFlavor: SECRETS.flavor,
      service: service.id,
      keyPair: SECRETS.keyPair,
      publicKey: SSH_KEYS.ed25519.key,
    });
    await cloud.makeKeyPair(OWNER, SECRETS.keyPair);
    return cloud;
  }

  /** What one request of this row is about. */
  async thingsFor({ anew }: Row, caller: Caller): Promise<Things> {
    const { api, shared } = this;
    const number = (this.#count += 1);
    // Its report grows old as the test's clock goes on.
    await reported(api);
    switch (anew) {
      case undefined:
        return shared;
      case 'attached': {
        const server = await activeServer(api, OWNER);
        return { ...shared, server, volume: await attachedVolume(api, server, volumeId(number)) };
      }
      case 'volume':
        return { ...shared, freeVolume: api.cinder.add(volumeId(number)) };
      case 'flavor': {
        const id = `flavor-${number}`;
        await api.store.createFlavor({ ...FLAVOR, id, name: id, isPublic: false });
        return { ...shared, flavor: id };
      }
      case 'service': {
        const service = await reported(api, { host: `empty-${number}` as HostName });
        return { ...shared, service: service.id };
      }
      case 'key pair':
        return { ...shared, keyPair: await this.makeKeyPair(caller.name, `key-${number}`) };
      default:
        return { ...shared, server: await built(api, await newServer(api, OWNER), anew) };
    }
  }

  /** All that requests may change, as text. */
  async digest(): Promise<string> {
    const { store, cinder } = this.api;
    const servers = await store.instances({ projectId: EVERY_PROJECT, limit: 10_000, marker: null });
    const shared = this.shared.server as ServerId;
    return JSON.stringify([
      servers,
      await store.operations({ open: true, limit: 10_000 }),
      await store.flavors(),
      (await store.services('nova-compute')).map(({ lastReportAt: _, up: _up, ...service }) => service),
      await store.instanceActions(shared),
      await store.keyPairs(userIdOf({ name: OWNER }), { limit: 1000, marker: null }),
      [...cinder.volumes, ...cinder.attachments],
    ]);
  }

  private async makeKeyPair(as: string, name: string): Promise<string> {
    const userId = userIdOf({ name: as });
    const publicKey = SSH_KEYS.ed25519.key;
    await this.api.store.createKeyPair({ userId, name, type: 'ssh', publicKey, fingerprint: 'aa:bb' }, 100);
    return name;
  }
}

/** The route with its parameters filled in, and the row's query. */
export function urlOf({ route, query = '' }: Pick<Row, 'route' | 'query'>, things: Things): string {
  const [, path = ''] = route.split(' ');
  const id = path.startsWith('/v2.1/servers')
    ? things.server
    : path.startsWith('/v2.1/flavors')
      ? things.flavor
      : things.service;
  const parameters: Readonly<Record<string, string>> = {
    id,
    serverId: things.server,
    volumeId: things.volume,
    requestId: things.action,
    key: 'hw:cpu_policy',
    tag: 'a-tag',
    name: things.keyPair,
    projectId: OWN,
    alias: 'os-consoles',
    pattern: HOST,
  };
  const filled = path.replaceAll(/:(\w+)/g, (_, name: string) => {
    const value = parameters[name];
    if (value === undefined) throw new Error(`${route}: cloud.ts does not know what ${name} is`);
    return encodeURIComponent(value);
  });
  return `${filled}${query}`;
}

export const request = (row: Row, things: Things) => ({
  method: row.route.split(' ', 1)[0] as 'GET' | 'POST' | 'PUT' | 'DELETE',
  url: urlOf(row, things),
  options: { version: row.version ?? '2.79', ...(row.body === undefined ? {} : { body: row.body(things) }) },
});

async function serverNamed(api: TestApi, name: string): Promise<ServerId> {
  const body = { server: { name, flavorRef: FLAVOR.id, imageRef: IMAGE, networks: 'none' } };
  return (await api.ask('POST', '/v2.1/servers', { as: OWNER, version: '2.51', body })).json.server.id;
}

export const volumeId = (number: number): string => `99999999-8888-4777-8666-${String(number).padStart(12, '0')}`;

/** As Cinder has it: the project's tokens and administrators'. */
export const ownedBy = (api: TestApi, volume: VolumeId, project: ProjectId): void =>
  void api.cinder.readers.set(
    volume,
    (user) => user.projectId === project || named(user.token).roles.includes('admin'),
  );

/** A volume of the server's project, attached as a conductor would have it. */
async function attachedVolume(api: TestApi, server: ServerId, id: string): Promise<VolumeId> {
  const volume = api.cinder.add(id);
  ownedBy(api, volume, OWN);
  const body = { volumeAttachment: { volumeId: id } };
  await api.ask('POST', `/v2.1/servers/${server}/os-volume_attachments`, { as: OWNER, version: '2.60', body });
  const [attach] = (await api.store.operations({ serverId: server, open: true, limit: 10 })).filter(
    ({ kind }) => kind === 'attach',
  );
  const claimed = attach === undefined ? null : await api.store.claimOne(attach.id, 'test', seconds(60));
  if (claimed === null) throw new Error('the volume is not being attached');
  const sent = await api.store.dispatch(claimed, { host: HOST, step: null, generation: 1, deadlineIn: seconds(60) });
  if (sent === null || sent === 'excluded') throw new Error('the attach cannot be dispatched');
  const [mapping] = (await api.store.blockDeviceMappings([server])).get(server) ?? [];
  if (mapping === undefined) throw new Error('there is no mapping');
  await api.store.end(sent, { result: 'succeeded', changes: { mappings: [{ id: mapping.id, attached: true }] } });
  api.cinder.add(id, { status: 'in-use' });
  return volume;
}

/** What nobody outside of the project may read anywhere. */
export const secretsOf = ({ api }: Cloud, { server, volume, action }: Things): readonly string[] => [
  ...Object.values(SECRETS),
  server,
  volume,
  action,
  OWN,
  userIdOf({ name: OWNER }),
  ...[...api.cinder.attachments.keys()],
];
