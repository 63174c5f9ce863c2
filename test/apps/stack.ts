import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '@novella/core';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@novella/persistence';
import {
  freePort,
  type PrivateRabbit,
  startPrivateRabbit,
  temporaryDirectory,
  type TemporaryDirectory,
} from '@novella/testing';
import { type CinderDev, startCinderDev } from '../../apps/cinder-dev/src/start-cinder-dev.js';
import { manage } from '../../apps/manage/src/manage.js';
import { Program } from './program.js';
import { Way } from './way.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * What our programs need, once for many tests: a RabbitMQ, a Postgres and a development Cinder. Broker and database are
 * reached on ways that can be closed without ending what is behind them; both can be ended and started again.
 */
export class Stack {
  private readonly programs: Program[] = [];

  private constructor(
    readonly dir: TemporaryDirectory,
    readonly rabbit: PrivateRabbit,
    private postgres: EmbeddedPostgres,
    readonly cinder: CinderDev,
    readonly toBroker: Way,
    readonly toDatabase: Way,
    readonly apiPort: number,
  ) {}

  static async start(): Promise<Stack> {
    const dir = await temporaryDirectory({ mode: 0o755 });
    for (const name of ['images', 'volumes']) await mkdir(join(dir.path, name));
    const apiPort = await freePort();
    const [rabbit, postgres, cinder] = await Promise.all([
      startPrivateRabbit(),
      startEmbeddedPostgres({ dataDir: join(dir.path, 'postgres'), fsync: false }),
      startCinderDev({
        port: 0,
        dataDir: join(dir.path, 'volumes'),
        novaEndpoint: `http://127.0.0.1:${apiPort}/v2.1`,
        novaHeaders: { 'X-Auth-Token': 'admin:service' },
        log: silent,
      }),
    ]);
    const toBroker = await Way.to(rabbit.port);
    const toDatabase = await Way.to(postgres.port);
    return new Stack(dir, rabbit, postgres, cinder, toBroker, toDatabase, apiPort);
  }

  async close(): Promise<void> {
    await this.endPrograms();
    await this.cinder.close();
    await Promise.all([this.toBroker.close(), this.toDatabase.close()]);
    await Promise.all([this.postgres.stop(), this.rabbit.stop()]);
    await this.dir.remove();
  }

  get databaseUrl(): string {
    return `postgres://novella@127.0.0.1:${this.toDatabase.port}/postgres`;
  }

  get brokerUrl(): string {
    const url = new URL(this.rabbit.url);
    url.port = String(this.toBroker.port);
    return url.href;
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.apiPort}`;
  }

  /** The schema is there, with flavors. */
  async prepare(): Promise<void> {
    const { code, stderr } = await manage(['migrate'], { NOVELLA_DATABASE_URL: this.postgres.url });
    if (code !== 0) throw new Error(stderr);
  }

  stopPostgres = (): Promise<void> => this.postgres.stop();

  async startPostgres(): Promise<void> {
    const { port } = this.postgres;
    this.postgres = await startEmbeddedPostgres({ dataDir: join(this.dir.path, 'postgres'), port, fsync: false });
  }

  run(main: string, env: Readonly<Record<string, string>>, argv: readonly string[] = []): Program {
    const program = new Program(main, { NOVELLA_BROKER_URLS: this.brokerUrl, ...env }, argv);
    this.programs.push(program);
    return program;
  }

  api(env: Readonly<Record<string, string>> = {}): Program {
    return this.run('apps/nova-api/src/main.ts', {
      ...this.service,
      NOVELLA_API_PORT: String(this.apiPort),
      NOVELLA_IMAGES_DIR: join(this.dir.path, 'images'),
      ...env,
    });
  }

  /** One broker user serves all here, so who says what cannot be told apart. */
  conductor(name: string, env: Readonly<Record<string, string>> = {}): Program {
    const own = { NOVELLA_CONDUCTOR_NAME: name, NOVELLA_VERIFY_SENDER: 'false', NOVELLA_HEALTH_PORT: '0' };
    return this.run('apps/conductor/src/main.ts', { ...this.service, ...own, ...env });
  }

  compute(host: string, env: Readonly<Record<string, string>> = {}): Program {
    return this.run('apps/compute/src/main.ts', { ...this.host(host), ...env });
  }

  /** A compute whose hypervisor the test holds. */
  heldCompute(host: string, argv: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Program {
    return this.run('test/apps/compute-with-held-guests.ts', { ...this.host(host), ...env }, argv);
  }

  async endPrograms(): Promise<void> {
    await Promise.all(this.programs.splice(0).map((program) => program.signal('SIGKILL')));
  }

  private get service() {
    return {
      NOVELLA_DATABASE_URL: this.databaseUrl,
      NOVELLA_CINDER_ENDPOINT: this.cinder.url,
      NOVELLA_AUTH_STRATEGY: 'noauth2',
    };
  }

  private host(host: string) {
    return {
      NOVELLA_HOST: host,
      NOVELLA_STATE_DIR: join(this.dir.path, `state-${host}`),
      NOVELLA_IMAGES_DIR: join(this.dir.path, 'images'),
      NOVELLA_VOLUME_ROOTS: join(this.dir.path, 'volumes'),
      NOVELLA_VIRT_DRIVER: 'fake',
      NOVELLA_HEALTH_PORT: '0',
    };
  }
}
