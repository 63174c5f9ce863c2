import type { AttachVolume, Outcome } from '@novella/contracts';
import { NovellaError } from '@novella/core';
import { guestDisk, measureDisk } from '../guest-disks.js';
import type { HostIo, Step } from '../host-io.js';

/**
 * Makes a volume a disk of a guest, running or not, and reads both sizes back. What it leaves behind when it fails is
 * for a detach to take away. Mirrors nova:nova/virt/libvirt/driver.py attach_volume.
 */
export async function attachVolume(io: HostIo, { server, disk }: AttachVolume, step: Step): Promise<Outcome> {
  const { connection } = disk;
  if ((await io.virt.guest(server)) === null) {
    throw new NovellaError('domain-not-found', 'the server has no guest on this host', { server });
  }
  const source = await step(() => io.connectors[connection.protocol].connect(connection));
  const guest = await step(() => io.virt.attachDisk(server, guestDisk(disk, source)));
  return { status: 'attached', disk: await measureDisk(io, disk, guest) };
}
