import { type ErrorFacts, NovellaError, type PowerState, type ServerId, type VolumeId } from '@novella/core';
import { type LibvirtClient, LIFECYCLE } from '@novella/libvirt';
import type { VolumeDisk } from './domain-read.js';
import { detachXml, diskAlias } from './domain-xml.js';
import { domainRef, type LibvirtDomains, XML } from './libvirt-domains.js';
import { isDeviceGone, isLibvirtError, isUnplugUnderWay } from './libvirt-faults.js';

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
 * Takes a volume's disk out of the running guest and then out of the definition. The guest must let go by itself: one
 * that boots or has hung does not, and is asked again. The definition comes last (Nova's comes first), so that a guest
 * which never lets go keeps the disk in both, as the record does.
 * nova:virt/libvirt/driver.py _detach_with_retry
 */
export async function detachFromGuest(io: DetachIo, server: ServerId, volume: VolumeId): Promise<void> {
  for (let asked = 0; ;) {
    const { live, config, powerState } = await findDisks(io, server, volume);
    // What was saved has a definition of its own, with the disks of then.
    if (powerState === 'saved') throw guestBusy(server, volume, { powerState }, 'the disk is part of the saved guest');
    if (live) {
      const busy = (why: string): NovellaError => guestBusy(server, volume, { asked, powerState }, why);
      if (!canLetGo(live, powerState)) throw busy('a guest that does not run cannot let go of the disk');
      if (asked >= io.limits.attempts) throw busy('the guest did not let go of the disk');
      asked += 1;
      if ((await detachLive(io, server, volume, live)) === 'refused') {
        throw busy('the guest refused to let go of the disk');
      }
    } else if (config) {
      await detach(io, server, config, MODIFY.config);
    } else {
      return;
    }
  }
}

interface DisksOfVolume {
  readonly config: VolumeDisk | undefined;
  readonly live: VolumeDisk | undefined;
  readonly powerState: PowerState;
}

async function findDisks({ domains }: DetachIo, server: ServerId, volume: VolumeId): Promise<DisksOfVolume> {
  const [current, config] = await Promise.all([domains.find(server), domains.find(server, XML.inactive)]);
  const ofVolume = (disks: readonly VolumeDisk[] = []): VolumeDisk | undefined =>
    disks.find((disk) => disk.volume === volume);
  const live = current && current.id !== null ? ofVolume(current.volumeDisks) : undefined;
  return { config: ofVolume(config?.volumeDisks), live, powerState: current?.powerState ?? 'shutdown' };
}

/** QEMU takes a disk from the SCSI bus by itself; a PCI device goes when the guest has answered. */
const canLetGo = (disk: VolumeDisk, powerState: PowerState): boolean =>
  disk.bus === 'scsi' || powerState === 'running' || powerState === 'shutdown';

/** A disk, a process or a domain that has gone meanwhile is what was wanted: who calls looks again. */
async function detach({ client }: DetachIo, server: ServerId, disk: VolumeDisk, flags: number): Promise<void> {
  const xml = detachXml(disk.device, disk.bus);
  try {
    await client.call('domainDetachDeviceFlags', { domain: domainRef(server), xml, flags });
  } catch (error) {
    const gone = isDeviceGone(error) || isLibvirtError(error, 'noDomain', 'operationInvalid');
    if (!gone && !isUnplugUnderWay(error)) throw error;
  }
}

/** A guest that was paused or has ended meanwhile answers nothing any more. */
const STOPS_ANSWERING: readonly number[] = [LIFECYCLE.suspended, LIFECYCLE.stopped, LIFECYCLE.pmSuspended];

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
      client.on('lifecycle', ({ domain, event }) => {
        if (domain.uuid === server && STOPS_ANSWERING.includes(event)) resolve('look again');
      }),
      client.onDisconnected(() => resolve('look again')),
      client.onReconnected(() => resolve('look again')),
    );
  });
  return { end, stop: () => stops.forEach((stop) => stop()) };
}

function guestBusy(server: ServerId, volume: VolumeId, facts: ErrorFacts, message: string): NovellaError {
  return new NovellaError('guest-busy', message, { server, volume, ...facts });
}
