import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Log, seconds } from '@novella/core';
import { migrate, openSqlStore } from '@novella/persistence';
import {
  freePort,
  type PrivateRabbitCluster,
  startPrivateRabbitCluster,
  temporaryDirectory,
  waitUntil,
} from '@novella/testing';
import { startCinderDev } from '../../apps/cinder-dev/src/start-cinder-dev.js';
import { brokerUsers } from '../../apps/cluster/src/broker-users.js';
import { seedFlavors } from '../../apps/manage/src/seed-flavors.js';
import { OpenStack } from '../../apps/standalone/src/demo/openstack.js';
import { Program } from '../apps/program.js';
import { OutageHost } from './host.js';
import { KillablePostgres } from './killable-postgres.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
/** Short, so that a node that stands still is soon given up. */
const HEARTBEAT_S = 2;
const NET_TICK_S = 5;
const FLOW_MS = 60_000;

/**
 * Three brokers, Postgres with fsync on, nova-api and a conductor as processes, and hosts in this process. Cinder's own
 * events lead nowhere: the tests post them.
 */
export interface Region {
  readonly dir: string;
  readonly rabbit: PrivateRabbitCluster;
  readonly postgres: KillablePostgres;
  readonly openstack: OpenStack;
  readonly apiUrl: string;
  readonly hosts: readonly OutageHost[];
  /** API and conductor are ready, and the hosts consume. */
  readonly allConsume: () => Promise<boolean>;
  readonly conductor: Program;
  /** A compute in a process of its own; it tells `loaded`, and begins when it is told anything. */
  readonly computeOnCall: (host: string, hypervisorSocket: string) => Program;
  readonly close: () => Promise<void>;
}

type Undo = (() => Promise<unknown>)[];

/** `names` are hosts in this process; `others` have a user at the broker and are the test's own affair. */
export async function startRegion(names: readonly string[], others: readonly string[]): Promise<Region> {
  const undo: Undo = [];
  try {
    return await startInto(undo, names, others);
  } catch (error) {
    await endAll(undo);
    throw error;
  }
}

async function startInto(undo: Undo, names: readonly string[], others: readonly string[]): Promise<Region> {
  const folder = await temporaryDirectory({ mode: 0o755 });
  undo.push(() => folder.remove());
  const dir = folder.path;
  for (const name of ['volumes', 'images']) await mkdir(join(dir, name));
  const files = { definitions: join(dir, 'definitions.json'), passwords: join(dir, 'passwords.json') };
  const passwordOf = await brokerUsers(files, [...names, ...others]);

  const [rabbit, postgres] = await Promise.all([
    started(undo, startPrivateRabbitCluster({ definitions: files.definitions, netTickS: NET_TICK_S })),
    started(undo, databaseIn(join(dir, 'postgres'))),
  ]);
  const apiPort = await freePort();
  const cinder = await startCinderDev({
    port: 0,
    dataDir: join(dir, 'volumes'),
    novaEndpoint: `http://127.0.0.1:${await freePort()}/v2.1`,
    log: silent,
  });
  undo.push(() => cinder.close());

  const urlsOf = (user: string): string[] => rabbit.urlsOf(user, passwordOf(user));
  const run = (main: string, user: string, settings: Record<string, string>): Program => {
    const broker = { NOVELLA_BROKER_URLS: urlsOf(user).join(','), NOVELLA_BROKER_HEARTBEAT_S: String(HEARTBEAT_S) };
    const program = new Program(main, { ...broker, ...settings });
    undo.push(() => program.signal('SIGKILL'));
    return program;
  };
  const service = {
    NOVELLA_DATABASE_URL: postgres.url,
    NOVELLA_CINDER_ENDPOINT: cinder.url,
    NOVELLA_AUTH_STRATEGY: 'noauth2',
  };
  const healthPort = await freePort();
  const conductor = run('apps/conductor/src/main.ts', 'conductor', {
    ...service,
    NOVELLA_CONDUCTOR_NAME: 'conductor-1',
    NOVELLA_HEALTH_PORT: String(healthPort),
  });
  const api = run('apps/nova-api/src/main.ts', 'nova-api', {
    ...service,
    NOVELLA_API_PORT: String(apiPort),
    NOVELLA_IMAGES_DIR: join(dir, 'images'),
  });
  await Promise.all([conductor.says('serving'), api.says('serving')]);

  const hosts: OutageHost[] = [];
  for (const name of names) {
    const brokerUrls = urlsOf(`compute-${name}`);
    const host = await OutageHost.start(name, { dir, brokerUrls, heartbeatS: HEARTBEAT_S });
    undo.push(() => host.stop());
    hosts.push(host);
  }
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const openstack = new OpenStack(`${apiUrl}/v2.1`, cinder.url);
  await waitUntil(async () => (await openstack.hostsUp()).length === names.length, { timeout: FLOW_MS, every: 50 });

  const healthUrls = [`${apiUrl}/health`, `http://127.0.0.1:${healthPort}/health`];
  return {
    dir,
    rabbit,
    postgres,
    openstack,
    apiUrl,
    hosts,
    conductor,
    async allConsume() {
      const ready = [...healthUrls.map(isReady), ...hosts.map((host) => host.isReady())];
      return (await Promise.all(ready)).every(Boolean);
    },
    computeOnCall: (host, hypervisorSocket) =>
      run('test/outages/compute-on-call.ts', `compute-${host}`, {
        NOVELLA_HOST: host,
        NOVELLA_STATE_DIR: join(dir, host),
        NOVELLA_IMAGES_DIR: join(dir, 'images'),
        NOVELLA_VOLUME_ROOTS: join(dir, 'volumes'),
        NOVELLA_VIRT_DRIVER: 'fake',
        NOVELLA_FAKE_HYPERVISOR_SOCKET: hypervisorSocket,
        NOVELLA_HEALTH_PORT: '0',
      }),
    close: () => endAll(undo),
  };
}

/** With its end noted as soon as it is there: what was started beside it may fail. */
async function started<T extends { stop(): Promise<void> }>(undo: Undo, starting: Promise<T>): Promise<T> {
  const part = await starting;
  undo.push(() => part.stop());
  return part;
}

async function databaseIn(dataDir: string): Promise<KillablePostgres> {
  const postgres = await KillablePostgres.start(dataDir);
  await migrate(postgres.url);
  const store = await openSqlStore({
    url: postgres.url,
    poolSize: 2,
    serviceDownTime: seconds(60),
    applicationName: 'test',
  });
  await seedFlavors(store);
  await store.close();
  return postgres;
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(FLOW_MS) }).catch(() => null);
  return ((await answer?.json()) as { state?: string } | undefined)?.state === 'ready';
}

/** What was started last ends first. */
async function endAll(undo: Undo): Promise<void> {
  for (const end of undo.splice(0).reverse()) await end();
}
