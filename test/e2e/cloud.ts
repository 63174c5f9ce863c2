import 'reflect-metadata';
import { chmod, cp, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytes, type Log, type ServerId, type VolumeId } from '@novella/core';
import { systemClock, systemRandom } from '@novella/service-kit';
import {
  freePort,
  GuestConsole,
  type GuestImages,
  guestImages,
  type PrivateLibvirtd,
  startPrivateLibvirtd,
  temporaryDirectory,
  type TemporaryDirectory,
  waitUntil,
} from '@novella/testing';
import { LibvirtDriver } from '@novella/virt';
import { startCinderDev } from '../../apps/cinder-dev/src/start-cinder-dev.js';
import { type Standalone, startStandalone } from '../../apps/standalone/src/standalone.js';
import { StandaloneConfig } from '../../apps/standalone/src/standalone.config.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
export const PROJECT = 'd'.repeat(32);
const FLAVOR = '84';

export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
}
interface ActionJson {
  readonly action: string;
  readonly request_id: string;
  readonly message: string | null;
  readonly events: readonly {
    readonly event: string;
    readonly result: string | null;
    readonly finish_time: string | null;
    readonly details?: string | null;
  }[];
}

/** A block storage service that has been told where Nova is. */
export interface BlockStorage {
  /** `http://host:port/v3` */
  readonly url: string;
  /** Where its volumes' files are. */
  readonly volumesDir: string;
  close(): Promise<void>;
}
export type StartBlockStorage = (nova: { endpoint: string; token: string }, dir: string) => Promise<BlockStorage>;

/** The development Cinder; with `eventsTo` it tells that URL of what has grown, and Novella hears what a test posts. */
export function developmentCinder(options: { useLoop?: boolean; eventsTo?: string } = {}): StartBlockStorage {
  return async ({ endpoint, token }, dir) => {
    const volumesDir = join(dir, 'volumes');
    await mkdir(volumesDir);
    const cinder = await startCinderDev({
      port: 0,
      dataDir: volumesDir,
      novaEndpoint: options.eventsTo ?? endpoint,
      novaHeaders: { 'X-Auth-Token': token },
      useLoop: options.useLoop ?? false,
      log: silent,
    });
    return { url: cinder.url, volumesDir, close: () => cinder.close() };
  };
}

/** Runs Novella with this configuration; `hypervisor` is the test's own connection, which an in-process one may share. */
export type StartNovella = (
  config: StandaloneConfig,
  hypervisor: { driver: LibvirtDriver; socketPath: string },
) => Promise<Pick<Standalone, 'apiUrl' | 'stop'>>;

export const inThisProcess: StartNovella = (config, { driver }) =>
  startStandalone(config, {
    virt: driver,
    clock: systemClock,
    random: systemRandom,
    log: silent,
    onStateLost: () => {
      throw new Error('the state directory was lost');
    },
  });

/** The whole product with a real libvirt, real guests and a real Postgres, beside a block storage service. */
export class Cloud {
  private constructor(
    readonly images: GuestImages,
    private readonly imagesDir: string,
    readonly dir: TemporaryDirectory,
    readonly libvirtd: PrivateLibvirtd,
    readonly hypervisor: LibvirtDriver,
    readonly cinder: BlockStorage,
    readonly novella: Pick<Standalone, 'apiUrl' | 'stop'>,
  ) {}

  static async start(startCinder: StartBlockStorage, startNovella = inThisProcess): Promise<Cloud> {
    const images = await guestImages();
    const dir = await temporaryDirectory();
    await chmod(dir.path, 0o755);
    const imagesDir = join(dir.path, 'images');
    await cp(images.imagesDir, imagesDir, { recursive: true });
    const libvirtd = await startPrivateLibvirtd();
    const port = await freePort();
    const nova = { endpoint: `http://127.0.0.1:${port}/v2.1`, token: 'admin:service' };
    const cinder = await startCinder(nova, dir.path);
    const hypervisor = await LibvirtDriver.open({ socketPath: libvirtd.socketPath, domainType: 'qemu' });
    const config = Object.assign(new StandaloneConfig(), {
      stateDir: join(dir.path, 'novella'),
      port,
      authStrategy: 'noauth2',
      cinderEndpoint: cinder.url,
      imagesDir,
      volumeRoots: [cinder.volumesDir, '/dev/loop*'],
      host: 'e2e',
    } as const);
    const novella = await startNovella(config, { driver: hypervisor, socketPath: libvirtd.socketPath });
    return new Cloud(images, imagesDir, dir, libvirtd, hypervisor, cinder, novella);
  }

  /** Ends everything; guests that are left end with their libvirtd. */
  async stop(): Promise<void> {
    await this.novella.stop();
    await this.hypervisor.close();
    await this.libvirtd.stop();
    await this.cinder.close();
    await this.dir.remove();
  }

  nova<Body>(method: string, path: string, body?: unknown, version = '2.84'): Promise<Answer<Body>> {
    return send(this.novella.apiUrl + path, method, `compute ${version}`, body);
  }

  volumes<Body>(method: string, path: string, body?: unknown): Promise<Answer<Body>> {
    return send(`${this.cinder.url}/${PROJECT}${path}`, method, 'volume 3.44', body);
  }

  /** A running server whose guest has booted, with its console. */
  async server(imageRef: string): Promise<{ id: string; guest: GuestConsole }> {
    const id = await this.activeServer({ imageRef });
    const guest = new GuestConsole(join(this.dir.path, 'novella', 'compute', 'instances', id, 'console.log'));
    await guest.ready();
    return { id, guest };
  }

  /** A server that is ACTIVE, whatever its guest does. */
  async activeServer(from: object): Promise<string> {
    const request = { server: { name: 'guest', flavorRef: FLAVOR, networks: 'none', ...from } };
    const created = await this.nova<{ server: { id: string } }>('POST', '/servers', request);
    if (created.status !== 202) throw new Error(`no server: ${JSON.stringify(created)}`);
    const { id } = created.body.server;
    await waitUntil(async () => (await this.status(id)) !== 'BUILD', { what: 'the server to be built' });
    const { body } = await this.nova<{ server: { status: string; fault?: unknown } }>('GET', `/servers/${id}`);
    if (body.server.status !== 'ACTIVE') throw new Error(`the server is not active: ${JSON.stringify(body.server)}`);
    return id;
  }

  /** An action of a server that was accepted, and has led to the status. */
  async act(server: string, action: string, status: string): Promise<void> {
    const answer = await this.nova('POST', `/servers/${server}/action`, { [action]: null });
    if (answer.status !== 202) throw new Error(`no ${action}: ${JSON.stringify(answer)}`);
    await waitUntil(async () => (await this.status(server)) === status, { what: `the server to be ${status}` });
  }

  async status(server: string): Promise<string> {
    const { body } = await this.nova<{ server: { status: string } }>('GET', `/servers/${server}`);
    return body.server.status;
  }

  async deleteServer(id: string): Promise<void> {
    await this.nova('DELETE', `/servers/${id}`);
    await waitUntil(async () => (await this.nova('GET', `/servers/${id}`)).status === 404, {
      what: 'the server to be gone',
    });
  }

  /** A raw disk image of 64 MiB with nothing to boot, in the folder of images. */
  async diskImage(): Promise<string> {
    const id = 'd15c0000-0000-4000-8000-000000000001';
    await writeFile(join(this.imagesDir, 'disk.raw'), '');
    await truncate(join(this.imagesDir, 'disk.raw'), 64 * 2 ** 20);
    const description = { id, name: 'disk', disk_format: 'raw', file: 'disk.raw' };
    await writeFile(join(this.imagesDir, `${id}.json`), JSON.stringify(description));
    return id;
  }

  /** The guest's own image again, with these words more on its kernel's command line. */
  async imageWith(words: string): Promise<string> {
    const id = 'd15c0000-0000-4000-8000-000000000002';
    const path = join(this.imagesDir, `${this.images.imageId}.json`);
    const image = JSON.parse(await readFile(path, 'utf8')) as { properties: { os_command_line: string } };
    const properties = { ...image.properties, os_command_line: `${image.properties.os_command_line} ${words}` };
    await writeFile(join(this.imagesDir, `${id}.json`), JSON.stringify({ ...image, id, properties }));
    return id;
  }

  /** A volume of 1 GiB that is available; of the default type unless told. */
  async volume(type?: string): Promise<VolumeId> {
    const asked = { volume: { size: 1, ...(type === undefined ? {} : { volume_type: type }) } };
    const { body } = await this.volumes<{ volume: { id: VolumeId } }>('POST', '/volumes', asked);
    await this.untilVolume(body.volume.id, 'available', 1);
    return body.volume.id;
  }

  /** A volume of 1 GiB that the guest of the server has as a disk. */
  async attachedVolume({ id, guest }: { id: string; guest: GuestConsole }, type?: string): Promise<VolumeId> {
    const volume = await this.volume(type);
    const attachment = { volumeAttachment: { volumeId: volume } };
    const attached = await this.nova('POST', `/servers/${id}/os-volume_attachments`, attachment);
    if (attached.status !== 200) throw new Error(`not attached: ${JSON.stringify(attached)}`);
    await this.untilVolume(volume, 'in-use', 1);
    await guest.waitForSize(volume, bytes(2 ** 30));
    return volume;
  }

  async untilVolume(volume: VolumeId, status: string, size: number): Promise<void> {
    const look = async () => {
      const { body } = await this.volumes<{ volume: { status: string; size: number } }>('GET', `/volumes/${volume}`);
      return body.volume.status === status && body.volume.size === size;
    };
    await waitUntil(look, { what: `volume ${volume} to be ${status} with ${size} GiB` });
  }

  /** Where the volume is on the host. */
  async sourceOf(server: string, volume: VolumeId): Promise<string> {
    const guest = await this.hypervisor.guest(server as ServerId);
    const disk = guest?.disks.find((one) => one.volume === volume);
    if (disk === undefined) throw new Error('the guest has no disk of the volume');
    return disk.path;
  }

  /** Grows the volume at Cinder and waits until Cinder says so. */
  async grow(volume: VolumeId, size: number): Promise<void> {
    const { status } = await this.extend(volume, size);
    if (status !== 202) throw new Error(`Cinder answered ${status}`);
    await this.untilVolume(volume, 'in-use', size);
  }

  extend(volume: VolumeId, size: number): Promise<Answer<unknown>> {
    return this.volumes('POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: size } });
  }

  event(serverId: string, volume: string) {
    return { name: 'volume-extended', server_uuid: serverId, tag: volume };
  }

  /** The server's extends, the newest first, each with its events, once all have ended. */
  async extendsOf(server: string, count: number, timeout = 30_000): Promise<ActionJson[]> {
    const path = `/servers/${server}/os-instance-actions`;
    let actions: ActionJson[] = [];
    const look = async () => {
      const { body } = await this.nova<{ instanceActions: ActionJson[] }>('GET', path);
      const shown = body.instanceActions
        .filter(({ action }) => action === 'extend_volume')
        .map(
          async ({ request_id }) =>
            (await this.nova<{ instanceAction: ActionJson }>('GET', `${path}/${request_id}`)).body.instanceAction,
        );
      actions = await Promise.all(shown);
      return (
        actions.length >= count &&
        actions.every(({ events }) => events.length > 0 && events.every(({ finish_time }) => finish_time))
      );
    };
    await waitUntil(look, { what: `${count} extends of server ${server} to end`, timeout });
    return actions;
  }
}

async function send<Body>(url: string, method: string, version: string, body: unknown): Promise<Answer<Body>> {
  const response = await fetch(url, {
    method,
    headers: {
      'X-Auth-Token': `admin:${PROJECT}`,
      'OpenStack-API-Version': version,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as Body };
}
