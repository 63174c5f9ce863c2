import type { Outcome, StartInstance } from '@novella/contracts';
import { presentGuest } from '../guest-disks.js';
import type { HostIo, Step } from '../host-io.js';
import { connectDisks, powered } from '../powered-guest.js';

/**
 * Starts a guest that is off, after its volumes are devices of the host, and reads every disk back: a volume that has
 * grown meanwhile is seen now. Mirrors nova:nova/virt/libvirt/driver.py power_on; differs: the definition is not written
 * anew, it always is what attach and detach have made of it.
 */
export async function startInstance(io: HostIo, { server, volumes }: StartInstance, step: Step): Promise<Outcome> {
  const keys = await connectDisks(io, await presentGuest(io, server), volumes, step);
  const guest = await step(() => io.virt.startGuest(server, keys));
  return powered(io, guest, volumes);
}
