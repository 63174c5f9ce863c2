import { randomUUID } from 'node:crypto';
import type { Millis, OperationId, OperationKind, ServerId, VolumeId } from '@novella/core';
import type { Operation } from '../records.js';
import type { Requester } from '../store.js';
import { actionName } from '../transition-facts.js';
import type { Session } from './database.js';
import { fromNow, newTimeline } from './operation-sql.js';

export interface NewOperation {
  readonly kind: OperationKind;
  readonly serverId: ServerId;
  readonly volumeId: VolumeId | null;
  readonly initiator: Operation['initiator'];
  /** null: queued at once; else it waits so long for nova-api's confirmation. */
  readonly confirmWithin: Millis | null;
  readonly requester: Requester;
}

/** The first operation of its kind on (server, volume), with the action that shows it; nothing when one is open. */
const INSERT = `
  with opened as (
    insert into operation (id, kind, server_id, volume_id, generation, host, initiator, request,
      state, waiting_for, next_at, timeline)
    select $1, $2, i.id, $4::uuid, i.generation, i.host, $5, '{}',
      case when $6::double precision is null then 'queued' else 'waiting' end,
      case when $6::double precision is null then null else 'api' end,
      ${fromNow('$6')},
      ${newTimeline(`case when $6::double precision is null then 'queued' else 'waiting' end`, `'requested'`)}
    from instance i where i.id = $3
    on conflict do nothing
    returning id, server_id
  )
  insert into instance_action (server_id, operation_id, seq, action, request_id, user_id, project_id)
  select o.server_id, o.id, 1, $7,
    case when exists (select from instance_action a where a.server_id = o.server_id and a.request_id = $8)
      then $9 else $8 end, $10, $11
  from opened o
  returning operation_id`;

/** The new operation's id; null when one of its kind is open. */
export async function openOperation(session: Session, input: NewOperation): Promise<OperationId | null> {
  const rows = await session.query<{ operation_id: OperationId }>(INSERT, [
    randomUUID(),
    input.kind,
    input.serverId,
    input.volumeId,
    input.initiator,
    input.confirmWithin,
    actionName(input.kind, {}),
    input.requester.requestId,
    `req-${randomUUID()}`,
    input.requester.userId,
    input.requester.projectId,
  ]);
  return rows[0]?.operation_id ?? null;
}
