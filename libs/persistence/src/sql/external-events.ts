import { randomUUID } from 'node:crypto';
import { type ErrorRecord, parseVolumeId } from '@novella/core';
import type { Requester } from '../requester.js';
import type { PostedEvent } from '../api-store.js';
import { failedMessage } from '../action-messages.js';
import { actionName, eventName, tagIsNoVolume } from '../transition-facts.js';
import type { Database } from './database.js';
import { JOIN_OPEN, newTimeline } from './operation-sql.js';

/** One column for what makes requests the same, so that the planner, who knows no sizes here, joins by hash or merge. */
const KEY = (server: string, volume: string, kind: string) => `concat_ws(' ', ${server}, ${volume}, ${kind})`;

/**
 * One POST in one statement, however many events: one round trip, one commit. Requests on the same (server, volume,
 * kind) are added up first, so a row is touched once; rows are inserted and locked in the order of that key, so two
 * POSTs never wait for each other in a circle. `offset 0` has the planner look each request id up in the index: what it
 * would gather in one go is all actions there are.
 */
const ACCEPT = `
  with posted as materialized (
    select * from jsonb_to_recordset($1::jsonb) as p(n integer, server_text text, name text, status text, tag text,
      code integer, asks boolean, ends boolean, kind text, server uuid, volume uuid, request jsonb, initiator text,
      failure jsonb, message text, operation uuid, action text, spare_request text)
  ), asked as materialized (
    select p.*, ${KEY('p.server', 'p.volume', 'p.kind')} as key, i.generation, i.host,
      row_number() over (partition by p.server order by p.n) as nth_of_server,
      row_number() over same as nth, count(*) over (same range between unbounded preceding and unbounded following) as requests
    from posted p join instance i on i.id = p.server
    where p.asks
    window same as (partition by ${KEY('p.server', 'p.volume', 'p.kind')}, p.ends order by p.n)
  ), opened as (
    insert into operation as o (id, kind, server_id, volume_id, generation, host, initiator, state, requested_seq,
      request, timeline)
    select operation, kind, server, volume, generation, host, initiator, 'queued', requests, request,
      ${newTimeline(`'queued'::text`, `'requested'::text`)}
    from asked where not ends and nth = requests order by key
    ${JOIN_OPEN}
    returning o.id, ${KEY('o.server_id', 'o.volume_id', 'o.kind')} as key, o.requested_seq
  ), refused as (
    insert into operation (id, kind, server_id, generation, host, initiator, state, decided_seq, request, error,
      ended_at, timeline)
    select operation, kind, server, generation, host, initiator, 'failed', 1, request, failure, now(),
      ${newTimeline(`'failed'::text`, `failure ->> 'code'`)}
    from asked where ends
  ), numbered as materialized (
    select a.n, a.server, a.action, a.spare_request, a.nth_of_server, a.host, a.ends, a.failure, a.message,
      o.id as operation, o.requested_seq - a.requests + a.nth as seq
    from asked a
    join opened o on o.key = a.key
    where not a.ends
    union all
    select n, server, action, spare_request, nth_of_server, host, ends, failure, message, operation, 1
    from asked where ends
  ), recorded as (
    insert into external_event (request_id, user_id, project_id, server_id, name, status, tag, code, operation_id)
    select $2, $3, $4, p.server_text, p.name, p.status, p.tag, p.code, x.operation
    from posted p left join numbered x on x.n = p.n
    order by p.n
  ), acted as (
    insert into instance_action (server_id, operation_id, seq, action, request_id, user_id, project_id,
      finished_at, message)
    select x.server, x.operation, x.seq, x.action,
      case when x.nth_of_server > 1
        or exists (select from instance_action a where a.server_id = x.server and a.request_id = $2 offset 0)
        then x.spare_request else $2 end,
      $3, $4, case when x.ends then now() end, x.message
    from (select * from numbered order by n) x
    returning id, operation_id
  )
  insert into instance_action_event (action_id, event, host, finish_time, result, details)
  select a.id, $5, x.host, now(), 'Error', (x.failure ->> 'code') || ': ' || (x.failure ->> 'message')
  from acted a join numbered x on x.operation = a.operation_id
  where x.ends`;

export async function acceptExternalEvents(
  db: Database,
  events: readonly PostedEvent[],
  requester: Requester,
): Promise<void> {
  const posted = events.filter((event) => event.code !== 404).map(postedRow);
  if (posted.length === 0) return;
  const { requestId, userId, projectId } = requester;
  await db.query(ACCEPT, [JSON.stringify(posted), requestId, userId, projectId, eventName('extend')]);
}

function postedRow(event: PostedEvent, n: number) {
  const recorded = {
    n,
    server_text: event.serverId,
    name: event.name,
    status: event.status,
    tag: event.tag,
    code: event.code,
    asks: event.operation !== null,
  };
  if (event.operation === null) return recorded;
  const { kind, serverId } = event.operation;
  const asked = asks(event.operation);
  return {
    ...recorded,
    ...asked,
    ends: asked.failure !== null,
    message: asked.failure === null ? null : failedMessage(asked.failure),
    kind,
    server: serverId,
    operation: randomUUID(),
    action: actionName(kind, asked.request),
    spare_request: `req-${randomUUID()}`,
  };
}

interface Asked {
  readonly volume: string | null;
  readonly request: Readonly<Record<string, string>>;
  readonly initiator: 'user' | 'cinder';
  readonly failure: ErrorRecord | null;
}

function asks(operation: NonNullable<PostedEvent['operation']>): Asked {
  if (operation.kind === 'power-update') {
    return { volume: null, request: { target: operation.target }, initiator: 'user', failure: null };
  }
  const volume = parseVolumeId(operation.volumeTag);
  const failure = volume === null ? tagIsNoVolume(operation.volumeTag) : null;
  return { volume, request: {}, initiator: 'cinder', failure };
}
