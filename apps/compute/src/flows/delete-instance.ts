import type { DeleteInstance, Outcome } from '@novella/contracts';
import { NovellaError } from '@novella/core';
import type { HostIo, Step } from '../host-io.js';
import { disconnectVolume } from '../volume-devices.js';

/**
 * Takes a server off this host: guest, devices, files. `deleted` says that none of it is here, also when it never was.
 * Mirrors nova:nova/virt/libvirt/driver.py destroy and cleanup.
 */
export async function deleteInstance(io: HostIo, { server, volumes }: DeleteInstance, step: Step): Promise<Outcome> {
  await step(() => io.virt.destroyGuest(server));
  if ((await io.virt.guest(server)) !== null) {
    throw new NovellaError('hypervisor-refused', 'the guest is still there after it was destroyed', { server });
  }
  for (const disk of volumes) await step(() => disconnectVolume(io, server, disk));
  await step(() => io.journal.forgetReboot(server));
  await step(() => io.files.remove(server));
  return { status: 'deleted' };
}
