import type { Outcome, PauseInstance, UnpauseInstance } from '@novella/contracts';
import type { HostIo, Step } from '../host-io.js';
import { poweredAsMeasured } from '../powered-guest.js';

/** Mirrors nova:nova/virt/libvirt/driver.py pause. */
export async function pauseInstance(io: HostIo, { server, volumes }: PauseInstance, step: Step): Promise<Outcome> {
  return poweredAsMeasured(io, await step(() => io.virt.pauseGuest(server)), volumes);
}

/** What was resized while it was paused it sees from now on. Mirrors nova:nova/virt/libvirt/driver.py unpause. */
export async function unpauseInstance(io: HostIo, { server, volumes }: UnpauseInstance, step: Step): Promise<Outcome> {
  return poweredAsMeasured(io, await step(() => io.virt.unpauseGuest(server)), volumes);
}
