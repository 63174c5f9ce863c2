import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { manage } from '../../../apps/manage/src/manage.js';
import { Member, type MemberSpec } from '../../../apps/cluster/src/member.js';
import { waitUntil } from '@novella/testing';
import { ROOT } from './page.js';

const LOADER = join(ROOT, 'test', 'bad-input', 'typescript.mjs');
const READY_LIMIT_MS = 120_000;

export interface NovellaOptions {
  readonly folder: string;
  readonly databaseUrl: string;
  readonly services: readonly ServiceSpec[];
}
/** One of our programs with its settings. */
export interface ServiceSpec {
  readonly name: string;
  readonly app: 'nova-api' | 'conductor' | 'compute';
  readonly environment: Readonly<Record<string, string>>;
  readonly healthUrl: string;
}
export interface HostSpec {
  readonly name: string;
  readonly libvirtSocket: string;
  readonly stateDir: string;
}

/** Has Novella's exchange, which is called as Nova's, for itself. */
export const BROKER_VHOST = 'novella';

/** Our services, each a process that is started again when it ends by itself. */
export class Novella {
  private constructor(private readonly members: readonly Member[]) {}

  static async start(options: NovellaOptions): Promise<Novella> {
    await mkdir(join(options.folder, 'log'), { recursive: true });
    const migrated = manage(['migrate'], { NOVELLA_DATABASE_URL: options.databaseUrl });
    const members = options.services.map(
      ({ name, app, environment, healthUrl }) =>
        new Member(
          { name, program: programOf(app), environment, health: healthUrl },
          {
            logFile: logOf(options.folder, name),
            onLine: () => undefined,
            onEnd: () => undefined,
            onAgain: () => undefined,
          },
        ),
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
  const words = [generator, '--vhost', BROKER_VHOST, '--hosts', hosts.join(','), '--passwords', passwordsFile];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  await writeFile(definitions, stdout, { mode: 0o600 });
  const passwords = JSON.parse(await readFile(passwordsFile, 'utf8')) as Readonly<Record<string, string>>;
  return { definitions, passwordOf: (user: string): string => passwords[user] ?? '' };
}

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
