import type { DetachVolume, Outcome } from '@novella/contracts';
import { type ErrorCode, NovellaError } from '@novella/core';
import type { HostIo, Step } from '../host-io.js';
import { disconnectVolume } from '../volume-devices.js';

/**
 * Takes a volume's disk from a guest, then the device from the host unless another guest has it too: `detached` says that
 * both are gone, also when they never were there. A failure whose detach is to be given up says what it is only of a guest
 * that still has the disk; of one that has let go, guest-disk-missing: there is no way back. Mirrors
 * nova:nova/virt/libvirt/driver.py detach_volume.
 */
export async function detachVolume(io: HostIo, { server, disk }: DetachVolume, step: Step): Promise<Outcome> {
  const { volume } = disk;
  const hasDisk = async () => (await io.virt.guest(server))?.disks.some((one) => one.volume === volume) ?? false;

  try {
    if (await hasDisk()) await step(() => io.virt.detachDisk(server, volume));
    if (await hasDisk()) {
      throw new NovellaError('guest-busy', 'the guest still holds the disk of the volume', { server, volume });
    }
    await step(() => disconnectVolume(io, server, disk));
    return { status: 'detached' };
  } catch (error) {
    if (error instanceof NovellaError && SAYS_NOTHING_OF_THE_GUEST.includes(error.code)) throw error;
    if (await hasDisk().catch(unknown)) throw error;
    const facts = { server, volume };
    const message = 'the guest has let go of the disk, but the detach is not done';
    throw new NovellaError('guest-disk-missing', message, facts, { grade: 'unsure', cause: error });
  }
}

/** Nobody gives a detach up for these. */
const SAYS_NOTHING_OF_THE_GUEST: readonly ErrorCode[] = [
  'command-stale',
  'hypervisor-unreachable',
  'secret-unreadable',
];

function unknown(cause: unknown): never {
  throw new NovellaError('hypervisor-unreachable', 'nobody knows whether the guest has its disk', {}, { cause });
}
