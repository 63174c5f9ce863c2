import { millis, NovellaError, type ServerId } from '@novella/core';
import type { DomainRef, LibvirtClient } from '@novella/libvirt';
import { newAlarm, type WaitClock } from './alarm.js';
import { domainRef, type FoundDomain, type LibvirtDomains } from './libvirt-domains.js';
import { isLibvirtError } from './libvirt-faults.js';

export interface SuspendIo {
  readonly client: LibvirtClient;
  /**
   * A connection for calls that may take minutes: libvirt answers only a few calls of one connection at once, so the
   * others would wait behind them.
   */
  readonly slowClient: LibvirtClient;
  readonly domains: LibvirtDomains;
  readonly clock: WaitClock;
}

const LOOK_AGAIN = millis(5_000);
const FROM_SAVED_MEMORY = 0;

/** nova:virt/libvirt/driver.py pause */
export async function pauseGuest(io: SuspendIo, server: ServerId): Promise<void> {
  const runs = ({ powerState }: FoundDomain): boolean => powerState === 'running';
  await changeIf(io, server, runs, (domain) => io.client.call('domainSuspend', { domain }));
}

/** nova:virt/libvirt/driver.py unpause */
export async function unpauseGuest(io: SuspendIo, server: ServerId): Promise<void> {
  const isPaused = ({ powerState }: FoundDomain): boolean => powerState === 'paused';
  await changeIf(io, server, isPaused, (domain) => io.client.call('domainResume', { domain }));
}

/** A saving that is under way, of an earlier call perhaps, is waited for. nova:virt/libvirt/driver.py suspend */
export async function suspendGuest(io: SuspendIo, server: ServerId, signal: AbortSignal): Promise<void> {
  await untilNotBeingSaved(io, server, signal);
  const hasProcess = ({ id }: FoundDomain): boolean => id !== null;
  await changeIf(io, server, hasProcess, (domain) =>
    unlessAborted(signal, () => io.slowClient.call('domainManagedSave', { domain, flags: 0 })),
  );
}

/** nova:virt/libvirt/driver.py resume */
export async function resumeGuest(io: SuspendIo, server: ServerId, signal: AbortSignal): Promise<void> {
  const sleeps = ({ powerState }: FoundDomain): boolean => powerState === 'suspended';
  await changeIf(io, server, sleeps, (domain) => io.client.call('domainPmWakeup', { domain, flags: 0 }));
  const hasNoProcess = ({ id }: FoundDomain): boolean => id === null;
  await changeIf(io, server, hasNoProcess, (domain) =>
    unlessAborted(signal, () => io.slowClient.call('domainCreateWithFlags', { domain, flags: FROM_SAVED_MEMORY })),
  );
  // One that was paused when it was saved is paused again.
  await unpauseGuest(io, server);
}

async function untilNotBeingSaved(io: SuspendIo, server: ServerId, signal: AbortSignal): Promise<void> {
  for (;;) {
    // Listens before it looks: the saving may end in between.
    const alarm = newAlarm(io.clock);
    const stop = io.client.on('lifecycle', ({ domain }) => {
      if (domain.uuid === server) alarm.ring();
    });
    try {
      if (!(await mustFind(io, server)).beingSaved) return;
      await alarm.sleep(LOOK_AGAIN, signal);
    } finally {
      stop();
    }
  }
}

/** What libvirt refuses as invalid because the guest has changed meanwhile is no error. */
async function changeIf(
  io: SuspendIo,
  server: ServerId,
  isDue: (found: FoundDomain) => boolean,
  change: (domain: DomainRef) => Promise<unknown>,
): Promise<void> {
  if (!isDue(await mustFind(io, server))) return;
  try {
    await change(domainRef(server));
  } catch (error) {
    if (!isLibvirtError(error, 'operationInvalid') || isDue(await mustFind(io, server))) throw error;
  }
}

async function mustFind({ domains }: SuspendIo, server: ServerId): Promise<FoundDomain> {
  const found = await domains.find(server);
  if (found) return found;
  throw new NovellaError('domain-not-found', 'libvirt has no such domain', { server });
}

/** libvirt goes on with a call whose caller has gone. */
function unlessAborted<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', aborted, { once: true });
    void call()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', aborted));
  });
}
