import type { HostName, Millis, OperationId } from '@novella/core';
import type { Operation } from '../records.js';
import { keepsDecision } from '../transition-facts.js';
import { dueAt, later, type OperationRow, type Tables, toOperation } from './tables.js';

export function claimDue(db: Tables, by: string, lease: Millis, limit: number): Operation[] {
  const now = db.now().getTime();
  return [...db.operations.values()]
    .flatMap((row) => {
      const at = dueAt(row);
      return at !== null && at <= now ? [{ row, at }] : [];
    })
    .sort((a, b) => a.at - b.at)
    .slice(0, limit)
    .map(({ row }) => claimed(db, deciding(row), by, lease));
}

const deciding = (row: OperationRow): OperationRow => ({
  ...row,
  decidedSeq: keepsDecision(row) ? row.attemptSeq : row.requestedSeq,
});

function claimed(db: Tables, row: OperationRow, by: string, lease: Millis): Operation {
  const taken = { ...row, claimedBy: by, leaseUntil: later(db.now(), lease), version: row.version + 1 };
  db.operations.set(row.id, taken);
  return toOperation(taken);
}

export function claimOne(db: Tables, id: OperationId, by: string, lease: Millis): Operation | null {
  const row = db.operations.get(id);
  if (row === undefined || row.state === 'waiting') return null;
  const at = dueAt(row);
  if (at === null || at > db.now().getTime()) return null;
  return claimed(db, deciding(row), by, lease);
}

/**
 * Takes it even from one who holds a lease: that one is handling the same answer, delivered twice, or was measuring
 * because the answer was late. Its next write finds another version.
 */
export function claimForResult(
  db: Tables,
  answer: { operation: OperationId; attempt: number; fence: number; host: HostName },
  by: string,
  lease: Millis,
): Operation | null {
  const row = db.operations.get(answer.operation);
  const awaited =
    row?.state === 'dispatched' &&
    row.attempt === answer.attempt &&
    row.fence === answer.fence &&
    row.host === answer.host;
  return awaited ? claimed(db, { ...row, decidedSeq: row.attemptSeq }, by, lease) : null;
}
