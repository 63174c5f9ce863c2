import type { ServerId, VolumeId } from '@novella/core';
import type { Deployment } from './deployment.js';
import { comesTrue } from './waiting.js';

export interface GrowingVolume {
  readonly volume: VolumeId;
  readonly server: ServerId;
  readonly host: string;
  /** What Cinder has by now, as far as we have seen. */
  sizeGib: number;
}

const VOLUMES_PER_SERVER = 4;
const MOST_VOLUMES = 100;
const EVENTS_PER_VOLUME = 25;
const LIMIT_MS = 120_000;
const AT_ONCE = 6;

/** Enough that no volume gets very many of the events, and that every host has some. */
export const volumesFor = (events: number, hosts: number): number =>
  Math.min(MOST_VOLUMES, Math.max(VOLUMES_PER_SERVER * hosts, Math.ceil(events / EVENTS_PER_VOLUME)));

/** Servers on all hosts, each with a few volumes of 1 GiB attached. */
export async function attachVolumes(
  { cloud, image }: Pick<Deployment, 'cloud' | 'image'>,
  count: number,
  signal: AbortSignal,
): Promise<GrowingVolume[]> {
  const names = Array.from({ length: Math.ceil(count / VOLUMES_PER_SERVER) }, (_, index) => `server-${index + 1}`);
  const servers = await eachOf(names, async (name) => {
    const id = await cloud.createServer(name, image);
    const built = await comesTrue(async () => (await cloud.server(id)).status === 'ACTIVE', LIMIT_MS, signal);
    const { status, host } = await cloud.server(id);
    if (!built || host === null) throw new Error(`${name} was not built, it is ${status}`);
    return { id, host };
  });
  const wanted = servers.flatMap((server) => Array.from({ length: VOLUMES_PER_SERVER }, () => server)).slice(0, count);
  return eachOf(wanted, async ({ id, host }) => {
    const volume = await cloud.createVolume(1);
    const has = (status: string) =>
      comesTrue(async () => (await cloud.volume(volume))?.status === status, LIMIT_MS, signal);
    const available = await has('available');
    await cloud.attach(id, volume);
    if (!available || !(await has('in-use'))) throw new Error(`volume ${volume} was not attached`);
    return { volume: volume as VolumeId, server: id as ServerId, host, sizeGib: 1 };
  });
}

async function eachOf<T, R>(values: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = values.entries();
  const worker = async (): Promise<void> => {
    for (const [index, value] of left) results[index] = await work(value);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
