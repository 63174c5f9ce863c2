import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerId, VolumeId } from '@novella/core';
import { waitUntil } from '@novella/testing';
import { TOKEN } from '../../apps/standalone/src/demo/openstack.js';
import type { OutageHost } from './host.js';
import type { Region } from './region.js';

const FLAVOR = '84';
const GIB = 2 ** 30;
const FLOW_MS = 60_000;
const BETWEEN_EVENTS_MS = 150;

/** A volume that a test grows, and the host whose guest has it. */
export interface Grown {
  readonly host: Pick<OutageHost, 'name' | 'guestBytes' | 'toldSizes'>;
  readonly server: ServerId;
  readonly volume: VolumeId;
  sizeGib: number;
}

/** One server on each of these hosts, each with so many volumes of 1 GiB. */
export async function serversWithVolumes(
  region: Region,
  hosts: readonly Grown['host'][],
  volumesEach: number,
): Promise<Grown[]> {
  const { openstack } = region;
  const grown: Grown[] = [];
  // Placing goes by free memory, so servers of one size land on different hosts.
  for (const [nth] of hosts.entries()) {
    const server = await openstack.createServerFromVolume(`server-${nth}`, await newVolume(region), FLAVOR);
    const look = () => openstack.serverAndHost(server).then((seen) => seen.status === 'ACTIVE' && seen);
    const { host: name } = await waitUntil(look, { what: 'the server to be active', timeout: FLOW_MS, every: 50 });
    const host = hosts.find((one) => one.name === name);
    if (host === undefined) throw new Error(`the server is on ${name}`);
    for (let count = 0; count < volumesEach; count += 1) {
      const volume = await newVolume(region);
      await openstack.attachVolume(server, volume);
      await untilVolumeIs(region, volume, 'in-use');
      grown.push({ host, server: server as ServerId, volume: volume as VolumeId, sizeGib: 1 });
    }
  }
  return grown;
}

async function newVolume(region: Region): Promise<string> {
  const volume = await region.openstack.createVolume('volume', 1);
  await untilVolumeIs(region, volume, 'available');
  await region.openstack.setBootable(volume);
  return volume;
}

const untilVolumeIs = ({ openstack }: Region, volume: string, status: string): Promise<unknown> =>
  waitUntil(async () => (await openstack.volume(volume)).status === status, { what: status, timeout: FLOW_MS });

/** As Cinder's API: the file has grown, and the volume is in use again. */
export async function growAtCinder({ openstack }: Region, grown: Grown): Promise<void> {
  const size = grown.sizeGib + 1;
  const status = await openstack.extendVolume(grown.volume, size);
  if (status !== 202) throw new Error(`Cinder answered ${status}`);
  const look = async () => {
    const seen = await openstack.volume(grown.volume);
    return seen.size === size && seen.status === 'in-use';
  };
  await waitUntil(look, { what: 'Cinder to have grown the volume', timeout: FLOW_MS, every: 5 });
  grown.sizeGib = size;
}

/** The answer's status and request id; `connection` when there was none. */
export interface Posted {
  readonly status: number | 'connection';
  readonly requestId: string;
}

/** As Cinder tells that a volume has grown. */
export async function postExtended({ apiUrl }: Region, { server, volume }: Grown): Promise<Posted> {
  const event = { name: 'volume-extended', server_uuid: server, tag: volume };
  try {
    const answer = await fetch(`${apiUrl}/v2.1/os-server-external-events`, {
      method: 'POST',
      headers: {
        'X-Auth-Token': TOKEN,
        'OpenStack-API-Version': 'compute 2.60',
        'Content-Type': 'application/json',
      },
      body: JSON.stringify({ events: [event] }),
      signal: AbortSignal.timeout(FLOW_MS),
    });
    await answer.arrayBuffer();
    return { status: answer.status, requestId: answer.headers.get('x-compute-request-id') ?? '' };
  } catch {
    return { status: 'connection', requestId: '' };
  }
}

/** Grows each of the volumes again and again, and posts each growth, until it is ended. */
export class Load {
  readonly posted: Posted[] = [];
  private going = true;
  private readonly work: Promise<unknown>;

  constructor(region: Region, volumes: readonly Grown[]) {
    this.work = Promise.all(volumes.map((grown) => this.grow(region, grown)));
    this.work.catch(() => undefined);
  }

  get accepted(): string[] {
    return this.posted.filter(({ status }) => status === 200).map(({ requestId }) => requestId);
  }

  /** How often each answer came. */
  get answers(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { status } of this.posted) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }

  /** Ends it; the last growth of each volume is then accepted. Rejects when Cinder did not play along. */
  async end(): Promise<void> {
    this.going = false;
    await this.work;
  }

  /** Resolves when so many more events were accepted. */
  async accepts(more: number): Promise<void> {
    const wanted = this.accepted.length + more;
    await waitUntil(() => this.accepted.length >= wanted, { what: 'events to be accepted', timeout: FLOW_MS });
  }

  private async grow(region: Region, grown: Grown): Promise<void> {
    while (this.going) {
      await growAtCinder(region, grown);
      const posted = await postExtended(region, grown);
      this.posted.push(posted);
      await sleep(BETWEEN_EVENTS_MS);
    }
    const look = async () => {
      const posted = await postExtended(region, grown);
      this.posted.push(posted);
      return posted.status === 200;
    };
    await waitUntil(look, { what: 'the last event to be accepted', timeout: FLOW_MS, every: 100 });
  }
}

/** Resolves when every guest sees the last size; the milliseconds that took. */
export async function untilGuestsSee(volumes: readonly Grown[]): Promise<number> {
  const since = performance.now();
  for (const { host, server, volume, sizeGib } of volumes) {
    const look = async () => (await host.guestBytes(server, volume)) === sizeGib * GIB;
    await waitUntil(look, { what: `the guest on ${host.name} to see ${sizeGib} GiB`, timeout: 2 * FLOW_MS });
  }
  return performance.now() - since;
}
