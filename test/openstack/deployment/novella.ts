import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { manage } from '../../../apps/manage/src/manage.js';
import { Member, type MemberSpec } from '../../../apps/cluster/src/member.js';
import { waitUntil } from '@novella/testing';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const LOADER = join(ROOT, 'test', 'bad-input', 'typescript.mjs');
const READY_LIMIT_MS = 120_000;

export interface NovellaOptions {
  readonly folder: string;
  readonly databaseUrl: string;
  /** With the user and password of nova-api, of the conductor, and of each host. */
  readonly brokerUrl: (user: string) => string;
  readonly ports: { readonly api: number; readonly conductor: number; readonly hosts: readonly number[] };
  readonly hosts: readonly HostSpec[];
  readonly identityUrl: string;
  /** The user that nova-api and conductor ask Keystone, Cinder and Glance as. */
  readonly serviceUser: { readonly name: string; readonly password: string; readonly project: string };
  readonly volumeRoots: readonly string[];
  readonly more: Readonly<Record<'api' | 'conductor' | 'compute', Readonly<Record<string, string>>>>;
}
export interface HostSpec {
  readonly name: string;
  readonly libvirtSocket: string;
  readonly stateDir: string;
}

/** Our services, each a process that is started again when it ends by itself. */
export class Novella {
  private constructor(private readonly members: readonly Member[]) {}

  static async start(options: NovellaOptions): Promise<Novella> {
    await mkdir(join(options.folder, 'log'), { recursive: true });
    const migrated = manage(['migrate'], { NOVELLA_DATABASE_URL: options.databaseUrl });
    const members = specs(options).map(
      (spec) =>
        new Member(spec, {
          logFile: logOf(options.folder, spec.name),
          onLine: () => undefined,
          onEnd: () => undefined,
          onAgain: () => undefined,
        }),
    );
    const novella = new Novella(members);
    try {
      await Promise.all(members.map((member) => member.start()));
      const { code, stderr } = await migrated;
      if (code !== 0) throw new Error(`the schema was not made: ${stderr}`);
      await Promise.all(members.map(({ spec }) => ready(spec, options.folder)));
      return novella;
    } catch (error) {
      await novella.stop();
      throw error;
    }
  }

  /** The process of that name now; 0 while there is none. */
  pidOf(name: string): number {
    return this.members.find(({ spec }) => spec.name === name)?.pid ?? 0;
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }
}

export const logOf = (folder: string, member: string): string => join(folder, 'log', `${member}.log`);

/** RabbitMQ's users and rights as deploy/rabbitmq makes them; answers the file for the broker and each user's password. */
export async function brokerDefinitions(folder: string, hosts: readonly string[]) {
  const passwordsFile = join(folder, 'passwords.json');
  const definitions = join(folder, 'definitions.json');
  const generator = join(ROOT, 'deploy', 'rabbitmq', 'definitions.mjs');
  const words = [generator, '--hosts', hosts.join(','), '--passwords', passwordsFile];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  await writeFile(definitions, stdout, { mode: 0o600 });
  const passwords = JSON.parse(await readFile(passwordsFile, 'utf8')) as Readonly<Record<string, string>>;
  return { definitions, passwordOf: (user: string): string => passwords[user] ?? '' };
}

function specs(options: NovellaOptions): MemberSpec[] {
  const { ports, hosts } = options;
  return [
    {
      name: 'nova-api',
      program: programOf('nova-api'),
      environment: { ...service(options, 'nova-api'), NOVELLA_API_PORT: String(ports.api), ...options.more.api },
      health: `http://127.0.0.1:${ports.api}/health/ready`,
    },
    {
      name: 'conductor',
      program: programOf('conductor'),
      environment: {
        ...service(options, 'conductor'),
        NOVELLA_CONDUCTOR_NAME: 'conductor',
        NOVELLA_HEALTH_PORT: String(ports.conductor),
        ...options.more.conductor,
      },
      health: `http://127.0.0.1:${ports.conductor}/health/ready`,
    },
    ...hosts.map((host, n) => compute(options, host, ports.hosts[n] ?? 0)),
  ];
}

function compute(options: NovellaOptions, host: HostSpec, healthPort: number): MemberSpec {
  return {
    name: host.name,
    program: programOf('compute'),
    environment: {
      NOVELLA_BROKER_URLS: options.brokerUrl(`compute-${host.name}`),
      NOVELLA_HOST: host.name,
      NOVELLA_STATE_DIR: host.stateDir,
      NOVELLA_VOLUME_ROOTS: options.volumeRoots.join(','),
      NOVELLA_LIBVIRT_SOCKET: host.libvirtSocket,
      NOVELLA_LIBVIRT_DOMAIN_TYPE: 'qemu',
      NOVELLA_HEALTH_PORT: String(healthPort),
      // Guests here do not listen to the power button.
      NOVELLA_SHUTDOWN_TIMEOUT_S: '1',
      ...options.more.compute,
    },
    health: `http://127.0.0.1:${healthPort}/health/ready`,
  };
}

const service = ({ brokerUrl, databaseUrl, identityUrl, serviceUser }: NovellaOptions, brokerUser: string) => ({
  NOVELLA_BROKER_URLS: brokerUrl(brokerUser),
  NOVELLA_DATABASE_URL: databaseUrl,
  NOVELLA_AUTH_STRATEGY: 'keystone',
  NOVELLA_KEYSTONE_AUTH_URL: identityUrl,
  NOVELLA_KEYSTONE_USERNAME: serviceUser.name,
  NOVELLA_KEYSTONE_PASSWORD: serviceUser.password,
  NOVELLA_KEYSTONE_PROJECT: serviceUser.project,
});

const programOf = (app: string): readonly string[] => [
  '--import',
  LOADER,
  '--max-semi-space-size=4',
  '--optimize-for-size',
  join(ROOT, 'apps', app, 'src', 'main.ts'),
];

async function ready({ name, health }: MemberSpec, folder: string): Promise<void> {
  const look = async () => (await fetch(health)).status === 200;
  try {
    await waitUntil(look, { what: `${name} to be ready`, timeout: READY_LIMIT_MS, every: 50 });
  } catch (error) {
    const log = (await readFile(logOf(folder, name), 'utf8').catch(() => '')).slice(-3000);
    throw new Error(`${name} is not ready; the end of its log:\n${log}`, { cause: error });
  }
}
