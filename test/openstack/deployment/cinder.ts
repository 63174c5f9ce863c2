import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CinderProcess } from '../cinder-process.js';
import type { Account, Identity } from './identity.js';
import type { Page } from './page.js';

const run = promisify(execFile);

/** How long Cinder believes a token that Keystone has called good. */
export const TOKEN_CACHE_S = 2;

/** Where Cinder's Ceph back end finds its cluster. */
export interface CephAccess {
  readonly configFile: string;
  readonly pool: string;
  /** The cephx user, without `client.`. */
  readonly user: string;
  /** Names the secret that a hypervisor has the user's key in. */
  readonly secretId: string;
}

export interface CinderOptions {
  readonly page: Page;
  readonly folder: string;
  readonly port: number;
  readonly identity: Identity;
  /** null: only files and loop devices. */
  readonly ceph: CephAccess | null;
  /** Of all encrypted volumes, in hexadecimal. */
  readonly fixedKey: string;
}

/** The volume types, each with its back end; `multiattach` may be on several servers. */
export const VOLUME_TYPES = {
  files: { backEnd: 'files' },
  loops: { backEnd: 'loops' },
  'files-shared': { backEnd: 'files', isShared: true },
  'files-luks': { backEnd: 'files', isEncrypted: true },
  ceph: { backEnd: 'ceph' },
  'ceph-shared': { backEnd: 'ceph', isShared: true },
  'ceph-luks': { backEnd: 'ceph', isEncrypted: true },
} as const satisfies Record<string, VolumeTypeSpec>;
export type VolumeType = keyof typeof VOLUME_TYPES;
interface VolumeTypeSpec {
  readonly backEnd: 'files' | 'loops' | 'ceph';
  readonly isShared?: boolean;
  readonly isEncrypted?: boolean;
}

export interface Cinder {
  /** What hosts must be allowed to open. */
  readonly volumesDir: string;
  /** Volumes that are still attached may keep no loop device of the machine. */
  stop(): Promise<void>;
}

/** OpenStack's own Cinder with Keystone, in one process; ready when all back ends are, and the volume types are there. */
export async function startCinder(options: CinderOptions): Promise<Cinder> {
  const volumesDir = join(options.folder, 'volumes');
  for (const name of ['state', 'locks', 'volumes', 'state/conversion']) await mkdir(join(options.folder, name));
  await writeFile(join(options.folder, 'cinder.conf'), configuration(options, volumesDir), { mode: 0o600 });
  const process = await CinderProcess.start({ folder: options.folder });
  const stop = async () => {
    await process.stop();
    await detachLoops(volumesDir);
  };
  try {
    const cloud = new Administration(options);
    await process.ready(async () => (await cloud.pools()) === backEndsOf(options).length);
    await cloud.createTypes();
    return { volumesDir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function detachLoops(folder: string): Promise<void> {
  const { stdout } = await run('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
  for (const line of stdout.split('\n')) {
    const [device = '', file = ''] = line.trim().split(/\s+/);
    if (file.startsWith(`${folder}/`)) await run('losetup', ['--detach', device]);
  }
}

const backEndsOf = ({ ceph }: CinderOptions) => (ceph === null ? ['files', 'loops'] : ['files', 'loops', 'ceph']);

function configuration(options: CinderOptions, volumesDir: string): string {
  const { folder, port, identity, ceph, fixedKey } = options;
  const { services } = identity;
  return `[DEFAULT]
state_path = ${folder}/state
log_dir = ${folder}
auth_strategy = keystone
transport_url = fake://
api_paste_config = /etc/cinder/api-paste.ini
rootwrap_config = /etc/cinder/rootwrap.conf
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = ${port}
osapi_volume_workers = 1
my_ip = 127.0.0.1
host = block
enabled_backends = ${backEndsOf(options).join(',')}
default_volume_type = ${ceph === null ? 'files' : 'ceph'}
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
[key_manager]
backend = cinder.keymgr.conf_key_mgr.ConfKeyManager
fixed_key = ${fixedKey}
[keystone_authtoken]
${passwordAuth(identity, services.cinder)}
www_authenticate_uri = ${identity.keystone.url}
interface = internal
# Far less than the 300 s of most clouds: a token that was revoked is soon refused.
token_cache_time = ${TOKEN_CACHE_S}
[files]
volume_backend_name = files
volume_driver = novella_file_driver.FileDriver
file_volumes_dir = ${volumesDir}
[loops]
volume_backend_name = loops
volume_driver = novella_file_driver.FileDriver
file_volumes_dir = ${volumesDir}
file_use_loop = true
${ceph === null ? '' : cephBackEnd(ceph)}${asDocumented(options)}`;
}

/** Step 4 of docs/openstack.md. */
const asDocumented = ({ page, identity: { keystone, services } }: CinderOptions): string =>
  page.block('cinder.conf', [
    ['http://controller:5000/v3', keystone.url],
    ['CINDER_PASSWORD', services.cinder.user.password],
    ['RegionOne', keystone.region],
  ]);

const passwordAuth = ({ keystone }: Identity, { user, project }: Account): string => `auth_type = password
auth_url = ${keystone.url}
username = ${user.name}
password = ${user.password}
user_domain_id = ${user.domainId}
project_name = ${project.name}
project_domain_id = ${project.domainId}`;

const cephBackEnd = ({ configFile, pool, user, secretId }: CephAccess): string => `[ceph]
volume_backend_name = ceph
volume_driver = cinder.volume.drivers.rbd.RBDDriver
rbd_pool = ${pool}
rbd_user = ${user}
rbd_ceph_conf = ${configFile}
rbd_cluster_name = ceph
rbd_secret_uuid = ${secretId}
rbd_exclusive_cinder_pool = true
rados_connect_timeout = 10
`;

/** What an operator does once after the installation, as the administrator. */
class Administration {
  private readonly api: string;
  private token: Promise<string> | null = null;

  constructor(private readonly options: CinderOptions) {
    this.api = `http://127.0.0.1:${options.port}/v3/${options.identity.admin.project.id}`;
  }

  /** How many storage pools the scheduler knows: before it knows one, a volume would be scheduled nowhere. */
  async pools(): Promise<number> {
    const { pools } = (await this.call('GET', '/scheduler-stats/get_pools')) as { pools: unknown[] };
    return pools.length;
  }

  async createTypes(): Promise<void> {
    const known = backEndsOf(this.options);
    for (const [name, spec] of Object.entries<VolumeTypeSpec>(VOLUME_TYPES)) {
      if (!known.includes(spec.backEnd)) continue;
      const extra_specs = {
        volume_backend_name: spec.backEnd,
        ...(spec.isShared === true ? { multiattach: '<is> True' } : {}),
      };
      const made = await this.call('POST', '/types', { volume_type: { name, extra_specs } });
      if (spec.isEncrypted !== true) continue;
      const { id } = (made as { volume_type: { id: string } }).volume_type;
      await this.call('POST', `/types/${id}/encryption`, { encryption: LUKS });
    }
  }

  private async call(method: string, path: string, body?: object): Promise<unknown> {
    const { keystone, admin } = this.options.identity;
    this.token ??= keystone.token(admin.user, { project: admin.project });
    const answer = await fetch(this.api + path, {
      method,
      headers: { 'X-Auth-Token': await this.token, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Cinder answered ${answer.status} to ${method} ${path}: ${text}`);
    return JSON.parse(text);
  }
}

const LUKS = { provider: 'luks', cipher: 'aes-xts-plain64', key_size: 256, control_location: 'front-end' };
