import type { HostName, OperationId, RequestId } from '@novella/core';
import {
  MOST_STUCK,
  type OperationFilter,
  type OperatorStore,
  type Standing,
  STUCK,
  type Stuck,
  type StuckReason,
  TAKEN_UP_WITHIN_MS,
} from '../operator-store.js';
import { ENDED_LISTED_MS } from '../transition-facts.js';
import type { Database } from './database.js';
import type { OperationRow } from './entities/operation.entity.js';
import { SERVICE_UP } from './hosts.js';
import { fromNow, OPEN } from './operation-sql.js';
import { toOperation } from './rows.js';

export function sqlOperator(db: Database): OperatorStore {
  return {
    standing: async (id) => (await standings(db, { limit: 1 }, id))[0] ?? null,
    standings: (filter) => standings(db, filter, null),
    stuck: () => stuck(db),
  };
}

interface StandingRow extends OperationRow {
  readonly is_leased: boolean;
  readonly read_at: Date;
  readonly at_host: HostName | null;
  readonly host_up: boolean | null;
  readonly host_forced_down: boolean | null;
  readonly host_last_report_at: Date | null;
  readonly requests: readonly { readonly requestId: RequestId; readonly isFinished: boolean }[];
}

/** `$2` names one operation, whenever it has ended. */
const STANDINGS = `
  select o.*, coalesce(o.lease_until > now(), false) as is_leased, now() as read_at,
    at.host as at_host, ${SERVICE_UP} as host_up, s.forced_down as host_forced_down,
    s.last_report_at as host_last_report_at,
    (select coalesce(json_agg(json_build_object('requestId', a.request_id, 'isFinished', a.finished_at is not null)
        order by a.seq), '[]')
      from instance_action a where a.operation_id = o.id) as requests
  from operation o
  join instance i on i.id = o.server_id
  cross join lateral (
    select case o.state when 'dispatched' then o.host else coalesce(i.host, o.host) end as host) as at
  left join service s on s."binary" = 'nova-compute' and s.host = at.host
  where ($2::uuid is null or o.id = $2)
    and ($3::boolean is null or (o.ended_at is null) = $3)
    and ($4::text is null or o.state = $4)
    and ($5::text is null or o.waiting_for = $5)
    and ($6::text is null or o.kind = $6)
    and ($7::uuid is null or o.server_id = $7)
    and ($8::text is null or at.host = $8)
    and ($9::double precision is null or o.created_at <= ${fromNow('-$9')})
    and ($2::uuid is not null or o.ended_at is null or o.ended_at > ${fromNow('-$10')})
  order by o.created_at desc, o.id desc limit $11`;

async function standings(db: Database, filter: OperationFilter, id: OperationId | null): Promise<Standing[]> {
  const { open, state, waitingFor, kind, serverId, host, olderThan, limit } = filter;
  const wanted = [open, state, waitingFor, kind, serverId, host, olderThan].map((value) => value ?? null);
  const rows = await db.query<StandingRow>(STANDINGS, [db.serviceDownTime, id, ...wanted, ENDED_LISTED_MS, limit]);
  return rows.map(toStanding);
}

function toStanding(row: StandingRow): Standing {
  const { claimed_by: by, lease_until: until, at_host: host } = row;
  return {
    ...toOperation(row),
    claim: by !== null && until !== null && row.is_leased ? { by, until } : null,
    dueAt: row.due_at,
    hostState:
      host === null
        ? null
        : {
            host,
            up: row.host_up ?? false,
            forcedDown: row.host_forced_down ?? false,
            lastReportAt: row.host_last_report_at,
          },
    requests: row.requests,
    readAt: row.read_at,
  };
}

/** For each reason: the stuck rows as (id, server_id, since). `o` is an operation. */
const STUCK_ROWS = {
  'no-next-step': `
    select o.id::text, o.server_id, o.created_at from operation o where ${OPEN} and (
      o.due_at is null
      or (o.state = 'waiting') <> (o.waiting_for is not null)
      or (o.state = 'dispatched' and (o.host is null or o.deadline is null)))`,
  'not-taken-up': `
    select o.id::text, o.server_id, o.due_at from operation o
    where ${OPEN} and o.due_at < ${fromNow('-$1')}`,
  'end-not-recorded': `
    select o.id::text, o.server_id, o.created_at from operation o where (${OPEN}) <> (o.ended_at is null)`,
  'task-without-operation': `
    select i.id::text, i.id, i.updated_at from instance i
    where i.deleted_at is null and (i.task_state is not null or i.vm_state = 'building')
      and not exists (select from operation o where o.server_id = i.id and o.volume_id is null and ${OPEN})`,
  'reservation-without-operation': `
    select m.volume_id::text, m.server_id, m.created_at from block_device_mapping m
    where m.attached_at is null and not exists (
      select from operation o
      where o.server_id = m.server_id and coalesce(o.volume_id, m.volume_id) = m.volume_id and ${OPEN})`,
  'action-without-end': `
    select a.request_id, a.server_id, a.start_time from instance_action a join operation o on o.id = a.operation_id
    where a.finished_at is null and not (${OPEN})`,
} as const satisfies Record<StuckReason, string>;

const STUCK_SQL = `
  ${Object.entries(STUCK_ROWS)
    .map(([reason, rows]) => `select '${reason}' as reason, found.* from (${rows}) as found(id, server_id, since)`)
    .join('\n  union all ')}
  order by since limit ${MOST_STUCK}`;

async function stuck(db: Database): Promise<Stuck[]> {
  const rows = await db.query<{
    reason: StuckReason;
    id: string;
    server_id: Stuck['serverId'];
    since: Date;
  }>(STUCK_SQL, [TAKEN_UP_WITHIN_MS]);
  return rows.map(({ reason, id, server_id: serverId, since }) => ({
    what: STUCK[reason],
    id,
    serverId,
    reason,
    since,
  }));
}
