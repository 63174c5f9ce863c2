import type { Outcome, StopInstance } from '@novella/contracts';
import { NovellaError } from '@novella/core';
import { presentGuest } from '../guest-disks.js';
import type { HostIo, Step } from '../host-io.js';
import { poweredAsMeasured } from '../powered-guest.js';

/**
 * Asks a guest to shut down, and takes its power when it does not within the host's grace. Its devices stay: they are the
 * guest's until a detach or delete. Mirrors nova:nova/virt/libvirt/driver.py power_off.
 */
export async function stopInstance(
  io: HostIo,
  { server, volumes }: StopInstance,
  step: Step,
  signal: AbortSignal,
): Promise<Outcome> {
  await presentGuest(io, server);
  await step(() => io.virt.stopGuest(server, io.shutdownGrace, signal));
  const guest = await presentGuest(io, server);
  if (guest.run !== null) {
    throw new NovellaError('hypervisor-refused', 'the guest runs after it was stopped', { server });
  }
  return poweredAsMeasured(io, guest, volumes);
}
