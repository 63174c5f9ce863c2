import type { HostStore, ServiceReportInput } from '../store.js';
import { storable } from '../text.js';
import { FOLLOWS_POWER_STATE, VM_STATE_OF_POWER_STATE } from '../transition-facts.js';
import { serviceKey, type Tables } from './tables.js';

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
