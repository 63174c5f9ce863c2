import 'reflect-metadata';
import { chmod, lstat, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytes, type Log, type ServerId } from '@novella/core';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@novella/persistence';
import { systemClock, systemRandom } from '@novella/service-kit';
import { freePort, temporaryDirectory, type TemporaryDirectory, waitUntil } from '@novella/testing';
import { FakeDriver } from '@novella/virt';
import { Client } from 'pg';
import { type CinderDev, startCinderDev } from '../../apps/cinder-dev/src/start-cinder-dev.js';
import { type Standalone, startStandalone } from '../../apps/standalone/src/standalone.js';
import { StandaloneConfig } from '../../apps/standalone/src/standalone.config.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
export const PROJECT = 'd'.repeat(32);
export const USER = `alice:${PROJECT}`;
export const ADMIN = `admin:${PROJECT}`;
/** m1.nano has no disk, m1.tiny has 1 GiB and 512 MiB. */
export const NANO = '42';
export const TINY = '1';
export const NO_SUCH_ID = '00000000-1111-4222-8333-444444444444';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** An empty object for what is no JSON. */
  readonly json: AnswerJson;
}

/** What tests read out of answers; which part is there depends on the answer. */
export interface AnswerJson {
  readonly server: ServerJson;
  readonly servers: readonly ServerJson[];
  readonly events: readonly { readonly code: number }[];
  readonly volumeAttachments: readonly { readonly volumeId: string }[];
  readonly instanceActions: readonly ActionJson[];
  readonly instanceAction: ActionJson;
  readonly volume: { readonly id: string; readonly status: string; readonly size: number };
  readonly attachments: readonly { readonly id: string }[];
}
export interface ServerJson {
  readonly id: string;
  readonly status: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly 'OS-EXT-STS:task_state': string | null;
  readonly fault?: { readonly code: number; readonly message: string; readonly details?: string };
}
interface ActionJson {
  readonly action: string;
  readonly request_id: string;
  readonly message: string | null;
  readonly events: readonly EventJson[];
}
interface EventJson {
  readonly event: string;
  readonly result: string | null;
  readonly finish_time: string | null;
  readonly details: string | null;
}

export interface Ask {
  readonly body?: unknown;
  readonly version?: string;
  readonly as?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What users and administrators make: everything but the hosts' own reports. */
const TABLES = [
  'flavor',
  'key_pair',
  'instance',
  'instance_extra',
  'block_device_mapping',
  'operation',
  'instance_action',
  'instance_action_event',
  'external_event',
];

/**
 * The whole product in this process with guests in memory, on a real Postgres of its own and beside a development
 * Cinder, both of which can be stopped and started again where they were.
 */
export class Novella {
  private constructor(
    readonly dir: TemporaryDirectory,
    readonly virt: FakeDriver,
    readonly standalone: Standalone,
    private postgres: EmbeddedPostgres,
    private cinderDev: CinderDev,
  ) {}

  static async start(settings: { volumesOutside?: true } = {}): Promise<Novella> {
    const dir = await temporaryDirectory();
    await chmod(dir.path, 0o755);
    for (const name of ['images', 'volumes', 'elsewhere']) await mkdir(join(dir.path, name));
    const postgres = await startEmbeddedPostgres({ dataDir: join(dir.path, 'postgres'), fsync: false });
    const port = await freePort();
    const cinder = await openCinder(dir.path, 0, port);
    const config = Object.assign(new StandaloneConfig(), {
      stateDir: join(dir.path, 'state'),
      port,
      authStrategy: 'noauth2',
      cinderEndpoint: cinder.url,
      imagesDir: join(dir.path, 'images'),
      volumeRoots: [join(dir.path, settings.volumesOutside === true ? 'elsewhere' : 'volumes')],
      host: 'host-1',
      databaseUrl: postgres.url,
    } as const);
    const virt = new FakeDriver({ deviceSize: async ({ path }) => bytes((await lstat(path)).size) });
    const standalone = await startStandalone(config, {
      virt,
      clock: systemClock,
      random: systemRandom,
      log: silent,
      onStateLost: () => {
        throw new Error('the state directory was lost');
      },
    });
    return new Novella(dir, virt, standalone, postgres, cinder);
  }

  async close(): Promise<void> {
    await this.standalone.stop();
    await this.virt.close();
    await this.cinderDev.close();
    await this.postgres.stop();
    await this.dir.remove();
  }

  stopCinder = (): Promise<void> => this.cinderDev.close();

  /** `mute`: it cannot reach Nova, so what it tells is lost. */
  async startCinder(how: { mute?: true } = {}): Promise<void> {
    const nova = how.mute === true ? await freePort() : Number(new URL(this.standalone.apiUrl).port);
    this.cinderDev = await openCinder(this.dir.path, Number(new URL(this.cinderDev.url).port), nova);
  }

  stopPostgres = (): Promise<void> => this.postgres.stop();

  async startPostgres(): Promise<void> {
    const { port } = this.postgres;
    this.postgres = await startEmbeddedPostgres({ dataDir: join(this.dir.path, 'postgres'), port, fsync: false });
  }

  /** All rows of what they make, as text: the same before and after means that nothing was written. */
  async rows(): Promise<Readonly<Record<string, readonly string[]>>> {
    const client = new Client({ connectionString: this.postgres.url });
    await client.connect();
    try {
      const found: Record<string, string[]> = {};
      for (const table of TABLES) {
        const { rows } = await client.query<{ row: string }>(`select t::text as row from ${table} t order by 1`);
        found[table] = rows.map(({ row }) => row);
      }
      return found;
    } finally {
      await client.end();
    }
  }

  nova(method: string, path: string, { version = '2.96', ...ask }: Ask = {}): Promise<Answer> {
    return send(method, this.standalone.apiUrl + path, { ...ask, version: `compute ${version}` });
  }

  cinder(method: string, path: string, body?: unknown): Promise<Answer> {
    const url = `${this.cinderDev.url}/${PROJECT}${path}`;
    return send(method, url, { version: 'volume 3.44', as: ADMIN, ...(body === undefined ? {} : { body }) });
  }

  /** Describes an image, and writes its file when there is content. Answers its id. */
  async image(id: string, description: object, content?: string): Promise<string> {
    const folder = join(this.dir.path, 'images');
    if (content !== undefined) await writeFile(join(folder, `${id}.raw`), content);
    const whole = { id, name: 'image', disk_format: 'raw', file: `${id}.raw`, ...description };
    await writeFile(join(folder, `${id}.json`), JSON.stringify(whole));
    return id;
  }

  requestServer(fields: object, ask: Ask = {}): Promise<Answer> {
    const server = { name: 'vm', flavorRef: TINY, networks: 'none', ...fields };
    return this.nova('POST', '/servers', { as: USER, ...ask, body: { server } });
  }

  async server(imageRef: string): Promise<string> {
    const answer = await this.requestServer({ imageRef });
    if (answer.status !== 202) throw new Error(`no server: ${answer.text}`);
    const { id } = answer.json.server;
    await this.untilServer(id, 'ACTIVE');
    return id;
  }

  async show(server: string): Promise<ServerJson> {
    return (await this.nova('GET', `/servers/${server}`, { as: ADMIN })).json.server;
  }

  /** The server once its build has ended, which must be in this status. */
  async untilServer(server: string, status: string): Promise<ServerJson> {
    const look = async () => {
      const shown = await this.show(server);
      return shown['OS-EXT-STS:task_state'] === null && shown;
    };
    const shown = await waitUntil(look, { what: `the build of server ${server} to end` });
    if (shown.status !== status) throw new Error(`server ${server} is not ${status}: ${JSON.stringify(shown)}`);
    return shown;
  }

  async deleteServer(server: string): Promise<void> {
    const { status } = await this.nova('DELETE', `/servers/${server}`, { as: ADMIN });
    if (status !== 204) throw new Error(`not deleted: ${status}`);
    const look = async () => (await this.nova('GET', `/servers/${server}`, { as: ADMIN })).status === 404;
    await waitUntil(look, { what: `server ${server} to be gone` });
  }

  /** What the guest sees of the volume. */
  async guestBytes(server: string, volume: string): Promise<number | null> {
    const guest = await this.virt.guest(server as ServerId);
    return guest?.disks.find((disk) => disk.volume === volume)?.guestBytes ?? null;
  }

  /** The code of the health check. */
  async health(): Promise<number> {
    return (await fetch(new URL('/health', this.standalone.apiUrl))).status;
  }

  async volume(size = 1): Promise<string> {
    const { json } = await this.cinder('POST', '/volumes', { volume: { size } });
    const { id } = json.volume;
    await this.untilVolume(id, 'available');
    return id;
  }

  async untilVolume(id: string, status: string): Promise<void> {
    await waitUntil(async () => (await this.volumeStatus(id)) === status, { what: `volume ${id} to be ${status}` });
  }

  async volumeStatus(id: string): Promise<string> {
    return (await this.cinder('GET', `/volumes/${id}`)).json.volume.status;
  }

  /** All attachments of the volume at Cinder, reserved ones too. */
  async attachmentsAtCinder(volume: string): Promise<AnswerJson['attachments']> {
    return (await this.cinder('GET', `/attachments?volume_id=${volume}&all_tenants=1`)).json.attachments;
  }

  attach(server: string, volumeId: string, as: string = USER): Promise<Answer> {
    const body = { volumeAttachment: { volumeId } };
    return this.nova('POST', `/servers/${server}/os-volume_attachments`, { as, body });
  }

  async attachedVolume(server: string): Promise<string> {
    const volume = await this.volume();
    const answer = await this.attach(server, volume);
    if (answer.status !== 200) throw new Error(`not attached: ${answer.text}`);
    await this.untilVolume(volume, 'in-use');
    await this.endedAction(server, 'attach_volume');
    return volume;
  }

  async attachments(server: string): Promise<AnswerJson['volumeAttachments']> {
    return (await this.nova('GET', `/servers/${server}/os-volume_attachments`)).json.volumeAttachments;
  }

  event(server: string, tag: string) {
    return { name: 'volume-extended', server_uuid: server, tag };
  }

  postEvents(events: unknown, ask: Ask = {}): Promise<Answer> {
    return this.nova('POST', '/os-server-external-events', { as: ADMIN, body: { events }, ...ask });
  }

  async actions(server: string, kind: string): Promise<ActionJson[]> {
    const path = `/servers/${server}/os-instance-actions`;
    const { json } = await this.nova('GET', path, { as: ADMIN });
    const found = json.instanceActions.filter(({ action }) => action === kind);
    return Promise.all(
      found.map(
        async ({ request_id }) => (await this.nova('GET', `${path}/${request_id}`, { as: ADMIN })).json.instanceAction,
      ),
    );
  }

  /** The event of the newest action of the kind, once it has ended. */
  async endedAction(server: string, kind: string, timeout = 30_000): Promise<EventJson> {
    const look = async () => {
      const [action] = await this.actions(server, kind);
      const event = action?.events[0];
      return event !== undefined && event.finish_time !== null && event;
    };
    return waitUntil(look, { what: `the action ${kind} of ${server} to end`, timeout });
  }
}

function openCinder(dir: string, port: number, novaPort: number): Promise<CinderDev> {
  return startCinderDev({
    port,
    dataDir: join(dir, 'volumes'),
    novaEndpoint: `http://127.0.0.1:${novaPort}/v2.1`,
    novaHeaders: { 'X-Auth-Token': 'admin:service' },
    log: silent,
  });
}

async function send(method: string, url: string, { as = USER, version, headers, body }: Ask): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      'X-Auth-Token': as,
      ...(version === undefined ? {} : { 'OpenStack-API-Version': version }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parse(text) };
}

function parse(text: string): AnswerJson {
  try {
    return (JSON.parse(text) ?? {}) as AnswerJson;
  } catch {
    return {} as AnswerJson;
  }
}

/** The one key of a fault's body. */
export const faultKey = ({ json }: Answer): string => Object.keys(json).join();
