import type { HostName } from '@novella/core';
import type { Service } from '../records.js';
import type { HostStore, ServiceReportInput } from '../host-store.js';
import { storable } from '../text.js';
import { FOLLOWS_POWER_STATE, VM_STATE_OF_POWER_STATE } from '../transition-facts.js';
import { serviceKey, type ServiceRow, type Tables } from './tables.js';

export function memoryHosts(db: Tables): HostStore {
  return {
    reportService: (report) => db.atomically(() => reportService(db, storable(report))),
    services: (binary) =>
      db.atomically(() =>
        [...db.services.values()]
          .filter((row) => row.binary === binary)
          .sort((a, b) => (a.host < b.host ? -1 : 1))
          .map((row) => db.toService(row)),
      ),
    service: (id) =>
      db.atomically(() => {
        const row = serviceRow(db, id);
        return row === null ? null : db.toService(row);
      }),
    updateService: (id, change) => db.atomically(() => updateService(db, id, storable(change))),
    deleteService: (id) => db.atomically(() => deleteService(db, id)),
    serversByHost: () =>
      db.atomically(() => {
        const counts = new Map<HostName, number>();
        for (const { host, deletedAt } of db.instances.values()) {
          if (host !== null && deletedAt === null) counts.set(host, (counts.get(host) ?? 0) + 1);
        }
        return counts;
      }),
    serviceStopped: (host, binary) =>
      db.atomically(() => {
        const row = db.services.get(serviceKey(host, binary));
        if (row !== undefined) db.services.set(serviceKey(host, binary), { ...row, stopped: true });
      }),
    recordPowerState: (host, serverId, powerState) =>
      db.atomically(() => {
        const row = db.instances.get(serverId);
        if (row === undefined || row.deletedAt !== null || row.host !== host) return 'ignored';
        const follows = row.taskState === null && FOLLOWS_POWER_STATE.includes(row.vmState);
        const vmState = (follows ? VM_STATE_OF_POWER_STATE[powerState] : null) ?? row.vmState;
        db.instances.set(serverId, { ...row, powerState, vmState, updatedAt: db.now() });
        return 'recorded';
      }),
  };
}

const serviceRow = (db: Tables, id: string): ServiceRow | null =>
  [...db.services.values()].find((row) => row.id === id) ?? null;

function updateService(db: Tables, id: string, change: Parameters<HostStore['updateService']>[1]): Service | null {
  const before = serviceRow(db, id);
  if (before === null) return null;
  const disabled = change.disabled ?? before.disabled;
  const forcedDown = change.forcedDown ?? before.forcedDown;
  const reason = change.disabledReason === undefined ? before.disabledReason : change.disabledReason;
  const row = {
    ...before,
    disabled,
    disabledReason: disabled ? reason : null,
    forcedDown,
    stopped: before.stopped || (before.forcedDown && !forcedDown),
  };
  db.services.set(serviceKey(row.host, row.binary), row);
  return db.toService(row);
}

function deleteService(db: Tables, id: string): 'deleted' | 'has-servers' | 'not-found' {
  const row = serviceRow(db, id);
  if (row === null) return 'not-found';
  const servers = [...db.instances.values()].some(({ host, deletedAt }) => host === row.host && deletedAt === null);
  if (row.binary === 'nova-compute' && servers) return 'has-servers';
  db.services.delete(serviceKey(row.host, row.binary));
  return 'deleted';
}

function reportService(db: Tables, report: ServiceReportInput): 'came-up' | 'still-up' {
  const key = serviceKey(report.host, report.binary);
  const before = db.services.get(key);
  const now = db.now();
  const silent =
    before === undefined ||
    before.stopped ||
    now.getTime() - before.lastReportAt.getTime() >= db.options.serviceDownTime;
  db.services.set(key, {
    id: before?.id ?? db.uuid(),
    disabled: before?.disabled ?? false,
    disabledReason: before?.disabledReason ?? null,
    forcedDown: before?.forcedDown ?? false,
    ...report,
    lastReportAt: now,
    stopped: false,
  });
  return silent ? 'came-up' : 'still-up';
}
