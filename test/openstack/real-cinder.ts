import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, type KeystoneProject, type PrivateKeystone } from '@novella/testing';
import { CinderProcess } from './cinder-process.js';
import { rawCinder, type RawCinder } from './raw-cinder.js';

export interface RealCinderOptions {
  /** `http://host:port/v2.1`: where Cinder posts its events. */
  readonly novaEndpoint: string;
  /** What it shows Nova as X-Auth-Token; keystoneauth's `notused` unless given. */
  readonly novaToken?: string;
  /** Tokens are Keystone's, and Nova is where its catalog says. Unless given, every token is believed. */
  readonly identity?: CinderIdentity;
  /** Hosts are given loop devices instead of files. */
  readonly useLoop?: boolean;
}
/** The user `cinder`, password `secret`, has the roles admin and service on `project`. */
export interface CinderIdentity {
  readonly keystone: PrivateKeystone;
  readonly project: KeystoneProject;
}
export interface RealCinder {
  /** `http://127.0.0.1:port/v3` */
  readonly url: string;
  /** Goes into the URL and into the token `user:project`; with Keystone that of its administrator. */
  readonly project: string;
  readonly multiattachType: string;
  /** Where its back end keeps the volumes' files. */
  readonly volumesDir: string;
  stop(): Promise<void>;
}

/**
 * OpenStack's own Cinder in one process, without broker or database server: sqlite, sparse files; noauth unless an
 * identity is given.
 * Everything is in a folder that `stop` removes. Fails with the end of Cinder's log.
 */
export async function startRealCinder(options: RealCinderOptions): Promise<RealCinder> {
  const folder = await mkdtemp(join(tmpdir(), 'real-cinder-'));
  const port = await freePort();
  const { project, token } = await administrator(options);
  const url = `http://127.0.0.1:${port}/v3`;
  await writeConfiguration(folder, port, options);

  const cinder = await CinderProcess.start({ folder });
  const stop = async () => {
    await cinder.stop();
    await detachLoops(join(folder, 'volumes'));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const raw = rawCinder(url, project, token);
    await cinder.ready(() => schedulerKnowsBackEnd(raw));
    const multiattachType = await createMultiattachType(raw);
    return { url, project, multiattachType, volumesDir: join(folder, 'volumes'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function administrator({ identity }: RealCinderOptions): Promise<{ project: string; token?: string }> {
  if (identity === undefined) return { project: 'd'.repeat(32) };
  const { user, project } = await identity.keystone.admin();
  return { project: project.id, token: await identity.keystone.token(user, { project }) };
}

async function writeConfiguration(folder: string, port: number, options: RealCinderOptions): Promise<void> {
  for (const name of ['state', 'locks', 'volumes']) await mkdir(join(folder, name));
  const config = `
[DEFAULT]
state_path = ${folder}/state
auth_strategy = ${options.identity === undefined ? 'noauth' : 'keystone'}
transport_url = fake://
api_paste_config = /etc/cinder/api-paste.ini
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = ${port}
osapi_volume_workers = 1
my_ip = 127.0.0.1
host = test
enabled_backends = files
report_interval = 2
service_down_time = 60
quota_volumes = -1
quota_gigabytes = -1
[database]
connection = sqlite:///${folder}/cinder.sqlite
[oslo_concurrency]
lock_path = ${folder}/locks
[oslo_messaging_notifications]
driver = noop
${identitySections(options)}
[files]
volume_backend_name = files
volume_driver = novella_file_driver.FileDriver
file_volumes_dir = ${folder}/volumes
file_use_loop = ${String(options.useLoop ?? false)}
`;
  await writeFile(join(folder, 'cinder.conf'), config);
}

function identitySections({ identity, novaToken, novaEndpoint }: RealCinderOptions): string {
  if (identity === undefined) {
    const auth = novaToken === undefined ? 'auth_type = none' : `auth_type = admin_token\ntoken = ${novaToken}`;
    return `[nova]\n${auth}\nendpoint = ${novaEndpoint}`;
  }
  const itself = `auth_type = password
auth_url = ${identity.keystone.url}
username = cinder
password = secret
user_domain_id = default
project_id = ${identity.project.id}`;
  return `[keystone_authtoken]
${itself}
service_token_roles_required = true
[nova]
${itself}
interface = internal
[service_user]
send_service_user_token = true
${itself}`;
}

/** Ready when the scheduler knows the back end: before that, a volume would be scheduled nowhere and end in error. */
async function schedulerKnowsBackEnd(raw: RawCinder): Promise<boolean> {
  const { body } = await raw.call('GET', '/scheduler-stats/get_pools');
  return ((body as { pools?: unknown[] }).pools ?? []).length > 0;
}

async function createMultiattachType(raw: RawCinder): Promise<string> {
  const volume_type = { name: 'multiattach', extra_specs: { multiattach: '<is> True' } };
  const { status } = await raw.call('POST', '/types', { body: { volume_type } });
  if (status !== 200) throw new Error(`Cinder refused a volume type with ${status}`);
  return volume_type.name;
}

const execute = promisify(execFile);
async function run(command: string, options: string[]): Promise<string> {
  const { stdout } = await execute(command, options, {
    timeout: 120_000,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  return stdout;
}

async function detachLoops(volumes: string): Promise<void> {
  const lines = (await run('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'])).trim().split('\n');
  for (const line of lines) {
    const [device, file] = line.split(/\s+/);
    if (device !== undefined && file?.startsWith(`${volumes}/`)) await run('losetup', ['--detach', device]);
  }
}
