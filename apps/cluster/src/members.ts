import { programOf } from './checkout.js';
import { fakeSocket } from './fake-hypervisor.js';
import type { Identity } from './identity.js';
import { MEMBER_OF } from './leftovers.js';
import type { MemberSpec } from './member.js';
import type { ClusterOptions } from './options.js';
import type { StateFolder } from './state-folder.js';

/** What is known once database, broker and ports are there. */
export interface ClusterFacts {
  readonly options: ClusterOptions;
  readonly folder: StateFolder;
  readonly ports: Ports;
  readonly databaseUrl: string;
  readonly identity: Identity;
  /** `amqp://` with a user of its own for nova-api, each conductor and each host. */
  readonly brokerUrl: (user: string) => string;
}

export interface Ports {
  readonly api: number;
  readonly cinder: number;
  /** Of conductors and computes, by name. */
  readonly health: ReadonlyMap<string, number>;
}

export const computeNames = ({ computes }: ClusterOptions): string[] => numbered('compute', computes);
export const conductorNames = ({ conductors }: ClusterOptions): string[] => numbered('conductor', conductors);
const numbered = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);

export const apiUrl = ({ api }: Ports): string => `http://127.0.0.1:${api}/v2.1`;
export const cinderUrl = ({ options, ports }: Pick<ClusterFacts, 'options' | 'ports'>): string =>
  options.cinder?.url ?? `http://127.0.0.1:${ports.cinder}/v3`;

/** Pure: the processes of the cluster, group by group in the order of their starts. */
export function members(facts: ClusterFacts): readonly (readonly MemberSpec[])[] {
  const { options } = facts;
  return [
    [
      ...(options.cinder === null ? [cinderDev(facts)] : []),
      novaApi(facts),
      ...conductorNames(options).map((name) => conductor(facts, name)),
    ],
    computeNames(options).map((name) => compute(facts, name)),
  ];
}

function cinderDev({ folder, ports, options }: ClusterFacts): MemberSpec {
  return {
    name: 'cinder-dev',
    program: programOf('cinder-dev'),
    environment: {
      [MEMBER_OF]: folder.path,
      CINDER_DEV_PORT: String(ports.cinder),
      CINDER_DEV_DATA_DIR: folder.cinder,
      CINDER_DEV_NOVA_ENDPOINT: apiUrl(ports),
      CINDER_DEV_NOVA_TOKEN: 'admin:service',
      CINDER_DEV_LOG_LEVEL: options.logLevel,
    },
    health: `http://127.0.0.1:${ports.cinder}/v3/`,
  };
}

function conductor(facts: ClusterFacts, name: string): MemberSpec {
  return {
    name,
    program: programOf('conductor'),
    environment: {
      ...common(facts, 'conductor'),
      ...healthOf(facts, name),
      NOVELLA_CONDUCTOR_NAME: name,
      ...facts.identity.environment,
      NOVELLA_DATABASE_URL: facts.databaseUrl,
      NOVELLA_CINDER_ENDPOINT: cinderUrl(facts),
      NOVELLA_VERIFY_SENDER: 'true',
      // The images are files here; with a Keystone, each of several conductors would take the same port.
      NOVELLA_IMAGE_SERVER_PORT: '0',
    },
    health: healthUrl(facts, name),
  };
}

/** It is given nothing of the database, of Cinder or of identity. */
function compute(facts: ClusterFacts, name: string): MemberSpec {
  const { options, folder } = facts;
  const { state, libvirt, fake } = folder.host(name);
  return {
    name,
    program: programOf('compute'),
    environment: {
      ...common(facts, `compute-${name}`),
      ...healthOf(facts, name),
      NOVELLA_HOST: name,
      NOVELLA_STATE_DIR: state,
      NOVELLA_IMAGES_DIR: folder.images,
      NOVELLA_VOLUME_ROOTS: (options.cinder?.volumeRoots ?? [folder.cinder]).join(','),
      NOVELLA_VIRT_DRIVER: options.driver,
      ...(options.driver === 'fake' ? { NOVELLA_FAKE_HYPERVISOR_SOCKET: fakeSocket(fake) } : {}),
      NOVELLA_LIBVIRT_SOCKET: `${libvirt}/run/libvirt-sock`,
      NOVELLA_LIBVIRT_DOMAIN_TYPE: options.domainType,
      // The guests here do not listen to the power button; who asks one to stop shall not wait for a minute.
      NOVELLA_SHUTDOWN_TIMEOUT_S: '10',
    },
    health: healthUrl(facts, name),
  };
}

function novaApi(facts: ClusterFacts): MemberSpec {
  const { ports, folder } = facts;
  return {
    name: 'nova-api',
    program: programOf('nova-api'),
    environment: {
      ...common(facts, 'nova-api'),
      ...facts.identity.environment,
      NOVELLA_API_PORT: String(ports.api),
      NOVELLA_DATABASE_URL: facts.databaseUrl,
      NOVELLA_CINDER_ENDPOINT: cinderUrl(facts),
      NOVELLA_IMAGES_DIR: folder.images,
    },
    health: `http://127.0.0.1:${ports.api}/health`,
  };
}

const common = ({ options, folder, brokerUrl }: ClusterFacts, brokerUser: string) => ({
  [MEMBER_OF]: folder.path,
  NOVELLA_BROKER_URLS: brokerUrl(brokerUser),
  NOVELLA_LOG_LEVEL: options.logLevel,
});

const healthOf = ({ ports }: ClusterFacts, name: string) => ({
  NOVELLA_HEALTH_PORT: String(ports.health.get(name) ?? 0),
});

const healthUrl = ({ ports }: ClusterFacts, name: string) => `http://127.0.0.1:${ports.health.get(name) ?? 0}/health`;
