import type { OperationKind, TaskState } from '@novella/core';
import type { Operation } from '../records.js';
import type { RecordChanges } from '../engine-store.js';
import { TASK_OF_ONE_KIND } from '../transition-facts.js';
import type { Tables } from './tables.js';

/** Writes what changes beside an operation; only rows of its own server. */
export function applyChanges(db: Tables, operation: Operation, changes: RecordChanges | undefined): void {
  if (changes?.instance !== undefined) changeInstance(db, operation, changes.instance);
  for (const change of changes?.mappings ?? []) changeMapping(db, operation, change);
}

function changeInstance(db: Tables, operation: Operation, change: NonNullable<RecordChanges['instance']>): void {
  const row = db.instances.get(operation.serverId);
  if (row === undefined) return;
  const now = db.now();
  const deleted = change.deleted === true;
  const taskOf = (TASK_OF_ONE_KIND as Partial<Record<TaskState | 'none', OperationKind>>)[row.taskState ?? 'none'];
  const keepsTask = change.taskState === undefined || (taskOf ?? operation.kind) !== operation.kind;
  db.instances.set(row.id, {
    ...row,
    vmState: deleted ? 'deleted' : (change.vmState ?? row.vmState),
    taskState: deleted ? null : keepsTask ? row.taskState : change.taskState,
    powerState: change.powerState ?? row.powerState,
    fault: change.fault === undefined ? row.fault : { ...change.fault, created: now },
    launchedAt: row.launchedAt ?? (change.launched === true ? now : null),
    deletedAt: row.deletedAt ?? (deleted ? now : null),
    terminatedAt: row.terminatedAt ?? (deleted ? now : null),
    updatedAt: now,
  });
}

function changeMapping(db: Tables, operation: Operation, change: NonNullable<RecordChanges['mappings']>[number]): void {
  const row = db.mappings.get(change.id);
  if (row?.serverId !== operation.serverId) return;
  if (change.removed === true) {
    db.mappings.delete(row.id);
    return;
  }
  db.mappings.set(row.id, {
    ...row,
    attachmentId: change.attachmentId ?? row.attachmentId,
    connection: change.connection === undefined ? row.connection : change.connection,
    sealedSecret: change.sealedSecret === undefined ? row.sealedSecret : change.sealedSecret,
    size: change.size ?? row.size,
    wantedBytes: change.wantedBytes ?? row.wantedBytes,
    overheadBytes: change.overheadBytes ?? row.overheadBytes,
    hostBytes: change.hostBytes ?? row.hostBytes,
    guestBytes: change.guestBytes === undefined ? row.guestBytes : change.guestBytes,
    attachedAt: row.attachedAt ?? (change.attached === true ? db.now() : null),
  });
}
