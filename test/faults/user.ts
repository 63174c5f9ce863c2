import type { ServerId, VolumeId } from '@novella/core';
import { waitUntil } from '@novella/testing';
import type { Region } from './region.js';

const PROJECT = 'd'.repeat(32);
const USER_TOKEN = `alice:${PROJECT}`;
const ADMIN_TOKEN = `admin:${PROJECT}`;
/** The user's, and that which the conductor shows Cinder in the user's project. */
export const TOKENS = [USER_TOKEN, ADMIN_TOKEN];
/** No disk of its own. */
const NANO = '42';
const PATIENCE_MS = 60_000;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** An empty object for what is no JSON. */
  readonly json: Json;
}
interface Json {
  readonly server?: { readonly id: string; readonly status: string; readonly fault?: { readonly message: string } };
  readonly events?: readonly { readonly code: number }[];
  readonly volume?: { readonly id: string; readonly status: string; readonly size: number };
  readonly attachments?: readonly { readonly id: string; readonly status: string }[];
  readonly instanceAction?: { readonly events: readonly ActionEvent[] };
}
export interface ActionEvent {
  readonly result: string | null;
  readonly details: string | null;
}

/** What Cinder itself has of a volume; null: there is none. */
export interface AtCinder {
  readonly status: string;
  readonly size: number;
  readonly attachments: number;
}

/** Servers are named by the volume that they boot from. */
export const nameOf = (bootVolume: string): string => `vm-${bootVolume}`;

/** A user of the compute API, and of Cinder past what misbehaves. */
export class User {
  constructor(private readonly region: Region) {}

  nova(method: string, path: string, body?: unknown, token = USER_TOKEN): Promise<Answer> {
    return send(method, `${this.region.apiUrl}/v2.1${path}`, token, 'compute 2.96', body);
  }

  cinder(method: string, path: string, body?: unknown): Promise<Answer> {
    return send(method, `${this.region.cinderUrl}/${PROJECT}${path}`, ADMIN_TOKEN, 'volume 3.44', body);
  }

  async volume(type: 'qcow2' | null = null): Promise<string> {
    const { json } = await this.cinder('POST', '/volumes', { volume: { size: 1, volume_type: type } });
    const id = json.volume?.id ?? '';
    await this.untilVolume(id, 'available');
    return id;
  }

  async bootableVolume(): Promise<string> {
    const id = await this.volume();
    await this.cinder('POST', `/volumes/${id}/action`, { 'os-set_bootable': { bootable: true } });
    return id;
  }

  async untilVolume(id: string, status: string): Promise<void> {
    const is = async () => (await this.atCinder(id))?.status === status;
    await waitUntil(is, { what: `volume ${id} to be ${status}`, every: 100, timeout: PATIENCE_MS });
  }

  async atCinder(volume: string): Promise<AtCinder | null> {
    const { json } = await this.cinder('GET', `/volumes/${volume}`);
    if (json.volume === undefined) return null;
    const { status, size } = json.volume;
    const found = await this.cinder('GET', `/attachments?volume_id=${volume}&all_tenants=1`);
    return { status, size, attachments: found.json.attachments?.length ?? 0 };
  }

  requestServer(bootVolume: string, how: { deleteOnTermination?: true; secondVolume?: string } = {}): Promise<Answer> {
    const volume = { source_type: 'volume', destination_type: 'volume' };
    const devices = [
      { ...volume, uuid: bootVolume, boot_index: 0, delete_on_termination: how.deleteOnTermination ?? false },
      ...(how.secondVolume === undefined ? [] : [{ ...volume, uuid: how.secondVolume, boot_index: -1 }]),
    ];
    const name = nameOf(bootVolume);
    const server = { name, flavorRef: NANO, networks: 'none', block_device_mapping_v2: devices };
    return this.nova('POST', '/servers', { server });
  }

  /** A server that runs, from a volume of its own. */
  async server(bootVolume?: string, how: { deleteOnTermination?: true } = {}): Promise<string> {
    const { status, text, json } = await this.requestServer(bootVolume ?? (await this.bootableVolume()), how);
    if (status !== 202 || json.server === undefined) throw new Error(`no server: ${status} ${text}`);
    const { id } = json.server;
    const built = async () => {
      const { server } = (await this.nova('GET', `/servers/${id}`)).json;
      return server !== undefined && server.status !== 'BUILD' && server;
    };
    const server = await waitUntil(built, { what: `server ${id}`, every: 100, timeout: PATIENCE_MS });
    if (server.status !== 'ACTIVE') throw new Error(`the server is not active: ${JSON.stringify(server)}`);
    return id;
  }

  attach(server: string, volumeId: string): Promise<Answer> {
    return this.nova('POST', `/servers/${server}/os-volume_attachments`, { volumeAttachment: { volumeId } });
  }

  async attached(server: string, volume: string): Promise<string> {
    const { status, text } = await this.attach(server, volume);
    if (status !== 200) throw new Error(`not attached: ${status} ${text}`);
    const isAttached = async () => {
      const held = (await this.region.store.blockDeviceMappings([server as ServerId])).get(server as ServerId) ?? [];
      return held.some(({ volumeId, attachedAt }) => volumeId === (volume as VolumeId) && attachedAt !== null);
    };
    await waitUntil(isAttached, { what: `volume ${volume} to be attached`, every: 100, timeout: PATIENCE_MS });
    return volume;
  }

  detach(server: string, volume: string): Promise<Answer> {
    return this.nova('DELETE', `/servers/${server}/os-volume_attachments/${volume}`);
  }

  /** Cinder grows it by itself, or waits for the host; either way it tells Nova. */
  async extend(volume: string, size: number): Promise<void> {
    const { status, text } = await this.cinder('POST', `/volumes/${volume}/action`, {
      'os-extend': { new_size: size },
    });
    if (status !== 202) throw new Error(`not extended: ${status} ${text}`);
  }

  postExtended(...attached: readonly { readonly server: string; readonly volume: string }[]): Promise<Answer> {
    const events = attached.map(({ server, volume }) => ({
      name: 'volume-extended',
      server_uuid: server,
      tag: volume,
    }));
    return this.nova('POST', '/os-server-external-events', { events }, 'admin:service');
  }

  /** What a user reads of an action, by the id of the request that asked for it. */
  async readsAction(server: string, requestId: string): Promise<ActionEvent | null> {
    const path = `/servers/${server}/os-instance-actions/${requestId}`;
    const { json } = await this.nova('GET', path, undefined, ADMIN_TOKEN);
    return json.instanceAction?.events[0] ?? null;
  }
}

async function send(method: string, url: string, token: string, version: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(url, {
    method,
    headers: {
      'X-Auth-Token': token,
      'OpenStack-API-Version': version,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, json: jsonOf(text) };
}

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return {};
  }
}
