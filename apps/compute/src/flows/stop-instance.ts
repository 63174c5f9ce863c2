import type { MeasuredDisk, Outcome, StopInstance, VolumeDisk } from '@novella/contracts';
import { NovellaError } from '@novella/core';
import type { Guest } from '@novella/virt';
import { measureDisk, presentGuest } from '../guest-disks.js';
import type { HostIo, Step } from '../host-io.js';

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
  const disks: MeasuredDisk[] = [];
  for (const disk of volumes) disks.push(...(await measuredIfThere(io, disk, guest)));
  return { status: 'powered', powerState: guest.powerState, disks };
}

/** The guest is off whatever can be measured of its volumes: what cannot is left for the next start to find. */
async function measuredIfThere(io: HostIo, disk: VolumeDisk, guest: Guest): Promise<MeasuredDisk[]> {
  try {
    return [await measureDisk(io, disk, guest)];
  } catch (error) {
    io.log.warn('a volume of a stopped guest cannot be measured', { volume: disk.volume, cause: error });
    return [];
  }
}
