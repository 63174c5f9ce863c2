import { randomUUID } from 'node:crypto';
import type { ServerId } from '@novella/core';
import { changedMetadata, changedTags, LOCK_ACTION, UNLOCK_ACTION } from '../server-changes.js';
import type { ChangeLimits, InstanceExtra, ServerChange, ServerStore } from '../server-store.js';
import type { Requester } from '../requester.js';
import { storable } from '../text.js';
import type { Database } from './database.js';
import type { InstanceExtraRow } from './entities/instance-extra.entity.js';
import type { InstanceRow } from './entities/instance.entity.js';
import { lockedServer } from './reservations.js';
import { toInstance } from './rows.js';
import { listServers } from './server-list.js';

export function sqlServers(db: Database): ServerStore {
  return {
    instances: (query) => listServers(db, query),
    instanceExtras: (servers) => instanceExtras(db, servers),
    updateServer: (serverId, change) => updateServer(db, serverId, storable(change)),
    setLock: (serverId, lock, requester) => setLock(db, serverId, storable(lock), storable(requester)),
    changeMetadata: (serverId, change, limits) => changeMetadata(db, serverId, storable(change), limits),
    changeTags: (serverId, change, limits) => changeTags(db, serverId, storable(change), limits),
  };
}

async function instanceExtras(db: Database, servers: readonly ServerId[]): Promise<Map<ServerId, InstanceExtra>> {
  const rows = await db.query<InstanceExtraRow>(`select * from instance_extra where server_id = any($1::uuid[])`, [
    servers,
  ]);
  return new Map(rows.map((row) => [row.server_id, { userData: row.user_data, keyData: row.key_data }]));
}

const UPDATE = `
  update instance set
    name = coalesce($2, name),
    description = case when $3 then $4 else description end,
    hostname = coalesce($5, hostname),
    access_ip_v4 = coalesce($6, access_ip_v4),
    access_ip_v6 = coalesce($7, access_ip_v6),
    auto_disk_config = coalesce($8, auto_disk_config),
    updated_at = now()
  where id = $1 and deleted_at is null
  returning *`;

async function updateServer(db: Database, serverId: ServerId, change: ServerChange) {
  const [row] = await db.query<InstanceRow>(UPDATE, [
    serverId,
    change.name ?? null,
    change.description !== undefined,
    change.description ?? null,
    change.hostname ?? null,
    change.accessIpV4 ?? null,
    change.accessIpV6 ?? null,
    change.autoDiskConfig ?? null,
  ]);
  return row === undefined ? null : toInstance(row);
}

/** The action has no operation: it has ended when it begins. */
const SET_LOCK = `
  with changed as (
    update instance set
      locked_by = $2,
      locked_reason = case when $2::text is null then null else coalesce($3, locked_reason) end,
      updated_at = now()
    where id = $1 and deleted_at is null
    returning id
  ), action as (
    insert into instance_action (server_id, seq, action, request_id, user_id, project_id, finished_at)
    select changed.id, 1, $4,
      case when exists (select from instance_action a where a.server_id = changed.id and a.request_id = $6)
        then $7 else $6 end, $8, $9, now()
    from changed
    returning id
  )
  insert into instance_action_event (action_id, event, finish_time, result)
  select id, $5, now(), 'Success' from action
  returning action_id`;

async function setLock(
  db: Database,
  serverId: ServerId,
  lock: Parameters<ServerStore['setLock']>[1],
  { requestId, userId, projectId }: Requester,
): Promise<'done' | 'server-not-found'> {
  const { action, event } = lock === null ? UNLOCK_ACTION : LOCK_ACTION;
  const by = lock?.by ?? null;
  const reason = lock?.reason ?? null;
  const spare = `req-${randomUUID()}`;
  const values = [serverId, by, reason, action, event, requestId, spare, userId, projectId];
  return (await db.query(SET_LOCK, values)).length > 0 ? 'done' : 'server-not-found';
}

/** Under the server's lock: what is read here stays so until the change is written. */
function changeMetadata(
  db: Database,
  serverId: ServerId,
  change: Parameters<ServerStore['changeMetadata']>[1],
  { vmStates, most }: ChangeLimits,
): ReturnType<ServerStore['changeMetadata']> {
  return db.transaction(async (session): ReturnType<ServerStore['changeMetadata']> => {
    const server = await lockedServer(session, serverId);
    if (server === null) return { kind: 'server-not-found' };
    if (!vmStates.includes(server.vm_state)) return { kind: 'wrong-state', vmState: server.vm_state };
    const metadata = changedMetadata(server.metadata, change, most);
    if (typeof metadata === 'string') return { kind: metadata };
    await session.query(`update instance set metadata = $2, updated_at = now() where id = $1`, [
      serverId,
      JSON.stringify(metadata),
    ]);
    return { kind: 'changed', metadata };
  });
}

function changeTags(
  db: Database,
  serverId: ServerId,
  change: Parameters<ServerStore['changeTags']>[1],
  { vmStates, most }: ChangeLimits,
): ReturnType<ServerStore['changeTags']> {
  return db.transaction(async (session): ReturnType<ServerStore['changeTags']> => {
    const server = await lockedServer(session, serverId);
    if (server === null) return { kind: 'server-not-found' };
    if (!vmStates.includes(server.vm_state)) return { kind: 'wrong-state', vmState: server.vm_state };
    const tags = changedTags(server.tags, change, most);
    if (tags === 'unchanged') return { kind: tags, tags: server.tags };
    if (typeof tags === 'string') return { kind: tags };
    await session.query(`update instance set tags = $2 where id = $1`, [serverId, JSON.stringify(tags)]);
    return { kind: 'changed', tags };
  });
}
