import type { ServerId } from '@novella/core';
import type { Requester } from '../store.js';
import { eventDetails, eventName, SERVER_DELETED } from '../transition-facts.js';
import type { Database, Session } from './database.js';
import { lockedServer } from './reservations.js';
import { openOperation } from './new-operation.js';
import { appendedTimeline, OPEN, RELEASED } from './operation-sql.js';

export function requestDelete(
  db: Database,
  serverId: ServerId,
  requester: Requester,
): Promise<'accepted' | 'already-deleting' | 'server-not-found'> {
  return db.transaction(async (session) => {
    const server = await lockedServer(session, serverId);
    if (server === null) return 'server-not-found';
    const operation = await openOperation(session, {
      kind: 'delete',
      serverId,
      volumeId: null,
      initiator: 'user',
      confirmWithin: null,
      requester,
    });
    if (operation === null) return 'already-deleting';
    await session.query(`update instance set task_state = 'deleting', updated_at = now() where id = $1`, [serverId]);
    await endUnstarted(session, serverId);
    return 'accepted';
  });
}

/** Ends the extends and attaches that no host has, with all that was asked of them, whatever was decided. */
const END_UNSTARTED = `
  with doomed as (
    select id from operation
    where server_id = $1 and ${OPEN} and state <> 'dispatched' and kind in ('extend', 'attach')
    order by volume_id, kind
    for no key update
  ), ended as (
    update operation o set state = 'failed', error = $2, ended_at = now(), version = o.version + 1, ${RELEASED},
      timeline = ${appendedTimeline('o', `'failed'`, '$3::text')}
    from doomed where o.id = doomed.id
    returning o.id, o.kind, o.host
  ), finished as (
    update instance_action a set finished_at = now(), updated_at = now(), message = 'Error'
    from ended where a.operation_id = ended.id and a.finished_at is null
    returning a.id, ended.kind, ended.host
  )
  insert into instance_action_event (action_id, event, host, finish_time, result, details)
  select f.id, case f.kind when 'extend' then $4 else $5 end, f.host, now(), 'Error', $6 from finished f
  on conflict (action_id, event) do update
    set finish_time = excluded.finish_time, result = excluded.result, details = excluded.details`;

async function endUnstarted(session: Session, serverId: ServerId): Promise<void> {
  await session.query(END_UNSTARTED, [
    serverId,
    JSON.stringify(SERVER_DELETED),
    SERVER_DELETED.code,
    eventName('extend'),
    eventName('attach'),
    eventDetails(SERVER_DELETED),
  ]);
}
