import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@novella/persistence';
import {
  freePort,
  type KeystoneProject,
  type KeystoneUser,
  PrivateKeystone,
  type PrivateRabbit,
  startPrivateRabbit,
  temporaryDirectory,
  type TemporaryDirectory,
  waitUntil,
} from '@novella/testing';
import { manage } from '../../apps/manage/src/manage.js';
import { Program, untilHealth } from '../apps/program.js';
import { type RealCinder, startRealCinder } from '../openstack/real-cinder.js';
import { type EmptyServices, startEmptyServices } from './empty-services.js';

const FROM_SOURCES = {
  api: 'apps/nova-api/src/main.ts',
  conductor: 'apps/conductor/src/main.ts',
  compute: 'apps/compute/src/main.ts',
} as const;

/**
 * A real Keystone and a real Cinder, and in Nova's place our programs as an operator starts them, with a hypervisor in
 * memory. All that our programs know of the others is Keystone's address and a user of their own.
 */
export class OpenStackCloud {
  private readonly programs: Program[] = [];

  private constructor(
    readonly dir: TemporaryDirectory,
    readonly keystone: PrivateKeystone,
    readonly cinder: RealCinder,
    private readonly others: EmptyServices,
    private readonly rabbit: PrivateRabbit,
    private readonly postgres: EmbeddedPostgres,
    readonly apiPort: number,
    readonly service: KeystoneProject,
    /** Of the users that the tests play. */
    readonly demo: KeystoneProject,
  ) {}

  static async start(): Promise<OpenStackCloud> {
    const dir = await temporaryDirectory({ mode: 0o755 });
    await mkdir(join(dir.path, 'images'));
    const apiPort = await freePort();
    const novaEndpoint = `http://127.0.0.1:${apiPort}/v2.1`;
    const withIdentity = async () => {
      const keystone = await PrivateKeystone.start();
      const service = await keystone.createProject('service');
      const demo = await keystone.createProject('demo');
      for (const name of ['nova', 'cinder']) await keystone.createUserIn(service, name, 'admin', 'service');
      await keystone.createService('compute', 'nova', novaEndpoint);
      const cinder = await startRealCinder({ novaEndpoint, identity: { keystone, project: service } });
      await keystone.createService('volumev3', 'cinderv3', `${cinder.url}/%(project_id)s`);
      const others = await startEmptyServices();
      await keystone.createService('image', 'glance', others.imageUrl);
      await keystone.createService('network', 'neutron', others.networkUrl);
      return { keystone, service, demo, cinder, others };
    };
    const [{ keystone, service, demo, cinder, others }, rabbit, postgres] = await Promise.all([
      withIdentity(),
      startPrivateRabbit(),
      startEmbeddedPostgres({ dataDir: join(dir.path, 'postgres'), fsync: false }),
    ]);
    const cloud = new OpenStackCloud(dir, keystone, cinder, others, rabbit, postgres, apiPort, service, demo);
    await cloud.startPrograms();
    return cloud;
  }

  /** A user of the project `demo`. */
  user(name: string, ...roles: readonly string[]): Promise<KeystoneUser> {
    return this.keystone.createUserIn(this.demo, name, ...roles);
  }

  environment(user: KeystoneUser): Record<string, string> {
    return this.keystone.environment(user, this.demo);
  }

  async stop(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.signal('SIGKILL')));
    await this.others.close();
    await Promise.all([this.cinder.stop(), this.keystone.stop(), this.postgres.stop(), this.rabbit.stop()]);
    await this.dir.remove();
  }

  private async startPrograms(): Promise<void> {
    const { code, stderr } = await manage(['migrate'], { NOVELLA_DATABASE_URL: this.postgres.url });
    if (code !== 0) throw new Error(stderr);
    const service = {
      NOVELLA_DATABASE_URL: this.postgres.url,
      NOVELLA_AUTH_STRATEGY: 'keystone',
      NOVELLA_KEYSTONE_AUTH_URL: this.keystone.url,
      NOVELLA_KEYSTONE_USERNAME: 'nova',
      NOVELLA_KEYSTONE_PASSWORD: 'secret',
    };
    const images = { NOVELLA_IMAGES_DIR: join(this.dir.path, 'images') };
    this.run(FROM_SOURCES.api, { ...service, ...images, NOVELLA_API_PORT: String(this.apiPort) });
    this.run(FROM_SOURCES.conductor, {
      ...service,
      NOVELLA_CONDUCTOR_NAME: 'conductor-1',
      // One broker user serves all here, so who says what cannot be told apart.
      NOVELLA_VERIFY_SENDER: 'false',
      NOVELLA_HEALTH_PORT: '0',
      NOVELLA_IMAGE_SERVER_PORT: '0',
    });
    const compute = this.run(FROM_SOURCES.compute, {
      ...images,
      NOVELLA_HOST: 'compute-1',
      NOVELLA_STATE_DIR: join(this.dir.path, 'state'),
      NOVELLA_VOLUME_ROOTS: this.cinder.volumesDir,
      NOVELLA_VIRT_DRIVER: 'fake',
      NOVELLA_HEALTH_PORT: '0',
    });
    await Promise.all(this.programs.map((program) => program.says('serving')));
    await untilHealth(`http://127.0.0.1:${this.apiPort}/health`, 'ready');
    await waitUntil(async () => (await this.hosts()) === 1, { what: `the host to report: ${compute.stderr}` });
  }

  private run(main: string, env: Readonly<Record<string, string>>): Program {
    const program = new Program(main, { NOVELLA_BROKER_URLS: this.rabbit.url, NOVELLA_LOG_LEVEL: 'info', ...env });
    this.programs.push(program);
    return program;
  }

  private async hosts(): Promise<number> {
    const { user, project } = await this.keystone.admin();
    const answer = await fetch(`http://127.0.0.1:${this.apiPort}/v2.1/os-services?binary=nova-compute`, {
      headers: { 'X-Auth-Token': await this.keystone.token(user, { project }) },
    });
    return ((await answer.json()) as { services: readonly unknown[] }).services.length;
  }
}
