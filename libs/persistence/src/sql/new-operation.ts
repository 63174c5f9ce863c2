import { randomUUID } from 'node:crypto';
import type { Millis, OperationId, OperationKind, ServerId, VolumeId } from '@novella/core';
import type { Operation } from '../records.js';
import type { Requester } from '../requester.js';
import { actionName } from '../transition-facts.js';
import type { Session } from './database.js';
import { fromNow, JOIN_OPEN, newTimeline } from './operation-sql.js';

export interface NewOperation {
  readonly kind: OperationKind;
  readonly serverId: ServerId;
  readonly volumeId: VolumeId | null;
  readonly initiator: Operation['initiator'];
  readonly request: Operation['request'];
  /** null: queued at once; else it waits so long for nova-api's confirmation. */
  readonly confirmWithin: Millis | null;
  readonly requester: Requester;
}

/** An operation of a kind on (server, volume) with the action that shows it; nothing when `conflict` does nothing. */
const insert = (conflict: string): string => `
  with opened as (
    insert into operation as o (id, kind, server_id, volume_id, generation, host, initiator, request,
      state, waiting_for, next_at, timeline)
    select $1, $2, i.id, $4::uuid, i.generation, i.host, $5, $12::jsonb,
      case when $6::double precision is null then 'queued' else 'waiting' end,
      case when $6::double precision is null then null else 'api' end,
      ${fromNow('$6')},
      ${newTimeline(`case when $6::double precision is null then 'queued' else 'waiting' end`, `'requested'`)}
    from instance i where i.id = $3
    ${conflict}
    returning o.id, o.server_id, o.requested_seq
  )
  insert into instance_action (server_id, operation_id, seq, action, request_id, user_id, project_id)
  select o.server_id, o.id, o.requested_seq, $7,
    case when exists (select from instance_action a where a.server_id = o.server_id and a.request_id = $8)
      then $9 else $8 end, $10, $11
  from opened o
  returning operation_id`;

const OPEN_NEW = insert('on conflict do nothing');
const JOIN_OR_OPEN = insert(JOIN_OPEN);

/** The new operation's id; null when one of its kind is open. */
export const openOperation = (session: Session, input: NewOperation): Promise<OperationId | null> =>
  write(session, OPEN_NEW, input);

/** The id of the new operation, or of the open one of its kind, which has one request more and the new `request`. */
export const joinOrOpenOperation = (session: Session, input: NewOperation): Promise<OperationId | null> =>
  write(session, JOIN_OR_OPEN, input);

async function write(session: Session, statement: string, input: NewOperation): Promise<OperationId | null> {
  const rows = await session.query<{ operation_id: OperationId }>(statement, [
    randomUUID(),
    input.kind,
    input.serverId,
    input.volumeId,
    input.initiator,
    input.confirmWithin,
    actionName(input.kind, input.request),
    input.requester.requestId,
    `req-${randomUUID()}`,
    input.requester.userId,
    input.requester.projectId,
    JSON.stringify(input.request),
  ]);
  return rows[0]?.operation_id ?? null;
}
