import { randomUUID } from 'node:crypto';
import { type HostName, isUuid } from '@novella/core';
import type { Service } from '../records.js';
import type { HostStore, ServiceReportInput } from '../host-store.js';
import { storable } from '../text.js';
import { FOLLOWS_POWER_STATE, VM_STATE_OF_POWER_STATE } from '../transition-facts.js';
import type { Database } from './database.js';
import type { ServiceRow } from './entities/service.entity.js';
import { UNSYNCED } from './operation-sql.js';
import { type ServiceState, toService } from './rows.js';

export function sqlHosts(db: Database): HostStore {
  return {
    reportService: (report) => reportService(db, storable(report)),
    services: async (binary) => {
      const rows = await db.query<ServiceRow & ServiceState>(SERVICES, [db.serviceDownTime, binary]);
      return rows.map(toService);
    },
    service: (id) => service(db, id),
    updateService: (id, change) => updateService(db, id, storable(change)),
    deleteService: (id) => deleteService(db, id),
    serversByHost: async () => {
      const rows = await db.query<{ host: HostName; servers: number }>(SERVERS_BY_HOST);
      return new Map(rows.map(({ host, servers }) => [host, servers]));
    },
    serviceStopped: async (host, binary) => {
      await db.query(`update service set stopped = true where "binary" = $1 and host = $2`, [binary, host]);
    },
    recordPowerState: async (host, serverId, powerState) => {
      const vmState = VM_STATE_OF_POWER_STATE[powerState];
      const rows = await db.query(RECORD_POWER_STATE, [serverId, host, powerState, vmState, FOLLOWS_POWER_STATE]);
      return rows.length > 0 ? 'recorded' : 'ignored';
    },
  };
}

/** Of the service row `s`; `$1` is the service down time in ms. */
export const SERVICE_UP = `(not s.forced_down and not s.stopped
  and s.last_report_at > now() - $1::double precision * interval '1 millisecond')`;

/** What the servers placed on `host` take, as the record's Capacity. */
export const usedOn = (host: string): string => `(
  select jsonb_build_object(
    'vcpus', coalesce(sum(p.placed_vcpus), 0),
    'memoryMib', coalesce(sum(p.placed_memory_mib), 0),
    'diskGib', coalesce(sum(p.placed_disk_gib), 0))
  from instance p where p.host = ${host} and p.deleted_at is null)`;

const SHOWN = `s.*, ${SERVICE_UP} as up, ${usedOn('s.host')} as used`;
const SERVICES = `select ${SHOWN} from service s where s.binary = $2 order by s.host`;
const SERVICE = `select ${SHOWN} from service s where s.id = $2`;
const SERVERS_BY_HOST = `
  select host, count(*)::integer as servers from instance where deleted_at is null and host is not null group by host`;

/** An id of another form names no service. */
async function service(db: Database, id: string): Promise<Service | null> {
  if (!isUuid(id)) return null;
  const [row] = await db.query<ServiceRow & ServiceState>(SERVICE, [db.serviceDownTime, id]);
  return row === undefined ? null : toService(row);
}

/** Who was forced down counts as stopped from then on, so that the next report finds it down and wakes what waits. */
const UPDATE = `
  update service s set
    disabled = coalesce($3, s.disabled),
    disabled_reason = case when not coalesce($3, s.disabled) then null when $4 then $5 else s.disabled_reason end,
    forced_down = coalesce($6, s.forced_down),
    stopped = s.stopped or (s.forced_down and not coalesce($6, true))
  where s.id = $2
  returning ${SHOWN}`;

async function updateService(
  db: Database,
  id: string,
  change: Parameters<HostStore['updateService']>[1],
): Promise<Service | null> {
  if (!isUuid(id)) return null;
  const [row] = await db.query<ServiceRow & ServiceState>(UPDATE, [
    db.serviceDownTime,
    id,
    change.disabled ?? null,
    change.disabledReason !== undefined,
    change.disabledReason ?? null,
    change.forcedDown ?? null,
  ]);
  return row === undefined ? null : toService(row);
}

/** Servers are counted in a statement after the lock, which `place` takes too: none is placed there in between. */
async function deleteService(db: Database, id: string): Promise<'deleted' | 'has-servers' | 'not-found'> {
  if (!isUuid(id)) return 'not-found';
  return db.transaction(async (session) => {
    const [row] = await session.query<ServiceRow>(`select * from service where id = $1 for update`, [id]);
    if (row === undefined) return 'not-found';
    const rows = await session.query(
      `delete from service where id = $1 and ("binary" <> 'nova-compute'
         or not exists (select from instance where host = $2 and deleted_at is null))
       returning id`,
      [id, row.host],
    );
    return rows.length > 0 ? 'deleted' : 'has-servers';
  });
}

const REPORT = `
  with before as materialized (
    select s.stopped or s.last_report_at <= now() - $1::double precision * interval '1 millisecond' as silent
    from service s where s.binary = $4 and s.host = $3 for no key update
  ), written as (
    insert into service (id, host, "binary", version, capabilities, connector_properties, hypervisor, capacity,
      public_key)
    select $2, $3, $4, $5, $6, $7, $8, $9, $10 from ${UNSYNCED}
    on conflict ("binary", host) do update set
      version = excluded.version, capabilities = excluded.capabilities,
      connector_properties = excluded.connector_properties, hypervisor = excluded.hypervisor,
      capacity = excluded.capacity, public_key = excluded.public_key, last_report_at = now(), stopped = false
  )
  select coalesce((select silent from before), true) as came_up`;

async function reportService(db: Database, report: ServiceReportInput): Promise<'came-up' | 'still-up'> {
  const rows = await db.query<{ came_up: boolean }>(REPORT, [
    db.serviceDownTime,
    randomUUID(),
    report.host,
    report.binary,
    report.version,
    JSON.stringify(report.capabilities),
    JSON.stringify(report.connectorProperties),
    JSON.stringify(report.hypervisor),
    JSON.stringify(report.capacity),
    report.publicKey,
  ]);
  return rows[0]?.came_up === true ? 'came-up' : 'still-up';
}

const RECORD_POWER_STATE = `
  update instance set
    power_state = $3,
    vm_state = case when task_state is null and vm_state = any($5) then coalesce($4, vm_state) else vm_state end,
    updated_at = now()
  where id = $1 and host = $2 and deleted_at is null
  returning id`;
