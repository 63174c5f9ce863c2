import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { RabbitInstallation, RabbitVersion } from './private-rabbit-installation.js';

/** The administrator that every private RabbitMQ has; it listens on the loopback only. */
export const USER = 'novella';
export const PASSWORD = 'novella';
const NODE_NAME = 'novella@localhost';

/** What a node of a cluster has besides its own settings. */
export interface Membership {
  /** `name@localhost` */
  readonly name: string;
  /** With Erlang's cookie, the same for all. */
  readonly home: string;
  /** After how long without a word a node takes another for dead; Erlang has 60 s by itself. */
  readonly netTickS: number;
}

export interface SettingsOptions {
  readonly directory: string;
  readonly member?: Membership;
  readonly installation: RabbitInstallation;
  readonly ports: { readonly amqp: number; readonly epmd: number; readonly distribution: number };
  readonly version?: RabbitVersion;
  readonly definitions?: string;
  readonly deliveryLimit?: number | null;
}

export interface Settings {
  readonly environment: NodeJS.ProcessEnv;
  readonly epmdArguments: readonly string[];
  readonly erlangArguments: readonly string[];
}

/** Writes what the broker reads at its start into `directory`. */
export async function writeSettings(options: SettingsOptions): Promise<Settings> {
  const { directory, ports, member } = options;
  const path = (name: string): string => join(directory, name);
  await linkCode(options.installation.plugins, path('code'));
  await writeFile(path('definitions.json'), JSON.stringify(await definitions(options)));
  await writeFile(path('rabbit.config'), config(ports.amqp, path('definitions.json'), member));
  await writeFile(path('enabled_plugins'), '[].\n');
  await writeFile(path('rabbitmq-env.conf'), '');
  const environment = {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    HOME: member?.home ?? path('home'),
    ERL_LIBS: path('code'),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_MAX_PORTS: '8192',
    ERL_CRASH_DUMP_SECONDS: '0',
    RABBITMQ_NODENAME: member?.name ?? NODE_NAME,
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_MNESIA_BASE: path('data'),
    RABBITMQ_LOG_BASE: path('log'),
    RABBITMQ_PLUGINS_DIR: path('code'),
    RABBITMQ_ENABLED_PLUGINS_FILE: path('enabled_plugins'),
    RABBITMQ_CONFIG_FILE: path('rabbit.config'),
    RABBITMQ_CONF_ENV_FILE: path('rabbitmq-env.conf'),
  };
  return {
    environment,
    epmdArguments: ['-address', '127.0.0.1', '-port', String(ports.epmd)],
    erlangArguments: [
      ...ERLANG_ARGUMENTS,
      ...(member === undefined ? [] : ['-kernel', 'net_ticktime', String(member.netTickS)]),
    ],
  };
}

// As rabbitmq-server starts it, with one scheduler that sleeps when there is nothing to do.
const ERLANG_ARGUMENTS = [
  ...['-pa', '', '-noshell', '-noinput', '-s', 'rabbit', 'boot', '-boot', 'start_sasl'],
  ...['+S', '1:1', '+sbwt', 'none', '+sbwtdcpu', 'none', '+sbwtdio', 'none', '+W', 'w'],
  ...['-kernel', 'inet_dist_use_interface', '{127,0,0,1}', '-kernel', 'prevent_overlapping_partitions', 'false'],
  ...['-syslog', 'logger', '[]', '-syslog', 'syslog_error_logger', 'false'],
];

/** Erlang looks for each of a thousand modules along its whole path: with only what the broker needs that is short. */
async function linkCode(plugins: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true });
  await mkdir(target);
  const folders = await readdir(plugins);
  const needed = new Set(['rabbit']);
  for (const application of needed) {
    const folder = folders.find((name) => name.startsWith(`${application}-`));
    if (folder === undefined) continue; // Erlang's own
    await symlink(join(plugins, folder), join(target, folder));
    const description = await readFile(join(plugins, folder, 'ebin', `${application}.app`), 'utf8');
    const uses = /\{\s*applications\s*,\s*\[([^\]]*)\]/.exec(description)?.[1] ?? '';
    for (const name of uses.match(/\w+/g) ?? []) needed.add(name);
  }
}

/** As Erlang terms: the newer format costs the start half a second. */
const config = (port: number, definitionsPath: string, member?: Membership): string => `[{rabbit, [
  ${member === undefined ? '' : '{cluster_partition_handling, pause_minority},'}
  {tcp_listeners, [{"127.0.0.1", ${port}}]},
  {loopback_users, []},
  {load_definitions, "${definitionsPath}"},
  {log, [{file, [{level, warning}]}, {console, [{enabled, false}]}]}
]}].
`;

const given = z.looseObject({
  users: z.array(z.looseObject({ name: z.string() })).default([]),
  vhosts: z.array(z.looseObject({ name: z.string() })).default([]),
  permissions: z.array(z.looseObject({ user: z.string(), vhost: z.string() })).default([]),
  policies: z.array(z.looseObject({ name: z.string() })).default([]),
});

/** What was given, and besides it our administrator, vhost `/` and the delivery limit. */
async function definitions(options: SettingsOptions): Promise<unknown> {
  const text = options.definitions === undefined ? '{}' : await readFile(options.definitions, 'utf8');
  const others = given.parse(JSON.parse(text));
  const vhosts = others.vhosts.some(({ name }) => name === '/') ? others.vhosts : [...others.vhosts, { name: '/' }];
  return {
    ...others,
    users: [...others.users.filter(({ name }) => name !== USER), administrator()],
    vhosts,
    permissions: [
      ...others.permissions.filter(({ user }) => user !== USER),
      ...vhosts.map(({ name: vhost }) => ({ user: USER, vhost, configure: '.*', write: '.*', read: '.*' })),
    ],
    policies: [...others.policies, ...deliveryLimitPolicy(options)],
  };
}

function administrator(): Record<string, unknown> {
  const salt = randomBytes(4);
  const hash = createHash('sha256').update(salt).update(PASSWORD).digest();
  return {
    name: USER,
    password_hash: Buffer.concat([salt, hash]).toString('base64'),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags: ['administrator'],
  };
}

/** 3.10 knows no word for "without limit", and needs none. */
function deliveryLimitPolicy({ version, deliveryLimit: limit }: SettingsOptions): Record<string, unknown>[] {
  if (limit === undefined || (limit === null && version !== '4')) return [];
  return [
    {
      vhost: '/',
      name: 'delivery-limit',
      pattern: '.*',
      'apply-to': 'queues',
      priority: -1_000,
      definition: { 'delivery-limit': limit ?? -1 },
    },
  ];
}
