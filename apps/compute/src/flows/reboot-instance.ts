import type { Outcome, RebootInstance } from '@novella/contracts';
import { assertNever, millis, NovellaError, type ServerId } from '@novella/core';
import type { Guest } from '@novella/virt';
import { presentGuest } from '../guest-disks.js';
import type { HostIo, Step } from '../host-io.js';
import type { BegunReboot } from '../journal.js';
import { connectDisks, powered } from '../powered-guest.js';

/**
 * Stops a guest and starts it again, once per request however often the command comes: memory that was saved of it is
 * forgotten, then its run is noted before it is touched, and a guest whose run is another by then was rebooted. One that is off is started. Every disk is read
 * back. Mirrors nova:nova/virt/libvirt/driver.py reboot; differs: a soft reboot too gives the guest a new QEMU, so that
 * it sees the size that its volumes have.
 */
export async function rebootInstance(
  io: HostIo,
  { token, server, type, seq, volumes }: RebootInstance,
  step: Step,
  signal: AbortSignal,
): Promise<Outcome> {
  const before = await withoutSavedMemory(io, server, step, signal);
  const known = io.journal.begunReboot(server);
  const { operation } = token;
  const begun = known?.operation === operation && known.seq === seq;
  const reboot: BegunReboot = begun ? known : { operation, seq, run: before.run };
  if (reboot !== known) await step(() => io.journal.noteReboot(server, reboot));

  const plan = decide(before.run, reboot.run);
  switch (plan) {
    case 'rebooted-already':
      return powered(io, before, volumes);
    case 'stop-and-start': {
      const grace = type === 'soft' ? io.shutdownGrace : millis(0);
      await step(() => io.virt.stopGuest(server, grace, signal));
      break;
    }
    case 'start':
      break;
    default:
      assertNever(plan);
  }
  const keys = await connectDisks(io, before, volumes, step);
  const guest = await step(() => io.virt.startGuest(server, keys));
  if (guest.run !== null && guest.run === reboot.run) {
    throw new NovellaError('hypervisor-refused', 'the guest still runs as before its reboot', { server });
  }
  return powered(io, guest, volumes);
}

/**
 * A guest that goes on from its saved memory has another run too, though it was not rebooted, and whoever finds it so after
 * a crash could not tell. So that memory goes before anything is noted.
 */
async function withoutSavedMemory(io: HostIo, server: ServerId, step: Step, signal: AbortSignal): Promise<Guest> {
  const guest = await presentGuest(io, server);
  if (guest.powerState !== 'saved') return guest;
  await step(() => io.virt.stopGuest(server, millis(0), signal));
  return presentGuest(io, server);
}

/** `run` is the guest's now, `before` that of the moment when the reboot was begun; null: off. */
export function decide(run: number | null, before: number | null): 'start' | 'stop-and-start' | 'rebooted-already' {
  if (run === null) return 'start';
  return run === before ? 'stop-and-start' : 'rebooted-already';
}
