import type { PowerStateChanged, RemoveHost, ServiceReport } from '@novella/contracts';
import { type ErrorCode, type HostName, type Log, NovellaError, type ServerId } from '@novella/core';
import type { EngineStore, HostStore } from '@novella/persistence';

/** What hosts say of themselves, and what follows from it. */
export interface HostReportsIo {
  readonly store: EngineStore & HostStore;
  readonly log: Log;
  /** The engine has new work. */
  readonly hint: () => void;
  /** Looks for attachments of the host whose size fell behind while it was away. */
  readonly reconcile: (host: HostName) => Promise<number>;
  /** Reads back what a guest that was off sees of its volumes now. */
  readonly guestStarted: (server: ServerId) => Promise<number>;
  /** As Link.deleteQueue: one that is not there is no error; `broker-refused` or `host-name-taken` when another connection owns it. */
  readonly deleteQueue: (name: string) => Promise<void>;
}

export async function recordServiceReport(io: HostReportsIo, report: ServiceReport): Promise<void> {
  const { phase, ...service } = report;
  if (phase === 'stopping') {
    await io.store.serviceStopped(report.host, 'nova-compute');
    io.log.info('a host is going down', { host: report.host });
    return;
  }
  const change = await io.store.reportService({ ...service, binary: 'nova-compute' });
  if (change === 'still-up' && phase === 'running') return;
  // A worker that starts has forgotten what its last run had not finished; the commands' fences tell it what is new.
  const interrupted = phase === 'starting' ? await io.store.takeOver({ host: report.host }) : 0;
  const woken = await io.store.wake({ for: 'host', host: report.host });
  io.log.info('a host is up', { host: report.host, phase, woken, interrupted });
  if (woken + interrupted > 0) io.hint();
  // The volume service may be away: what it says is then seen at the next period.
  await io
    .reconcile(report.host)
    .catch((error: unknown) => io.log.warn('a host that came up was not reconciled', { error }));
}

export async function recordPowerState(
  io: HostReportsIo,
  { host, server, powerState }: PowerStateChanged,
): Promise<void> {
  const done = await io.store.recordPowerState(host, server, powerState);
  if (done === 'recorded' && powerState === 'running') await io.guestStarted(server);
  if (done === 'ignored') io.log.info('a guest that is not on record there', { host, server, powerState });
}

const NAME_IS_HELD: readonly ErrorCode[] = ['broker-refused', 'host-name-taken'];

/**
 * An operator has taken the host out of the deployment: what the broker still keeps for it goes. A worker that still
 * holds the host's name, or has reported since, keeps its queue: it will be seen again.
 */
export async function removeHost(io: HostReportsIo, { host }: RemoveHost): Promise<void> {
  const services = await io.store.services('nova-compute');
  if (services.some((service) => service.host === host)) {
    io.log.warn('a host that was removed has come back', { host });
    return;
  }
  const queue = `compute.${host}`;
  try {
    await io.deleteQueue(`${queue}.lock`);
  } catch (error) {
    if (!(error instanceof NovellaError) || !NAME_IS_HELD.includes(error.code)) throw error;
    io.log.warn('a host that was removed still runs', { host, error });
    return;
  }
  await io.deleteQueue(queue);
  io.log.info('a host was removed', { host });
}
