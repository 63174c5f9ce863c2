import { type Millis, millis, NovellaError, type ServerId } from '@novella/core';
import { type LibvirtClient, LIFECYCLE } from '@novella/libvirt';
import { type Alarm, newAlarm, type WaitClock } from './alarm.js';
import { domainRef, type FoundDomain, type LibvirtDomains } from './libvirt-domains.js';
import { isLibvirtError } from './libvirt-faults.js';
import type { Locks } from './locks.js';

export interface StopLimits {
  /** A guest that boots does not hear the first request. nova: [compute] shutdown_retry_interval */
  readonly askAgainMs: number;
}

export interface StopIo {
  readonly client: LibvirtClient;
  readonly domains: LibvirtDomains;
  readonly locks: Locks;
  readonly clock: WaitClock;
  readonly limits: StopLimits;
}

/** The power button: unlike the guest agent it answers at once, whatever state the guest is in. */
const BY_ACPI = 1;
const JOBS_UNDER_WAY: readonly number[] = [1, 2];
/** libvirt ends a guest's process within moments of its last word. */
const DYING_LIMIT = millis(30_000);

/**
 * Asks, waits for libvirt's event, and cuts the power at the end of `grace`; a guest that does not run cannot hear and
 * is cut at once. What another run of the guest does meanwhile is not touched.
 * nova:virt/libvirt/driver.py _clean_shutdown, power_off
 */
export async function stopGuest(io: StopIo, server: ServerId, grace: Millis, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const found = await io.domains.find(server);
  if (!found) throw new NovellaError('domain-not-found', 'libvirt has no such domain', { server });
  if (found.powerState === 'saved') await forgetMemory(io, server);
  if (found.id === null) return;
  await refuseWhileBusy(io, server, found);
  if (found.powerState === 'running') {
    if (await untilOff(io, server, found, grace, signal, () => askToShutDown(io, server))) return;
  }
  signal.throwIfAborted();
  await io.locks.hold(server, () => cutPower(io, server, found));
}

async function forgetMemory({ client }: StopIo, server: ServerId): Promise<void> {
  try {
    await client.call('domainManagedSaveRemove', { domain: domainRef(server), flags: 0 });
  } catch (error) {
    if (!isLibvirtError(error, 'operationInvalid', 'noDomain')) throw error; // started meanwhile, or gone
  }
}

/** Waits for a domain that libvirt is already ending, which can be started only afterwards. */
export async function untilEnded(io: StopIo, server: ServerId, dying: FoundDomain): Promise<void> {
  const asked = (): Promise<void> => Promise.resolve();
  if (await untilOff(io, server, dying, DYING_LIMIT, new AbortController().signal, asked)) return;
  throw new NovellaError('guest-busy', 'libvirt has not ended the guest yet', { server });
}

/** True when that run of the guest has ended; false when `limit` is over. */
async function untilOff(
  io: StopIo,
  server: ServerId,
  run: FoundDomain,
  limit: Millis,
  signal: AbortSignal,
  ask: () => Promise<void>,
): Promise<boolean> {
  const end = io.clock.monotonic() + limit;
  for (;;) {
    // Listens before it looks: a guest may be off before the call has returned.
    const alarm = newAlarm(io.clock);
    const stop = ringOnChange(io, server, alarm);
    try {
      if (await hasEnded(io, server, run)) return true;
      const left = end - io.clock.monotonic();
      if (left <= 0) return false;
      await unlessAway(ask);
      await alarm.sleep(millis(Math.min(left, io.limits.askAgainMs)), signal);
    } finally {
      stop();
    }
  }
}

function ringOnChange({ client }: StopIo, server: ServerId, alarm: Alarm): () => void {
  const stops = [
    client.on('lifecycle', ({ domain, event }) => {
      if (domain.uuid === server && event === LIFECYCLE.stopped) alarm.ring();
    }),
    // The event may have been lost while the connection was.
    client.onReconnected(() => alarm.ring()),
  ];
  return () => stops.forEach((stop) => stop());
}

async function hasEnded(io: StopIo, server: ServerId, run: FoundDomain): Promise<boolean> {
  const ended = await unlessAway(async () => (await io.domains.find(server))?.id !== run.id);
  return ended ?? false;
}

async function askToShutDown({ client }: StopIo, server: ServerId): Promise<void> {
  try {
    await client.call('domainShutdownFlags', { domain: domainRef(server), flags: BY_ACPI });
  } catch (error) {
    if (!isLibvirtError(error, 'operationInvalid', 'noDomain')) throw error; // off, or on its way
  }
}

/** While libvirtd is away the guest goes on, and the wait with it. */
async function unlessAway<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NovellaError && error.code === 'hypervisor-unreachable') return undefined;
    throw error;
  }
}

async function cutPower(io: StopIo, server: ServerId, run: FoundDomain): Promise<void> {
  const now = await io.domains.find(server);
  if (now?.id !== run.id) return;
  await refuseWhileBusy(io, server, now);
  try {
    await io.client.call('domainDestroyFlags', { domain: domainRef(server), flags: 0 });
  } catch (error) {
    if (!isLibvirtError(error, 'operationInvalid', 'noDomain')) throw error;
  }
}

/** Ending the process would break off what somebody else does with the guest or its disks. */
async function refuseWhileBusy({ client }: StopIo, server: ServerId, guest: FoundDomain): Promise<void> {
  const domain = domainRef(server);
  const job = client.call('domainGetJobInfo', { domain }).then(({ type }) => JOBS_UNDER_WAY.includes(type));
  const blockJobs = guest.diskDevices.map(async (path) => {
    const { found } = await client.call('domainGetBlockJobInfo', { domain, path, flags: 0 });
    return found === 1;
  });
  const busy = await Promise.all([job, ...blockJobs].map((asked) => asked.catch(noneWhenGone)));
  if (!busy.includes(true)) return;
  throw new NovellaError('guest-busy', 'a migration, a backup or a block job of the guest is under way', { server });
}

/** The disk or the process has gone meanwhile, and its job with it. */
function noneWhenGone(error: unknown): false {
  if (isLibvirtError(error, 'invalidArg', 'operationInvalid', 'noDomain')) return false;
  throw error;
}
