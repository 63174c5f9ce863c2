import type { HostName, Millis, OperationId } from '@novella/core';
import type { Operation } from '../records.js';
import type { Database } from './database.js';
import type { OperationRow } from './entities/operation.entity.js';
import { fromNow, OPEN, UNSYNCED } from './operation-sql.js';
import { toOperation } from './rows.js';

/** As keepsDecision in transition-facts.ts. */
const DECIDED_SEQ = `
  case when o.kind = 'extend' and o.step is not null and o.state <> 'dispatched' and o.attempt > 0
    then o.attempt_seq else o.requested_seq end`;

/** No lock outlives the statement; `skip locked` lets concurrent claims take different rows instead of queueing. */
const CLAIM_DUE = `
  with due as materialized (
    select id, due_at from operation where ${OPEN} and due_at <= now()
    order by due_at limit $3 for no key update skip locked
  )
  update operation o set
    claimed_by = $1, lease_until = ${fromNow('$2')}, version = o.version + 1, decided_seq = ${DECIDED_SEQ}
  from due, ${UNSYNCED} where o.id = due.id
  returning o.*, due.due_at as was_due_at`;

export async function claimDue(db: Database, by: string, lease: Millis, limit: number): Promise<Operation[]> {
  const rows = await db.query<OperationRow & { was_due_at: Date }>(CLAIM_DUE, [by, lease, limit]);
  return rows.sort((a, b) => a.was_due_at.getTime() - b.was_due_at.getTime()).map(toOperation);
}

const CLAIM_ONE = `
  update operation o set
    claimed_by = $2, lease_until = ${fromNow('$3')}, version = o.version + 1, decided_seq = ${DECIDED_SEQ}
  from ${UNSYNCED}
  where o.id = $1 and o.state in ('queued', 'dispatched') and o.due_at <= now()
  returning o.*`;

export async function claimOne(db: Database, id: OperationId, by: string, lease: Millis): Promise<Operation | null> {
  const [row] = await db.query<OperationRow>(CLAIM_ONE, [id, by, lease]);
  return row === undefined ? null : toOperation(row);
}

/**
 * Takes it even from one who holds a lease: that one is handling the same answer, delivered twice, or was measuring
 * because the answer was late. Its next write finds another version.
 */
const CLAIM_FOR_RESULT = `
  update operation o set
    claimed_by = $5, lease_until = ${fromNow('$6')}, version = o.version + 1, decided_seq = o.attempt_seq
  from ${UNSYNCED}
  where o.id = $1 and o.state = 'dispatched' and o.attempt = $2 and o.fence = $3 and o.host = $4
  returning o.*`;

export async function claimForResult(
  db: Database,
  answer: { operation: OperationId; attempt: number; fence: number; host: HostName },
  by: string,
  lease: Millis,
): Promise<Operation | null> {
  const { operation, attempt, fence, host } = answer;
  const [row] = await db.query<OperationRow>(CLAIM_FOR_RESULT, [operation, attempt, fence, host, by, lease]);
  return row === undefined ? null : toOperation(row);
}
