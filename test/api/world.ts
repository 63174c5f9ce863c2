import { gib, minutes, type Random, seconds, type ServerId } from '@novella/core';
import { openMemoryStore, type Operation, type RecordChanges, type Store } from '@novella/persistence';
import { seededRandom } from '@novella/testing';
import type { NovaApiConfig } from '../../apps/nova-api/src/nova-api.config.js';
import type { NovaApiPorts } from '../../apps/nova-api/src/ports.js';
import {
  activeServer,
  ADMIN,
  FLAVOR,
  HOST,
  IMAGE,
  newServer,
  PROJECT,
  reported,
  startNovaApi,
  STRANGER,
  type TestApi,
  tickingClock,
  USER,
} from '../../apps/nova-api/src/testing/start-nova-api.js';
import { SSH_KEYS } from '../../apps/nova-api/src/testing/public-keys.js';
import { type Route, routesWhile } from './routes.js';

/** nova-api on the memory store with something in each table; the same seed makes the same ids. */
export interface World {
  readonly api: TestApi;
  readonly routes: readonly Route[];
  /** What requests may name and no answer tells: what other services have. */
  readonly known: readonly Known[];
  /** All that is stored, here and at Cinder. */
  digest(): string;
  /** Carries out what was accepted, as the engine and the hosts would. */
  settle(): Promise<void>;
  close(): Promise<void>;
}
export interface Known {
  /** `volume`, `image`: what the value names. */
  readonly of: string;
  readonly value: string;
}

const SERVERS = { active: 2, building: 1 };
const VOLUMES = 6;
const volumeId = (number: number): string => `99999999-8888-4777-8666-${String(number).padStart(12, '0')}`;

type Ports = Pick<Partial<NovaApiPorts>, 'authenticator'>;

export async function openWorld(seed: number, config: Partial<NovaApiConfig> = {}, ports: Ports = {}): Promise<World> {
  const random = seededRandom(seed);
  const options = { serviceDownTime: minutes(60), clock: tickingClock(), uuid: () => random.uuid() };
  const store = openMemoryStore(options);
  const world = await openWorldOn(store, random, config, ports);
  const { volumes, attachments } = world.api.cinder;
  return { ...world, digest: () => digestOf({ ...store.rows(), volumes, attachments }) };
}

/** The same on another store. */
export async function openWorldOn(
  store: Store,
  random: Random,
  config: Partial<NovaApiConfig> = {},
  ports: Ports = {},
): Promise<Omit<World, 'digest'>> {
  const { started: api, routes } = await routesWhile(() =>
    startNovaApi(config, undefined, { store, random, ...ports }),
  );
  const settle = () => settleAll(api);
  await reported(api);
  await reported(api, { binary: 'nova-conductor', host: 'conductor-1' as typeof HOST });
  await api.store.createFlavor({ ...FLAVOR, id: '2', name: 'm1.small', memoryMib: 1024, isPublic: false });
  const volumes = Array.from({ length: VOLUMES }, (_, number) =>
    api.cinder.add(volumeId(number), { multiattach: number === 1, bootable: number === 2, size: gib(1) }),
  );
  await times(SERVERS.active, () => activeServer(api));
  for (const action of ['os-stop', 'pause', 'suspend']) {
    const server = await activeServer(api);
    await must(api.ask('POST', `/v2.1/servers/${server}/action`, { body: { [action]: null } }));
  }
  await settle();
  await activeServer(api, STRANGER);
  const first = await activeServer(api);
  await must(api.ask('POST', `/v2.1/servers/${first}/metadata`, { body: { metadata: { role: 'db' } } }));
  await must(api.ask('PUT', `/v2.1/servers/${first}/tags`, { version: '2.26', body: { tags: ['blue'] } }));
  for (const as of [USER, ADMIN]) {
    const keypair = { name: 'mine', public_key: SSH_KEYS.ed25519.key };
    await must(api.ask('POST', '/v2.1/os-keypairs', { as, body: { keypair } }));
  }
  const access = { addTenantAccess: { tenant: PROJECT } };
  await must(api.ask('POST', '/v2.1/flavors/2/action', { as: ADMIN, body: access }));
  api.hosts.consoles.set(first, 'one line\nand another');
  const [attached, other] = volumes;
  await must(api.ask('POST', `/v2.1/servers/${first}/os-volume_attachments`, attachmentOf(attached)));
  await settle();
  await must(api.ask('POST', `/v2.1/servers/${first}/os-volume_attachments`, attachmentOf(other)));
  await settle();
  await times(SERVERS.building, () => newServer(api));
  const events = [{ name: 'volume-extended', server_uuid: first, tag: attached }];
  await must(api.ask('POST', '/v2.1/os-server-external-events', { as: ADMIN, version: '2.51', body: { events } }));
  return {
    api,
    routes,
    known: [
      ...volumes.map((value) => ({ of: 'volume', value })),
      { of: 'image', value: IMAGE },
      { of: 'host', value: HOST },
    ],
    settle,
    close: () => api.close(),
  };
}

const attachmentOf = (volume: string | undefined) => ({
  version: '2.60',
  body: { volumeAttachment: { volumeId: volume } },
});

async function times<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let done = 0; done < count; done += 1) all.push(await work());
  return all;
}

async function must(asked: ReturnType<TestApi['ask']>): Promise<void> {
  const { code, text } = await asked;
  if (code >= 300) throw new Error(`the world is not made: ${code} ${text}`);
}

const digestOf = (tables: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(Object.entries(tables).map(([name, table]) => [name, isCollection(table) ? [...table] : table]));
const isCollection = (table: unknown): table is Map<unknown, unknown> | Set<unknown> =>
  table instanceof Map || table instanceof Set;

async function settleAll({ store }: TestApi): Promise<void> {
  for (const operation of await store.operations({ open: true, limit: 100 })) {
    const claimed = await store.claimOne(operation.id, 'settle', seconds(60));
    if (claimed === null) continue;
    if (claimed.kind === 'build') {
      await store.place(claimed, claimed.serverId, HOST, { vcpus: 1, memoryMib: 1, diskGib: 1 });
    }
    const sent = await store.dispatch(claimed, { host: HOST, step: null, generation: 1, deadlineIn: seconds(60) });
    if (sent === null || sent === 'excluded') continue;
    await store.end(sent, { result: 'succeeded', changes: await changesOf(sent, store) });
  }
}

async function changesOf(operation: Operation, store: Store): Promise<RecordChanges> {
  const { kind, serverId, volumeId: volume } = operation;
  const mappings = await mappingsOf(serverId, store);
  const mine = mappings.filter((mapping) => mapping.volumeId === volume);
  switch (kind) {
    case 'attach':
      return { mappings: mine.map(({ id }) => ({ id, attached: true as const })) };
    case 'detach':
      return { mappings: mine.map(({ id }) => ({ id, removed: true as const })) };
    case 'delete':
      return { instance: { deleted: true }, mappings: mappings.map(({ id }) => ({ id, removed: true as const })) };
    case 'build':
      return {
        instance: { vmState: 'active', taskState: null, powerState: 'running', launched: true },
        mappings: mappings.map(({ id }) => ({ id, attached: true as const })),
      };
    case 'stop':
      return { instance: { vmState: 'stopped', taskState: null, powerState: 'shutdown' } };
    case 'start':
    case 'reboot':
    case 'unpause':
    case 'resume':
      return { instance: { vmState: 'active', taskState: null, powerState: 'running' } };
    case 'pause':
      return { instance: { vmState: 'paused', taskState: null, powerState: 'paused' } };
    case 'suspend':
      return { instance: { vmState: 'suspended', taskState: null, powerState: 'saved' } };
    default:
      return { instance: { taskState: null } };
  }
}

const mappingsOf = async (server: ServerId, store: Store) =>
  (await store.blockDeviceMappings([server])).get(server) ?? [];
