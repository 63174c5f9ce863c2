import type { DetachVolume, Outcome } from '@novella/contracts';
import { NovellaError } from '@novella/core';
import type { HostIo, Step } from '../host-io.js';
import { disconnectVolume } from '../volume-devices.js';

/**
 * Takes a volume's disk from a guest, then the device from the host unless another guest has it too: `detached` says that
 * both are gone, also when they never were there. Mirrors nova:nova/virt/libvirt/driver.py detach_volume.
 */
export async function detachVolume(io: HostIo, { server, disk }: DetachVolume, step: Step): Promise<Outcome> {
  const { volume } = disk;
  const hasDisk = async () => (await io.virt.guest(server))?.disks.some((one) => one.volume === volume) ?? false;

  if (await hasDisk()) await step(() => io.virt.detachDisk(server, volume));
  if (await hasDisk()) {
    throw new NovellaError('guest-busy', 'the guest still holds the disk of the volume', { server, volume });
  }
  await step(() => disconnectVolume(io, server, disk));
  return { status: 'detached' };
}
