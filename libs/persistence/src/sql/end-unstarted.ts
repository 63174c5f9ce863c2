import type { ErrorRecord, OperationKind, ServerId, VolumeId } from '@novella/core';
import { failedMessage } from '../action-messages.js';
import { eventDetails, eventName } from '../transition-facts.js';
import type { Session } from './database.js';
import { appendedTimeline, OPEN, RELEASED } from './operation-sql.js';

/** Ends what no host has, with all that was asked of it, whatever was decided. Locks in the order of all statements. */
const END_UNSTARTED = `
  with doomed as (
    select id from operation
    where server_id = $1 and ${OPEN} and state <> 'dispatched' and ($2::uuid is null or volume_id = $2)
      and $3::jsonb ? kind
    order by volume_id, kind
    for no key update
  ), ended as (
    update operation o set state = 'failed', error = $4, ended_at = now(), version = o.version + 1, ${RELEASED},
      timeline = ${appendedTimeline('o', `'failed'`, '$5::text')}
    from doomed where o.id = doomed.id
    returning o.id, o.kind, o.host
  ), finished as (
    update instance_action a set finished_at = now(), updated_at = now(), message = $7
    from ended where a.operation_id = ended.id and a.finished_at is null
    returning a.id, ended.kind, ended.host
  )
  insert into instance_action_event (action_id, event, host, finish_time, result, details)
  select f.id, $3::jsonb ->> f.kind, f.host, now(), 'Error', $6 from finished f
  on conflict (action_id, event) do update
    set finish_time = excluded.finish_time, result = excluded.result, details = excluded.details`;

/** Fails the server's open operations of `kinds`, of one volume or (null) of any, except those that a host has. */
export async function endUnstarted(
  session: Session,
  what: {
    readonly serverId: ServerId;
    readonly volumeId: VolumeId | null;
    readonly kinds: readonly OperationKind[];
    readonly error: ErrorRecord;
  },
): Promise<void> {
  const { serverId, volumeId, kinds, error } = what;
  const events = Object.fromEntries(kinds.map((kind) => [kind, eventName(kind)]));
  await session.query(END_UNSTARTED, [
    serverId,
    volumeId,
    JSON.stringify(events),
    JSON.stringify(error),
    error.code,
    eventDetails(error),
    failedMessage(error),
  ]);
}
