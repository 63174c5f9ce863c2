import type { AttachVolume, Outcome } from '@novella/contracts';
import { guestDisk, measureDisk, presentGuest } from '../guest-disks.js';
import type { HostIo, Step } from '../host-io.js';
import { connectVolume } from '../volume-devices.js';

/**
 * Makes a volume a disk of a guest, running or not, and reads both sizes back. What it leaves behind when it fails is
 * for a detach to take away. Mirrors nova:nova/virt/libvirt/driver.py attach_volume.
 */
export async function attachVolume(io: HostIo, { server, disk }: AttachVolume, step: Step): Promise<Outcome> {
  await presentGuest(io, server);
  const { device, keys } = await step(() => connectVolume(io, disk));
  const guest = await step(() => io.virt.attachDisk(server, guestDisk(disk, device), keys));
  return { status: 'attached', disk: await measureDisk(io, disk, guest) };
}
