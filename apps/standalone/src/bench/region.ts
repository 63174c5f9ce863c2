import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seconds } from '@novella/core';
import { migrate, openSqlStore, startEmbeddedPostgres } from '@novella/persistence';
import { freePort, type PrivateRabbit, startPrivateRabbit } from '@novella/testing';
import { brokerUsers } from '../../../cluster/src/broker-users.js';
import { type App, programOf } from '../../../cluster/src/checkout.js';
import { Member } from '../../../cluster/src/member.js';
import { seedFlavors } from '../../../manage/src/seed-flavors.js';
import { OpenStack, PROJECT, TOKEN } from '../demo/openstack.js';
import { BenchHost } from './host.js';

/** Hosts that work in this process, and one that is a process of its own like any other. */
const IN_PROCESS = ['bench-a', 'bench-b'] as const;
const APART = 'bench-c';
const READY_LIMIT_MS = 60_000;

export interface Started {
  readonly name: string;
  readonly pid: number;
  readonly healthUrl: string;
  /** From the start of the process until it says that it is ready. */
  readonly startedInMs: number;
}

/**
 * A deployment for measuring: RabbitMQ, Postgres (fsync on), nova-api, a conductor, a compute and cinder-dev as processes,
 * and two more computes in this one, whose hypervisors are in memory and tell when they are called. Cinder's own events
 * lead nowhere: what is measured is posted by whoever measures.
 */
export class Region {
  readonly apps: Started[] = [];
  private readonly undo: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly dir: string,
    readonly rabbit: PrivateRabbit,
    readonly openstack: OpenStack,
    readonly hosts: readonly BenchHost[],
  ) {}

  static async start(): Promise<Region> {
    const undo: (() => Promise<unknown>)[] = [];
    try {
      return await Region.startInto(undo);
    } catch (error) {
      await endAll(undo);
      throw error;
    }
  }

  /** Answers whether everything ended well. */
  async close(): Promise<boolean> {
    return endAll(this.undo);
  }

  private static async startInto(undo: (() => Promise<unknown>)[]): Promise<Region> {
    const dir = await mkdtemp(join(tmpdir(), 'novella-bench-'));
    undo.push(() => rm(dir, { recursive: true, force: true }));
    await chmod(dir, 0o755);
    for (const folder of ['volumes', 'images', APART]) await mkdir(join(dir, folder));
    const files = { definitions: join(dir, 'definitions.json'), passwords: join(dir, 'passwords.json') };
    const passwordOf = await brokerUsers(files, [...IN_PROCESS, APART]);
    const rabbit = await startPrivateRabbit({ definitions: files.definitions });
    undo.push(() => rabbit.stop());
    const postgres = await startEmbeddedPostgres({ dataDir: join(dir, 'postgres'), fsync: true, log: () => undefined });
    undo.push(() => postgres.stop());
    await prepareDatabase(postgres.url);
    const deaf = await startDeafNova();
    undo.push(() => deaf.close());

    const brokerUrls = (user: string) => rabbit.urlOf(user, passwordOf(user));
    const [cinderPort, apiPort] = [await freePort(), await freePort()];
    const cinderUrl = `http://127.0.0.1:${cinderPort}/v3`;
    const hosts: BenchHost[] = [];
    const openstack = new OpenStack(`http://127.0.0.1:${apiPort}/v2.1`, cinderUrl);
    const region = new Region(dir, rabbit, openstack, hosts);
    region.undo.push(...undo.splice(0));
    const volumeRoots = join(dir, 'volumes');
    try {
      await region.run('cinder-dev', `${cinderUrl}/${PROJECT}/volumes`, {
        CINDER_DEV_PORT: String(cinderPort),
        CINDER_DEV_DATA_DIR: volumeRoots,
        CINDER_DEV_NOVA_ENDPOINT: deaf.url,
        CINDER_DEV_LOG_LEVEL: 'error',
      });
      const shared = {
        NOVELLA_DATABASE_URL: postgres.url,
        NOVELLA_CINDER_ENDPOINT: cinderUrl,
        NOVELLA_AUTH_STRATEGY: 'noauth2',
        NOVELLA_LOG_LEVEL: 'warn',
      };
      await region.runWithHealth('conductor', {
        ...shared,
        NOVELLA_BROKER_URLS: brokerUrls('conductor'),
        NOVELLA_CONDUCTOR_NAME: 'bench',
      });
      await region.runWithHealth('compute', {
        NOVELLA_BROKER_URLS: brokerUrls(`compute-${APART}`),
        NOVELLA_HOST: APART,
        NOVELLA_STATE_DIR: join(dir, APART),
        NOVELLA_IMAGES_DIR: join(dir, 'images'),
        NOVELLA_VOLUME_ROOTS: volumeRoots,
        NOVELLA_VIRT_DRIVER: 'fake',
        NOVELLA_LOG_LEVEL: 'warn',
      });
      await region.run('nova-api', `http://127.0.0.1:${apiPort}/health`, {
        ...shared,
        NOVELLA_BROKER_URLS: brokerUrls('nova-api'),
        NOVELLA_API_PORT: String(apiPort),
        NOVELLA_IMAGES_DIR: join(dir, 'images'),
      });
      for (const name of IN_PROCESS) {
        const host = await BenchHost.start(name, { dir, volumeRoots, brokerUrl: brokerUrls(`compute-${name}`) });
        region.undo.push(() => host.stop());
        hosts.push(host);
      }
      await region.untilHostsAreUp(IN_PROCESS.length + 1);
      return region;
    } catch (error) {
      await region.close();
      throw error;
    }
  }

  private async runWithHealth(app: App, environment: Record<string, string>): Promise<void> {
    const port = await freePort();
    await this.run(app, `http://127.0.0.1:${port}/health`, { ...environment, NOVELLA_HEALTH_PORT: String(port) });
  }

  private async run(app: App, healthUrl: string, environment: Record<string, string>): Promise<void> {
    const said: string[] = [];
    const member = new Member(
      { name: app, program: programOf(app), environment, health: healthUrl },
      {
        logFile: join(this.dir, `${app}.log`),
        onLine: (line) => void said.push(line),
        onEnd: (how) => process.stderr.write(`${app} ${how}:\n${said.slice(-10).join('\n')}\n`),
        onAgain: () => undefined,
      },
    );
    this.undo.push(() => member.stop());
    const since = performance.now();
    await member.start();
    await untilReady(healthUrl, app);
    const startedInMs = performance.now() - since;
    this.apps.push({ name: app, pid: member.pid ?? 0, healthUrl, startedInMs });
  }

  private async untilHostsAreUp(count: number): Promise<void> {
    const end = performance.now() + READY_LIMIT_MS;
    while ((await this.openstack.hostsUp()).length < count) {
      if (performance.now() > end) throw new Error('the hosts did not come up');
      await pause(50);
    }
  }
}

async function prepareDatabase(url: string): Promise<void> {
  await migrate(url);
  const store = await openSqlStore({ url, poolSize: 2, serviceDownTime: seconds(60), applicationName: 'bench' });
  await seedFlavors(store);
  await store.close();
}

/** Where Cinder's own events go: they are answered, and nothing comes of them. */
async function startDeafNova(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.setHeader('content-type', 'application/json').end('{"events":[]}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v2.1`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Resolves when the URL answers 200; asked often, because what it took is a figure. */
export async function untilReady(url: string, what: string): Promise<void> {
  const end = performance.now() + READY_LIMIT_MS;
  while (!(await answers(url))) {
    if (performance.now() > end) throw new Error(`${what} was not ready in time`);
    await pause(10);
  }
}

const answers = (url: string): Promise<boolean> =>
  fetch(url, { headers: { 'X-Auth-Token': TOKEN }, signal: AbortSignal.timeout(2_000) }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status === 200;
    },
    () => false,
  );

export const pause = (forMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, forMs));

/** The last that was started ends first. */
async function endAll(undo: (() => Promise<unknown>)[]): Promise<boolean> {
  let well = true;
  for (const step of undo.splice(0).reverse()) {
    await step().catch((error: unknown) => {
      process.stderr.write(`clean-up: ${String(error)}\n`);
      well = false;
    });
  }
  return well;
}
