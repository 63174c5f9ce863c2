import type { ErrorRecord, Millis, OperationId, VolumeId } from '@novella/core';
import type { Instance, Operation } from '../records.js';
import { appended, later, type OperationRow, type Tables } from './tables.js';

export interface NewOperation {
  readonly kind: Operation['kind'];
  readonly server: Instance;
  readonly volumeId: VolumeId | null;
  readonly initiator: Operation['initiator'];
  readonly request: Operation['request'];
  /** null: queued at once; else it waits so long for nova-api's confirmation. */
  readonly confirmWithin?: Millis | null;
  /** The operation has ended before it began. */
  readonly failed?: ErrorRecord;
}

export function newOperation(db: Tables, input: NewOperation): OperationRow {
  const now = db.now();
  const confirmWithin = input.confirmWithin ?? null;
  const state = input.failed !== undefined ? 'failed' : confirmWithin === null ? 'queued' : 'waiting';
  const row: OperationRow = {
    id: db.uuid() as OperationId,
    kind: input.kind,
    step: null,
    serverId: input.server.id,
    volumeId: input.volumeId,
    generation: input.server.generation,
    host: input.server.host,
    initiator: input.initiator,
    state,
    waitingFor: state === 'waiting' ? 'api' : null,
    attempt: 0,
    fence: null,
    requestedSeq: 1,
    decidedSeq: state === 'failed' ? 1 : 0,
    version: 1,
    failures: 0,
    request: input.request,
    error: input.failed ?? null,
    verifiedBy: null,
    visible: null,
    createdAt: now,
    sentAt: null,
    deadline: null,
    nextAt: confirmWithin === null ? null : later(now, confirmWithin),
    endedAt: state === 'failed' ? now : null,
    timeline: appended([], now, state, input.failed?.code ?? 'requested'),
    claimedBy: null,
    leaseUntil: null,
    attemptSeq: 0,
  };
  db.operations.set(row.id, row);
  return row;
}
