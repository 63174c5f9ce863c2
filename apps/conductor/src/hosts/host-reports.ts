import type { PowerStateChanged, ServiceReport } from '@novella/contracts';
import type { HostName, Log, ServerId } from '@novella/core';
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
