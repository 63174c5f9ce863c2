import { type HostDevice, isGrownByHost } from '@novella/brick';
import type { ExtendVolume, Outcome } from '@novella/contracts';
import { assertNever, type Bytes, NovellaError, type VolumeId } from '@novella/core';
import type { Guest, LiveResize } from '@novella/virt';
import { presentGuest } from '../guest-disks.js';
import type { HostIo, Step } from '../host-io.js';
import { noteNextLength, undoOwnCut } from '../own-cut.js';
import { connectVolume, reach, volumeSize } from '../volume-devices.js';

/**
 * Makes a guest see what its volume has grown to: the host's device first, then the running guest, each read back. A
 * qcow2 file is grown here: by the hypervisor that has it open, or else by us. Nothing is ever made smaller. Mirrors
 * nova:nova/compute/manager.py extend_volume and nova:nova/virt/libvirt/driver.py extend_volume; differs: a volume that is
 * not there is an error, and success is what was read back.
 */
export async function extendVolume(
  io: HostIo,
  command: ExtendVolume,
  step: Step,
  signal: AbortSignal,
): Promise<Outcome> {
  const { server, volume, connection, wantedBytes } = command;

  const before = attachedDisk(await presentGuest(io, server), volume);
  const { device } = await step(() => connectVolume(io, command));
  const hostBytes = await hostGrown(io, command, device, before.live, step, signal);

  // A guest that was off may have been started, with the old size, while the host's device grew.
  const disk = before.live ? before : attachedDisk(await presentGuest(io, server), volume);
  const targetBytes = isGrownByHost(connection) ? larger(hostBytes, wantedBytes) : hostBytes;
  const { seenBytes } = command;
  const plan = decide({ ...disk, targetBytes, wantedBytes, seenBytes, resize: io.virt.liveResize });
  switch (plan.kind) {
    case 'next-start':
      return { status: 'grown', hostBytes, guestBytes: null };
    case 'seen-already':
      return grown(hostBytes, plan.guestBytes, wantedBytes);
    case 'refuse':
      throw new NovellaError('extend-unsupported', 'the hypervisor cannot grow a disk of a running guest', { volume });
    case 'resize': {
      const size = isGrownByHost(connection) ? targetBytes : await step(() => noteNextLength(io, command, device));
      const guestBytes = await step(() => plan.with.resizeDisk(server, volume, size));
      return grown(await volumeSize(io, command), guestBytes, wantedBytes);
    }
    default:
      return assertNever(plan);
  }
}

/** The host's bytes after all that can be done before the guest is told. */
async function hostGrown(
  io: HostIo,
  command: ExtendVolume,
  device: HostDevice,
  live: boolean,
  step: Step,
  signal: AbortSignal,
): Promise<Bytes> {
  const { connection, wantedBytes } = command;
  const { connector, reachable } = reach(io, command);
  if (isGrownByHost(connection)) {
    return live ? connector.size(reachable) : step(() => connector.grow(reachable, wantedBytes));
  }
  await step(() => undoOwnCut(io, command, device, wantedBytes));
  return step(() => connector.rescan(reachable, wantedBytes, signal));
}

const larger = (one: Bytes, other: Bytes): Bytes => (one > other ? one : other);

interface GuestDisk {
  /** Running or paused: the guest must be told. Otherwise it reads the size at its next start. */
  readonly live: boolean;
  readonly guestBytes: Bytes | null;
}

function attachedDisk(guest: Guest, volume: VolumeId): GuestDisk {
  const disk = guest.disks.find((one) => one.volume === volume);
  if (disk === undefined) throw new NovellaError('volume-detached', 'the guest has no disk of this volume', { volume });
  const live = guest.powerState === 'running' || guest.powerState === 'paused';
  return { live, guestBytes: disk.guestBytes };
}

export type GuestPlan =
  | { readonly kind: 'next-start' }
  | { readonly kind: 'seen-already'; readonly guestBytes: Bytes }
  | { readonly kind: 'refuse' }
  | { readonly kind: 'resize'; readonly with: LiveResize };

/**
 * What is left to do for the guest, which shall see `targetBytes`: all that the device has or will have. Of a guest that
 * goes on from saved memory the hypervisor shows what it would see after a start: so it is told unless it is known to have
 * seen it (`seenBytes`).
 */
export function decide(
  facts: GuestDisk & {
    targetBytes: Bytes;
    wantedBytes: Bytes;
    seenBytes: Bytes | null;
    resize: LiveResize | undefined;
  },
): GuestPlan {
  const { live, guestBytes, targetBytes, wantedBytes, seenBytes, resize } = facts;
  if (!live) return { kind: 'next-start' };
  if (resize !== undefined) {
    const shown = guestBytes !== null && guestBytes >= targetBytes;
    const seen = seenBytes !== null && seenBytes >= targetBytes;
    return shown && seen ? { kind: 'seen-already', guestBytes } : { kind: 'resize', with: resize };
  }
  // Without the means to tell the guest only what it sees by itself counts.
  return guestBytes !== null && guestBytes >= wantedBytes ? { kind: 'seen-already', guestBytes } : { kind: 'refuse' };
}

/** Both sizes as they are after the resize; either may still be too small, and then nothing has grown. */
function grown(hostBytes: Bytes, guestBytes: Bytes, wantedBytes: Bytes): Outcome {
  if (guestBytes < wantedBytes) {
    throw new NovellaError('guest-size-not-reached', 'the guest does not see the wanted size', {
      wanted: wantedBytes,
      guest: guestBytes,
      host: hostBytes,
    });
  }
  if (hostBytes < wantedBytes) {
    throw new NovellaError('host-device-too-small', 'the device on the host became smaller during the resize', {
      wanted: wantedBytes,
      measured: hostBytes,
    });
  }
  return { status: 'grown', hostBytes, guestBytes };
}
