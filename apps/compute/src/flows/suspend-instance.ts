import type { Outcome, ResumeInstance, SuspendInstance } from '@novella/contracts';
import { presentGuest } from '../guest-disks.js';
import type { HostIo, Step } from '../host-io.js';
import { connectDisks, powered, poweredAsMeasured } from '../powered-guest.js';

/**
 * Writes a guest's memory to the host's disk; its volumes stay devices of the host, for its memory knows them.
 * Mirrors nova:nova/virt/libvirt/driver.py suspend.
 */
export async function suspendInstance(
  io: HostIo,
  { server, volumes }: SuspendInstance,
  step: Step,
  signal: AbortSignal,
): Promise<Outcome> {
  return poweredAsMeasured(io, await step(() => io.virt.suspendGuest(server, signal)), volumes);
}

/**
 * Lets a guest go on from its saved memory, after its volumes are devices of the host. What is read back is what the
 * hypervisor shows of its disks: the guest's kernel still knows them as they were.
 * Mirrors nova:nova/virt/libvirt/driver.py resume.
 */
export async function resumeInstance(
  io: HostIo,
  { server, volumes }: ResumeInstance,
  step: Step,
  signal: AbortSignal,
): Promise<Outcome> {
  const keys = await connectDisks(io, await presentGuest(io, server), volumes, step);
  return powered(io, await step(() => io.virt.resumeGuest(server, signal, keys)), volumes);
}
