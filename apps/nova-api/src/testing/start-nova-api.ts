import {
  bytes,
  type Clock,
  type ErrorCode,
  type HostName,
  type Log,
  millis,
  minutes,
  NovellaError,
  type PowerState,
  seconds,
  type ServerId,
  type VmState,
} from '@novella/core';
import type { Image } from '@novella/image';
import { type Flavor, openMemoryStore, type Service, type ServiceReportInput, type Store } from '@novella/persistence';
import { systemRandom } from '@novella/service-kit';
import { createNovaApi } from '../create-nova-api.js';
import { noauth2 } from '../http/noauth2.js';
import type { ImageUser } from '../image-api.js';
import type { NovaApiConfig } from '../nova-api.config.js';
import { policyInCode } from '../open-policy.js';
import type { NovaApiPorts } from '../ports.js';
import type { AnswerJson } from './answer-json.js';
import { HostSimulator } from './host-simulator.js';
import { VolumeSimulator } from './volume-simulator.js';

/** The real application on the memory store, with a clock that goes one second on with every look at it. */
export const PROJECT = 'aaaabbbbccccdddd0000111122223333';
export const OTHER_PROJECT = 'ffffeeee000011112222333344445555';
export const USER = `alice:${PROJECT}`;
export const STRANGER = `mallory:${OTHER_PROJECT}`;
export const ADMIN = `admin:${OTHER_PROJECT}`;
export const HOST = 'host-1' as HostName;
export const IMAGE = '11111111-2222-4333-8444-555555555555';
export const FLAVOR: Flavor = {
  id: '1',
  name: 'm1.tiny',
  vcpus: 1,
  memoryMib: 512,
  rootGib: 1,
  ephemeralGib: 0,
  swapMib: 0,
  rxtxFactor: 1,
  isPublic: true,
  disabled: false,
  description: 'the smallest',
  extraSpecs: { 'hw:cpu_policy': 'shared' },
};
const CONFIG: NovaApiConfig = {
  maxLimit: 1000,
  enableInstancePassword: true,
  confirmWithin: minutes(5),
  computeLinkPrefix: null,
  trustForwardedHeaders: false,
};

export interface AskOptions {
  readonly as?: string | null;
  readonly version?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type TestApi = Awaited<ReturnType<typeof startNovaApi>>;

export async function startNovaApi(
  overrides: Partial<NovaApiConfig> = {},
  changeStore: (store: Store) => Store = same,
  {
    store = openMemoryStore({ serviceDownTime: minutes(60), clock: tickingClock() }),
    ...ports
  }: Partial<Omit<NovaApiPorts, 'store'>> & { readonly store?: Store } = {},
) {
  await store.createFlavor(FLAVOR);
  const cinder = new VolumeSimulator();
  const hosts = new HostSimulator();
  const removed: RemovedHosts = { hosts: [], fault: null };
  const images = new Map<string, Image>([[IMAGE, image()]]);
  const imageFaults = new Map<string, NovellaError>();
  const imagesAsked: { readonly id: string; readonly user: ImageUser }[] = [];
  const logged: unknown[] = [];
  const told: unknown[] = [];
  let hints = 0;
  const log: Log = {
    debug: ignore,
    info: (_, facts) => told.push(facts),
    warn: (_, facts) => logged.push(facts),
    error: (_, facts) => logged.push(facts),
  };
  const app = await createNovaApi({
    config: { ...CONFIG, ...overrides },
    authenticator: noauth2,
    ...policyInCode({ clock: tickingClock(), log }),
    store: changeStore(store),
    cinder,
    images: {
      image: (id, user) => {
        imagesAsked.push({ id, user });
        const fault = imageFaults.get(id);
        return fault === undefined ? Promise.resolve(images.get(id) ?? null) : Promise.reject(fault);
      },
    },
    hint: () => (hints += 1),
    compute: hosts.client,
    conductor: { remove_host: (args) => removeHost(removed, args.host) },
    log,
    random: systemRandom,
    ...ports,
  });

  async function ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, options: AskOptions = {}) {
    const token = options.as === undefined ? USER : options.as;
    const version = options.version === undefined ? {} : { 'openstack-api-version': `compute ${options.version}` };
    const { body } = options;
    const answer = await app.inject({
      method,
      url,
      headers: {
        ...(token === null ? {} : { 'x-auth-token': token }),
        ...version,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(body === undefined ? {} : { payload: isPayload(body) ? body : JSON.stringify(body) }),
    });
    return { code: answer.statusCode, headers: answer.headers, text: answer.body, json: parse(answer.body) };
  }

  return {
    app,
    store,
    cinder,
    hosts,
    removed,
    images,
    imageFaults,
    imagesAsked,
    logged,
    told,
    hints: () => hints,
    ask,
    close: () => app.close(),
  };
}

/** A server as POST leaves it: building, on no host. Answers its id. */
export async function newServer(api: TestApi, as: string = USER): Promise<ServerId> {
  const body = { server: { name: 'vm', flavorRef: FLAVOR.id, imageRef: IMAGE, networks: 'none' } };
  const answer = await api.ask('POST', '/v2.1/servers', { version: '2.51', body, as });
  if (answer.code !== 202) throw new Error(`server not made: ${answer.text}`);
  return answer.json.server.id;
}

/** What conductors were told to forget. */
interface RemovedHosts {
  readonly hosts: HostName[];
  /** The next cast fails so. */
  fault: ErrorCode | null;
}
async function removeHost(removed: RemovedHosts, host: HostName): Promise<void> {
  await Promise.resolve();
  const { fault } = removed;
  removed.fault = null;
  if (fault !== null) throw new NovellaError(fault, `put in by the test: ${fault}`);
  removed.hosts.push(host);
}

/** A service reports, as its process does when it starts. */
export async function reported(api: TestApi, changes: Partial<ServiceReportInput> = {}): Promise<Service> {
  const report: ServiceReportInput = {
    host: HOST,
    binary: 'nova-compute',
    version: '1',
    capabilities: [],
    connectorProperties: { ip: '192.0.2.1' },
    publicKey: null,
    hypervisor: { type: 'QEMU', version: '7.2.10', hostname: 'host-1.example' },
    capacity: { vcpus: 64, memoryMib: 65_536, diskGib: 1000 },
    ...changes,
  };
  await api.store.reportService(report);
  const service = (await api.store.services(report.binary)).find(({ host }) => host === report.host);
  if (service === undefined) throw new Error('the service has not been recorded');
  return service;
}

/** Lets the store's engine side end the build on HOST, as a conductor would. */
export async function built(api: TestApi, id: ServerId, vmState: VmState = 'active'): Promise<ServerId> {
  const { store } = api;
  await reported(api);
  const [build] = (await store.operations({ serverId: id, open: true, limit: 1 })).filter(
    ({ kind }) => kind === 'build',
  );
  if (build === undefined) throw new Error('no build operation');
  const claimed = await store.claimOne(build.id, 'test', seconds(60));
  if (claimed === null) throw new Error('the build cannot be claimed');
  await store.place(claimed, id, HOST, { vcpus: 1, memoryMib: 512, diskGib: 1 });
  const sent = await store.dispatch(claimed, { host: HOST, step: null, generation: 1, deadlineIn: seconds(60) });
  if (sent === null || sent === 'excluded') throw new Error('the build cannot be dispatched');
  const powerState: PowerState = vmState === 'stopped' ? 'shutdown' : 'running';
  await store.end(sent, {
    result: 'succeeded',
    changes: { instance: { vmState, taskState: null, powerState, launched: true } },
  });
  return id;
}

export const activeServer = async (api: TestApi, as: string = USER): Promise<ServerId> =>
  built(api, await newServer(api, as));

export const image = (changes: Partial<Image> = {}): Image => ({
  id: IMAGE,
  name: 'cirros',
  diskFormat: 'qcow2',
  size: bytes(20_000_000),
  minDiskGib: 0,
  minMemoryMib: 0,
  properties: { kernelId: null, ramdiskId: null, commandLine: null, diskBus: 'virtio' },
  remote: null,
  ...changes,
});

export function tickingClock(): Clock {
  let now = Date.UTC(2026, 0, 2, 3, 4, 5);
  return {
    monotonic: () => millis((now += 1000)),
    wallTime: () => new Date((now += 1000)),
    sleep: () => Promise.resolve(),
  };
}

/** An empty object for what is no JSON. */
function parse(text: string): AnswerJson {
  try {
    return JSON.parse(text) as AnswerJson;
  } catch {
    return {} as AnswerJson;
  }
}

const isPayload = (body: unknown): body is string | Buffer => typeof body === 'string' || Buffer.isBuffer(body);
const ignore = (): void => undefined;
const same = (store: Store): Store => store;
