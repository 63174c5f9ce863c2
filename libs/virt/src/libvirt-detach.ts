import { NovellaError, type ServerId, type VolumeId } from '@novella/core';
import type { LibvirtClient } from '@novella/libvirt';
import type { VolumeDisk } from './domain-read.js';
import { detachXml, diskAlias } from './domain-xml.js';
import { domainRef, type LibvirtDomains, XML } from './libvirt-domains.js';
import { isDeviceGone, isLibvirtError, isUnplugUnderWay } from './libvirt-faults.js';
import { hasLiveDisks } from './power-state.js';

export interface DetachLimits {
  /** How long the guest may take to let go before it is asked again. */
  readonly waitMs: number;
  readonly attempts: number;
}

interface DetachIo {
  readonly client: LibvirtClient;
  readonly domains: LibvirtDomains;
  readonly limits: DetachLimits;
}

const MODIFY = { live: 1, config: 2 } as const;

/**
 * Takes a volume's disk out of the definition and out of the running guest, which must let go of it by itself: a guest
 * that boots or has hung does not, and is asked again. nova:virt/libvirt/driver.py _detach_with_retry
 */
export async function detachFromGuest(io: DetachIo, server: ServerId, volume: VolumeId): Promise<void> {
  for (let attempt = 1; attempt <= io.limits.attempts; attempt += 1) {
    const disks = await findDisks(io, server, volume);
    if (disks.config) await detach(io, server, disks.config, MODIFY.config);
    if (!disks.live) return;
    const end = await detachLive(io, server, volume, disks.live);
    if (end === 'refused') throw guestBusy(server, volume, attempt, 'the guest refused to let go of the disk');
  }
  if ((await findDisks(io, server, volume)).live) {
    throw guestBusy(server, volume, io.limits.attempts, 'the guest did not let go of the disk');
  }
}

interface DisksOfVolume {
  readonly config: VolumeDisk | undefined;
  readonly live: VolumeDisk | undefined;
}

async function findDisks({ domains }: DetachIo, server: ServerId, volume: VolumeId): Promise<DisksOfVolume> {
  const [current, config] = await Promise.all([domains.find(server), domains.find(server, XML.inactive)]);
  const ofVolume = (disks: readonly VolumeDisk[] = []): VolumeDisk | undefined =>
    disks.find((disk) => disk.volume === volume);
  const live = current && hasLiveDisks(current.powerState) ? ofVolume(current.volumeDisks) : undefined;
  return { config: ofVolume(config?.volumeDisks), live };
}

/** A disk or domain that has gone meanwhile is what was wanted. */
async function detach({ client }: DetachIo, server: ServerId, disk: VolumeDisk, flags: number): Promise<void> {
  const xml = detachXml(disk.device, disk.bus);
  try {
    await client.call('domainDetachDeviceFlags', { domain: domainRef(server), xml, flags });
  } catch (error) {
    if (!isDeviceGone(error) && !isUnplugUnderWay(error) && !isLibvirtError(error, 'noDomain')) throw error;
  }
}

type WaitEnd = 'refused' | 'look again';

async function detachLive(io: DetachIo, server: ServerId, volume: VolumeId, disk: VolumeDisk): Promise<WaitEnd> {
  // Before the call: a quick guest lets go before the call has returned.
  const answer = waitForGuest(io, server, disk.alias ?? diskAlias(volume));
  try {
    await detach(io, server, disk, MODIFY.live);
    if (!(await findDisks(io, server, volume)).live) return 'look again';
    return await answer.end;
  } finally {
    answer.stop();
  }
}

/** Ends at the event, at the time limit, and when the connection is lost, with which the event would be. */
function waitForGuest(
  { client, limits }: DetachIo,
  server: ServerId,
  alias: string,
): { readonly end: Promise<WaitEnd>; stop(): void } {
  const stops: (() => void)[] = [];
  const end = new Promise<WaitEnd>((resolve) => {
    const isOurs = (event: { domain: { uuid: string }; alias: string }): boolean =>
      event.domain.uuid === server && event.alias === alias;
    const timer = setTimeout(() => resolve('look again'), limits.waitMs);
    stops.push(
      () => clearTimeout(timer),
      client.on('device-removed', (event) => {
        if (isOurs(event)) resolve('look again');
      }),
      client.on('device-removal-failed', (event) => {
        if (isOurs(event)) resolve('refused');
      }),
      client.onDisconnected(() => resolve('look again')),
      client.onReconnected(() => resolve('look again')),
    );
  });
  return { end, stop: () => stops.forEach((stop) => stop()) };
}

function guestBusy(server: ServerId, volume: VolumeId, attempts: number, message: string): NovellaError {
  return new NovellaError('guest-busy', message, { server, volume, attempts });
}
