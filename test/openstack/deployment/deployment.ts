import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '@novella/persistence';
import {
  freePort,
  guestImages,
  type PrivateCeph,
  PrivateGlance,
  startPrivateCeph,
  startPrivateLibvirtd,
  startPrivateRabbit,
} from '@novella/testing';
import { type CephAccess, startCinder } from './cinder.js';
import { OpenStackCommands } from './commands.js';
import { serveControl } from './control.js';
import type { DeploymentFacts } from './facts.js';
import { createFlavor, uploadImages } from './furnish.js';
import { HttpWay } from './http-way.js';
import { type Account, addNovella, type Endpoints, type Identity, SERVICE_ACCOUNT, startIdentity } from './identity.js';
import { BROKER_VHOST, brokerDefinitions, type HostSpec, logOf, Novella } from './novella.js';
import { Page } from './page.js';
import { serviceSpecs } from './settings.js';
import type { Started } from './started.js';

const POOL = 'volumes';
const HOSTS = ['compute-1', 'compute-2'] as const;

export interface DeploymentOptions {
  /** Empty, 0755, and with a path of no more than 60 characters: libvirt's sockets are below it. */
  readonly folder: string;
  /** Names of parts. */
  readonly skip: ReadonlySet<string>;
  readonly say: (line: string) => void;
}

/**
 * A whole OpenStack on this machine, all of it real but Nova, which is Novella: everything starts at once, each part as
 * soon as what it cannot start without is there. What is up when another part fails is ended by `started`.
 */
export async function startDeployment(options: DeploymentOptions, started: Started): Promise<DeploymentFacts> {
  const { folder, skip } = options;
  const ports = await choosePorts();
  const endpoints = endpointsOf(ports);
  const fixedKey = randomBytes(32).toString('hex');
  const page = await Page.read();
  const hosts = HOSTS.map((name): HostSpec => hostSpec(folder, name));
  for (const name of ['cinder', 'hosts', ...HOSTS.map((host) => `hosts/${host}`)]) await mkdir(join(folder, name));

  const identity = started.part(
    'keystone',
    () => startIdentity(ports.keystone, endpoints),
    ({ keystone }) => keystone.stop(),
  );
  const broker = startBroker(folder, started);
  const database = started.part(
    'postgres',
    () => startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), fsync: false }),
    (postgres) => postgres.stop(),
  );
  const hypervisors = HOSTS.map((name) =>
    started.part(
      `libvirtd of ${name}`,
      () => startPrivateLibvirtd({ dir: join(folder, 'hosts', name, 'libvirt') }),
      (libvirtd) => libvirtd.stop(),
    ),
  );
  const ceph = skip.has('ceph')
    ? Promise.resolve(null)
    : started.part(
        'ceph',
        () => startPrivateCeph({ user: 'cinder', pools: [POOL] }),
        (cluster) => cluster.stop(),
      );
  const cinder = Promise.all([identity, ceph]).then(([who, cluster]) =>
    started.part(
      'cinder',
      () =>
        startCinder({
          page,
          folder: join(folder, 'cinder'),
          port: ports.cinder,
          identity: who,
          ceph: cluster === null ? null : cephAccess(cluster),
          fixedKey,
        }),
      (service) => service.stop(),
    ),
  );
  const glance = identity.then((who) =>
    started.part(
      'glance',
      () =>
        PrivateGlance.start({
          port: ports.glance,
          keystone: { url: who.keystone.url, ...who.services.glance },
        }),
      (service) => service.stop(),
    ),
  );
  const images = Promise.all([glance, guestImages(), identity]).then(([service, guest, who]) =>
    started.part(
      'images',
      () => uploadImages(service, guest, who, folder),
      () => Promise.resolve(),
    ),
  );
  const commands = started.part(
    'openstack command',
    () => OpenStackCommands.start(),
    (program) => program.stop(),
  );
  const ways = Promise.all([
    openWay('to-cinder', ports.toCinder, ports.cinder, started),
    openWay('to-nova', ports.toNova, ports.api, started),
  ]);
  const novella = startNovella(
    { ...options, page, ports, fixedKey, hosts, broker, identity, database, ceph, hypervisors },
    started,
  );
  const catalog = Promise.all([identity, commands]).then(([who, openstack]) =>
    started.part(
      'compute in the catalog',
      () => addNovella(page, who, endpoints, openstack),
      () => Promise.resolve(),
    ),
  );

  const all = [
    identity,
    broker,
    database,
    ...hypervisors,
    ceph,
    cinder,
    glance,
    images,
    commands,
    ways,
    novella,
    catalog,
  ] as const;
  // Whatever comes up must be known to `started` before anybody ends it.
  await Promise.allSettled(all);
  await Promise.all(all);

  const who = await identity;
  const [toCinder, toNova] = await ways;
  const [ours, client] = await Promise.all([novella, commands]);
  await started.part(
    'flavor',
    () => createFlavor(endpoints.compute.public, who),
    () => Promise.resolve(),
  );
  const control = await started.part(
    'control',
    () =>
      serveControl({
        ways: { 'to-cinder': toCinder, 'to-nova': toNova },
        keystone: who.keystone,
        pidOf: (name) => ours.pidOf(name),
        openstack: (words, environment) => client.run(words, environment),
      }),
    (server) => server.close(),
  );
  return {
    folder,
    control: control.url,
    admin: environmentOf(who, who.admin),
    demo: environmentOf(who, who.demo),
    identityUrl: who.keystone.url,
    computeUrl: endpoints.compute.public,
    volumeUrl: `${endpoints.volume.public}/v3`,
    imageUrl: endpoints.image,
    hosts: hosts.map((host, n) => ({
      ...host,
      health: `http://127.0.0.1:${ports.hosts[n] ?? 0}/health`,
      log: logOf(folder, host.name),
    })),
    images: await images,
    volumesDir: (await cinder).volumesDir,
    ceph: await ceph.then((cluster) => cluster && cephAccess(cluster)),
    databaseUrl: (await database).url,
    skipped: [...skip],
  };
}

interface Ports {
  readonly keystone: number;
  readonly api: number;
  readonly conductor: number;
  readonly hosts: readonly number[];
  readonly cinder: number;
  readonly glance: number;
  /** Where the conductor serves images to hosts. */
  readonly images: number;
  readonly toCinder: number;
  readonly toNova: number;
}

/** All different: what was free a moment ago may be drawn again. */
async function choosePorts(): Promise<Ports> {
  const chosen = new Set<number>();
  while (chosen.size < 10) chosen.add(await freePort());
  const [keystone = 0, api = 0, conductor = 0, cinder = 0, glance = 0, images = 0, toCinder = 0, toNova = 0, ...hosts] =
    chosen;
  return { keystone, api, conductor, cinder, glance, images, toCinder, toNova, hosts };
}

/** Users go straight to a service; the services go ways that a story can make worse. */
const endpointsOf = ({ api, toNova, cinder, toCinder, glance }: Ports): Endpoints => ({
  compute: { public: `http://127.0.0.1:${api}/v2.1`, internal: `http://127.0.0.1:${toNova}/v2.1` },
  volume: { public: `http://127.0.0.1:${cinder}`, internal: `http://127.0.0.1:${toCinder}` },
  image: `http://127.0.0.1:${glance}`,
});

const cephAccess = ({ confPath, client }: PrivateCeph): CephAccess => ({
  configFile: confPath,
  pool: POOL,
  user: client.user,
  secretId: '457eb676-33da-42ec-9a8c-9293d545c337',
});

const hostSpec = (folder: string, name: string): HostSpec => ({
  name,
  libvirtSocket: join(folder, 'hosts', name, 'libvirt', 'run', 'libvirt-sock'),
  stateDir: join(folder, 'hosts', name, 'state'),
});

const openWay = (name: string, port: number, target: number, started: Started): Promise<HttpWay> =>
  started.part(
    name,
    () => HttpWay.open(port, `http://127.0.0.1:${target}`),
    (way) => way.close(),
  );

async function startBroker(folder: string, started: Started) {
  const { definitions, passwordOf } = await brokerDefinitions(folder, HOSTS);
  const rabbit = await started.part(
    'rabbitmq',
    () => startPrivateRabbit({ definitions }),
    (broker) => broker.stop(),
  );
  return { urlOf: (user: string) => rabbit.urlOf(user, passwordOf(user)) + BROKER_VHOST };
}

interface Around extends DeploymentOptions {
  readonly page: Page;
  readonly ports: Ports;
  readonly fixedKey: string;
  readonly hosts: readonly HostSpec[];
  readonly broker: Promise<{ readonly urlOf: (user: string) => string }>;
  readonly database: Promise<{ readonly url: string }>;
  readonly identity: Promise<Identity>;
  readonly ceph: Promise<PrivateCeph | null>;
  readonly hypervisors: readonly Promise<unknown>[];
}

/** As a deployment would: none of our services waits for another, or for Cinder. */
async function startNovella(around: Around, started: Started): Promise<Novella> {
  const { page, ports, hosts, fixedKey, folder } = around;
  const [{ urlOf }, { url }, cluster, { keystone }] = await Promise.all([
    around.broker,
    around.database,
    around.ceph,
    around.identity,
  ]);
  await Promise.all(around.hypervisors);
  const services = serviceSpecs(page, {
    ...{ ports, hosts, fixedKey },
    databaseUrl: url,
    brokerUrl: urlOf,
    identityUrl: keystone.url,
    region: keystone.region,
    servicePassword: SERVICE_ACCOUNT.password,
    volumeRoots: [join(folder, 'cinder', 'volumes'), '/dev/loop*'],
    cephConfig: cluster?.confPath ?? null,
  });
  return started.part(
    'novella',
    () => Novella.start({ folder, databaseUrl: url, services }),
    (novella) => novella.stop(),
  );
}

const environmentOf = ({ keystone }: Identity, { user, project }: Account): Record<string, string> =>
  keystone.environment(user, project);

export async function writeFacts(facts: DeploymentFacts): Promise<string> {
  const file = join(facts.folder, 'deployment.json');
  await writeFile(file, JSON.stringify(facts, null, 2), { mode: 0o600 });
  return file;
}
