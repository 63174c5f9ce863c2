import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { freePort } from './free-port.js';
import type { KeystoneProject, KeystoneUser } from './keystone-cloud.js';
import { temporaryDirectory } from './temporary-directory.js';

export interface PrivateGlanceOptions {
  /** A free one unless given. */
  readonly port?: number;
  /** Who checks tokens for it, and as whom it asks there. Without it the token `user:project` is believed. */
  readonly keystone?: { readonly url: string; readonly user: KeystoneUser; readonly project: KeystoneProject };
}

export interface NewImage {
  readonly name?: string;
  readonly disk_format?: string;
  readonly container_format?: string;
  /** `private` unless given; also any property: `kernel_id`, `hw_disk_bus`. */
  readonly [property: string]: string | number | undefined;
}

const PYTHON = '/usr/bin/python3';
const READY_LIMIT_MS = 120_000;
const ANSWER_LIMIT_MS = 60_000;
const POLL_MS = 20;

const created = z.object({ id: z.uuid() });

/**
 * A real Glance of a test's own, from Debian's python3-glance: one process on the loopback, sqlite and a file store in a
 * temporary folder, no daemon of the system touched. It ends with the process that asked for it, however that one ends.
 */
export class PrivateGlance {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  private child: ChildProcess | null = null;

  private constructor(
    port: number,
    private readonly folder: string,
  ) {
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(options: PrivateGlanceOptions = {}): Promise<PrivateGlance> {
    const { path: folder } = await temporaryDirectory();
    const port = options.port ?? (await freePort());
    for (const name of ['images', 'staging', 'tasks', 'locks']) await mkdir(join(folder, name));
    await writeFile(join(folder, 'glance-api.conf'), configuration(folder, port, options));
    await writeFile(join(folder, 'glance-api-paste.ini'), PASTE);
    const glance = new PrivateGlance(port, folder);
    try {
      await glance.resume();
    } catch (error) {
      await glance.stop();
      throw error;
    }
    return glance;
  }

  /** Makes an image of the data in the name of whoever has the token, and answers its id. */
  async upload(token: string, image: NewImage, data: Uint8Array | null): Promise<string> {
    const described = { disk_format: 'raw', container_format: 'bare', visibility: 'private', ...image };
    const { id } = created.parse(await this.call(token, 'POST', '/v2/images', described));
    if (data === null) return id;
    const answer = await fetch(`${this.url}/v2/images/${id}/file`, {
      method: 'PUT',
      headers: { 'X-Auth-Token': token, 'Content-Type': 'application/octet-stream' },
      body: Buffer.from(data),
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    if (!answer.ok) throw new Error(`Glance took no data: ${answer.status} ${await answer.text()}`);
    return id;
  }

  /** Throws unless it is done. */
  async call(token: string, method: string, path: string, body?: object, type = 'application/json'): Promise<unknown> {
    const answer = await fetch(this.url + path, {
      method,
      headers: { 'X-Auth-Token': token, ...(body === undefined ? {} : { 'Content-Type': type }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Glance: ${method} ${path}: ${answer.status} ${text}`);
    return answer.status === 204 ? null : (JSON.parse(text) as unknown);
  }

  /** Changes a property, or a field such as `visibility`. */
  async setProperty(token: string, id: string, name: string, value: string): Promise<void> {
    const patch = [{ op: 'add', path: `/${name}`, value }];
    await this.call(token, 'PATCH', `/v2/images/${id}`, patch, 'application/openstack-images-v2.1-json-patch');
  }

  /** Where its store has the data of an image, which a test may damage. */
  dataPath(id: string): string {
    return join(this.folder, 'images', id);
  }

  /** What it has been asked, a line each. */
  async log(): Promise<string> {
    return readFile(join(this.folder, 'out'), 'utf8');
  }

  /** Ends it at once; `resume` brings it back with all that is in it. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Resolves when it answers. Without effect when it runs. */
  async resume(): Promise<void> {
    if (this.child !== null) return;
    const log = await open(join(this.folder, 'out'), 'a');
    const program = join(import.meta.dirname, 'glance_in_one_process.py');
    const child = spawn(PYTHON, [program, this.folder, '--remove'], {
      stdio: ['pipe', log.fd, log.fd],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1' },
      // Its own session: Ctrl-C reaches us, and we decide.
      detached: true,
    });
    await log.close();
    child.stdin?.on('error', () => undefined); // it has ended
    const gone = (): void => {
      if (this.child === child) this.child = null;
    };
    child.once('error', gone).once('exit', gone);
    this.child = child;
    await this.untilItAnswers();
  }

  /** Ends it for good and removes its folder. May be called again. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async untilItAnswers(): Promise<void> {
    const deadline = performance.now() + READY_LIMIT_MS;
    while (!(await this.answers())) {
      if (!this.runs()) throw await this.failure('it ended while starting');
      if (performance.now() > deadline) throw await this.failure('it did not answer in time');
      await sleep(POLL_MS);
    }
  }

  private runs(): boolean {
    return this.child !== null;
  }

  /** Any answer is one: who asks without a token is refused. */
  private async answers(): Promise<boolean> {
    return fetch(this.url, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) }).then(
      async (answer) => {
        await answer.arrayBuffer();
        return true;
      },
      () => false,
    );
  }

  private async failure(what: string): Promise<Error> {
    const said = await this.log().catch(() => '');
    return new Error(`private Glance: ${what}\n${said.split('\n').slice(-40).join('\n')}`);
  }
}

const configuration = (folder: string, port: number, { keystone }: PrivateGlanceOptions): string => `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
workers = 0
enabled_backends = files:file
[database]
connection = sqlite:///${folder}/glance.sqlite
sqlite_synchronous = false
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = ${folder}/images
[os_glance_staging_store]
filesystem_store_datadir = ${folder}/staging
[os_glance_tasks_store]
filesystem_store_datadir = ${folder}/tasks
[paste_deploy]
config_file = ${folder}/glance-api-paste.ini
flavor = ${keystone === undefined ? 'believed' : 'keystone'}
[oslo_concurrency]
lock_path = ${folder}/locks
[oslo_messaging_notifications]
driver = noop
${keystone === undefined ? '' : authToken(keystone)}`;

const authToken = ({
  url,
  user,
  project,
}: NonNullable<PrivateGlanceOptions['keystone']>): string => `[keystone_authtoken]
auth_type = password
www_authenticate_uri = ${url}
auth_url = ${url}
username = ${user.name}
password = ${user.password}
user_domain_id = ${user.domainId}
project_name = ${project.name}
project_domain_id = ${project.domainId}
`;

const PASTE = `[pipeline:glance-api-believed]
pipeline = believed context rootapp
[pipeline:glance-api-keystone]
pipeline = versions authtoken context rootapp
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
[filter:believed]
paste.filter_factory = __main__:believed_tokens
[filter:versions]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
`;
