import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Bytes, gib, gibToBytes } from '@novella/core';
import { GuestConsole, waitUntil } from '@novella/testing';
import { z } from 'zod';
import { FLAVOR } from '../deployment/furnish.js';
import type { WayRule } from '../deployment/http-way.js';
import { TOKEN_CACHE_S, VOLUME_TYPES, type VolumeType } from '../deployment/cinder.js';
import { type DeploymentFacts, readFacts } from '../deployment/facts.js';
import { type Inventory, differences, takeInventory } from './inventory.js';
import { Apis, NotAnswered, OpenStackClient } from './client.js';

/** Emulated, on a machine that is busy with the rest of OpenStack. */
export const BOOT_MS = 240_000;
const LONG_MS = 120_000;
/** Each look is work for services that answer nobody else meanwhile, on the processors that do what is waited for. */
const POLL_MS = 200;
export interface Server {
  readonly id: string;
  readonly host: string;
  readonly guest: GuestConsole;
}

const created = z.object({ id: z.string() });
const volumeShown = z.object({ volume: z.object({ status: z.string(), size: z.number() }) });
const serverShown = z.object({
  server: z.looseObject({
    status: z.string(),
    'OS-EXT-SRV-ATTR:host': z.string().nullish(),
    'OS-EXT-STS:task_state': z.string().nullable(),
    fault: z.unknown().optional(),
  }),
});
const actions = z.object({
  instanceActions: z.array(z.object({ action: z.string(), request_id: z.string(), start_time: z.string() })),
});
const actionShown = z.object({
  instanceAction: z.object({
    action: z.string(),
    start_time: z.string(),
    message: z.string().nullable(),
    events: z.array(z.object({ event: z.string(), result: z.string().nullable(), finish_time: z.string().nullable() })),
  }),
});
const wayCounts = z.array(z.object({ met: z.number(), answered: z.number() }));
type Way = 'to-cinder' | 'to-nova';
export type Action = z.output<typeof actionShown>['instanceAction'];

/** The deployment as its stories use it: what is asked for is asked by OpenStack's client, what counts is what guests say. */
export class Cloud {
  readonly demo: OpenStackClient;
  readonly admin: OpenStackClient;
  private readonly apis: Apis;
  private readonly user: Apis;

  private constructor(readonly facts: DeploymentFacts) {
    this.demo = new OpenStackClient(facts, facts.demo);
    this.admin = new OpenStackClient(facts, facts.admin);
    this.apis = new Apis(facts, facts.admin);
    this.user = new Apis(facts, facts.demo);
  }

  static async open(): Promise<Cloud> {
    return new Cloud(await readFacts());
  }

  /** Guests that say what disks they have: on virtio-blk, on virtio-scsi, and one that also writes to them. */
  get images(): DeploymentFacts['images'] {
    return this.facts.images;
  }

  /** Those whose back end is there. */
  typesOf(types: readonly VolumeType[]): VolumeType[] {
    return types.filter((type) => VOLUME_TYPES[type].backEnd !== 'ceph' || this.facts.ceph !== null);
  }

  /** A server of the image whose guest has booted. */
  server(name: string, image: string): Promise<Server> {
    return this.serverFrom(name, '--image', image);
  }

  /** The same, from what the words for the command say. */
  async serverFrom(name: string, ...source: readonly string[]): Promise<Server> {
    const words = [...source, '--flavor', FLAVOR.id, '--nic', 'none', name];
    const { id } = await this.demo.read(created, '--os-compute-api-version', '2.37', 'server', 'create', ...words);
    return this.booted(id);
  }

  async booted(id: string): Promise<Server> {
    await this.untilServer(id, 'ACTIVE');
    const { server } = serverShown.parse(await this.apis.compute(`/servers/${id}`));
    const host = server['OS-EXT-SRV-ATTR:host'] ?? '';
    const stateDir = this.facts.hosts.find(({ name }) => name === host)?.stateDir ?? '';
    const guest = new GuestConsole(join(stateDir, 'instances', id, 'console.log'));
    await guest.ready(BOOT_MS);
    return { id, host, guest };
  }

  /** It is in that state and nothing is under way with it. */
  async untilServer(id: string, status: string): Promise<void> {
    const look = async () => {
      const { server } = serverShown.parse(await this.apis.compute(`/servers/${id}`));
      if (server.status === 'ERROR' && status !== 'ERROR') return JSON.stringify(server.fault);
      return server.status === status && server['OS-EXT-STS:task_state'] === null && 'there';
    };
    const end = await waitUntil(look, { what: `server ${id} to be ${status}`, timeout: BOOT_MS, every: POLL_MS });
    if (end !== 'there') throw new Error(`server ${id} is in error: ${end}`);
  }

  /** A volume that is available. */
  async volume(type: string, sizeGib = 1, ...more: readonly string[]): Promise<string> {
    const words = ['volume', 'create', '--size', String(sizeGib), '--type', type, ...more, `of-${type}`];
    const { id } = await this.demo.read(created, ...words);
    await this.untilVolume(id, 'available', sizeGib);
    return id;
  }

  async untilVolume(id: string, status: string, sizeGib: number): Promise<void> {
    let seen: unknown = null;
    const look = async () => {
      const { volume } = volumeShown.parse(await this.apis.volume(`/volumes/${id}`));
      seen = volume;
      return volume.status === status && volume.size === sizeGib;
    };
    const what = `volume ${id} to be ${status} with ${sizeGib} GiB`;
    await waitUntil(look, { what, timeout: LONG_MS, every: POLL_MS }).catch((error: unknown) => {
      throw new Error(`${what}, and it is ${JSON.stringify(seen)}`, { cause: error });
    });
  }

  /** The guest has it as a disk, and Cinder as in use. */
  async attach({ id, guest }: Server, volume: string, sizeGib = 1): Promise<void> {
    await this.demo.run('--os-compute-api-version', '2.60', 'server', 'add', 'volume', id, volume);
    await guest.waitForSize(volume, size(sizeGib), LONG_MS);
    await this.untilVolume(volume, 'in-use', sizeGib);
    await this.ended(id, 'attach_volume', 1);
  }

  async attachedVolume(server: Server, type: string): Promise<string> {
    const volume = await this.volume(type);
    await this.attach(server, volume);
    return volume;
  }

  /** As `openstack volume set --size`; resolves when that was accepted. */
  async grow(volume: string, sizeGib: number): Promise<void> {
    await this.demo.run('--os-volume-api-version', '3.42', 'volume', 'set', '--size', String(sizeGib), volume);
  }

  /** The same, by plain HTTP; when it was accepted, as `performance.now()` has it. */
  async growAndTell(volume: string, sizeGib: number): Promise<number> {
    await this.user.askVolume('POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: sizeGib } });
    return performance.now();
  }

  async detach({ id, guest }: Server, volume: string, sizeGib: number): Promise<void> {
    await this.demo.run('server', 'remove', 'volume', id, volume);
    await guest.waitForNoDisk(volume, LONG_MS);
    await this.untilVolume(volume, 'available', sizeGib);
  }

  async deleteVolumes(...volumes: readonly string[]): Promise<void> {
    if (volumes.length === 0) return;
    await this.demo.run('volume', 'delete', ...volumes);
    await Promise.all(volumes.map((id) => this.untilGone(`volume ${id}`, () => this.apis.volume(`/volumes/${id}`))));
  }

  async deleteServers(...servers: readonly string[]): Promise<void> {
    if (servers.length === 0) return;
    await this.demo.run('server', 'delete', ...servers);
    await Promise.all(servers.map((id) => this.untilGone(`server ${id}`, () => this.apis.compute(`/servers/${id}`))));
  }

  async actionsOf(server: string, action: string): Promise<string[]> {
    const path = `/servers/${server}/os-instance-actions`;
    const { instanceActions } = actions.parse(await this.apis.compute(path));
    return instanceActions.filter((one) => one.action === action).map(({ request_id }) => request_id);
  }

  /** What Cinder posts when a volume has grown, posted by hand; Nova's answer. */
  event(server: string, volume: string): Promise<unknown> {
    const events = [{ name: 'volume-extended', server_uuid: server, tag: volume }];
    return this.apis.askCompute('POST', '/os-server-external-events', { events }, '2.51');
  }

  /** All that the user has had so far is worth nothing from now on. */
  async revokeTokensOf(user: string): Promise<void> {
    await this.admin.run('user', 'set', '--disable', user);
    await this.admin.run('user', 'set', '--enable', user);
    // Until then Cinder may remember them. Keystone refuses also what it gives out in the second of the revocation.
    await sleep(1000 * (TOKEN_CACHE_S + 1));
  }

  /** The server's actions of that name that have ended, the newest first, once there are so many and none is open. */
  async ended(server: string, action: string, count: number): Promise<Action[]> {
    const path = `/servers/${server}/os-instance-actions`;
    let shown: Action[] = [];
    const look = async () => {
      const listed = actions
        .parse(await this.apis.compute(path))
        .instanceActions.filter((one) => one.action === action);
      const read = listed.map(async ({ request_id }) =>
        actionShown.parse(await this.apis.compute(`${path}/${request_id}`)),
      );
      shown = (await Promise.all(read)).map(({ instanceAction }) => instanceAction);
      return (
        shown.length >= count &&
        shown.every(({ events }) => events.length > 0 && events.every(({ finish_time }) => finish_time !== null))
      );
    };
    await waitUntil(look, { what: `${count} ${action} of ${server} to end`, timeout: LONG_MS, every: POLL_MS });
    return shown;
  }

  /** Nothing is left anywhere of what a story has made since it took that inventory. */
  async untilAsBefore(before: Inventory): Promise<void> {
    let now = before;
    const look = async () => {
      now = await takeInventory(this.facts);
      return isDeepStrictEqual(now, before);
    };
    await waitUntil(look, { timeout: LONG_MS, every: 500 }).catch(() => {
      throw new Error(`left behind: ${JSON.stringify(differences(before, now))}`);
    });
  }

  /** In place of the rules that the way had before. */
  async rules(way: Way, rules: readonly WayRule[]): Promise<void> {
    await this.control('PUT', `/ways/${way}`, rules);
  }

  /** The first rule of the way has met so many requests, or answered so many of those. */
  async untilCount(way: Way, what: 'met' | 'answered', count: number): Promise<void> {
    const look = async () => {
      const [first] = wayCounts.parse(await this.control('GET', `/ways/${way}`));
      return first !== undefined && first[what] >= count;
    };
    await waitUntil(look, { what: `${count} requests ${what} on the way ${way}`, timeout: LONG_MS, every: 50 });
  }

  async keystone(runs: boolean): Promise<void> {
    await this.control('PUT', '/keystone', { runs });
  }

  /** The process of one of our services. */
  async pidOf(member: string): Promise<number> {
    return z.object({ pid: z.number() }).parse(await this.control('GET', `/members/${member}`)).pid;
  }

  private async control(method: string, path: string, body?: unknown): Promise<unknown> {
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(this.facts.control + path, { method, ...content });
    const told: unknown = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${JSON.stringify(told)}`);
    return told;
  }

  private async untilGone(what: string, look: () => Promise<unknown>): Promise<void> {
    const isGone = () =>
      look().then(
        () => false,
        (error: unknown) => error instanceof NotAnswered && error.status === 404,
      );
    await waitUntil(isGone, { what: `${what} to be gone`, timeout: LONG_MS, every: POLL_MS });
  }
}

export const size = (count: number): Bytes => gibToBytes(gib(count));
