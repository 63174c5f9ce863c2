import type { Millis, OperationState } from '@novella/core';
import type { Operation } from '../records.js';
import type { EngineStore, RecordChanges } from '../engine-store.js';
import { eventName, isRefusal } from '../transition-facts.js';
import { waitingMessage } from '../action-messages.js';
import { applyChanges } from './changes.js';
import { finishedAction } from './requests.js';
import { appended, isOpen, later, type OperationRow, type Tables, toOperation } from './tables.js';

type Input<Method extends 'dispatch' | 'advance' | 'wait' | 'end'> = Parameters<EngineStore[Method]>[1];

/** The row as the caller has read it; null when somebody has written since. */
function unchanged(db: Tables, operation: Operation): OperationRow | null {
  const row = db.operations.get(operation.id);
  const same = row?.version === operation.version && row.decidedSeq === operation.decidedSeq;
  return row !== undefined && same && isOpen(row.state) ? row : null;
}

function write(
  db: Tables,
  row: OperationRow,
  state: OperationState,
  note: string,
  changes: Partial<OperationRow>,
): Operation {
  const version = row.version + 1;
  const written = { ...row, ...changes, state, version, timeline: appended(row.timeline, db.now(), state, note) };
  db.operations.set(row.id, written);
  return toOperation(written);
}

/** What an operation loses when nobody works on it and no host has it. */
const RELEASED = { waitingFor: null, nextAt: null, deadline: null, claimedBy: null, leaseUntil: null } as const;

/** The same part of the same server; or, of two extends, the same volume, whatever servers have it. */
function excludes(other: OperationRow, row: OperationRow): boolean {
  if (other.id === row.id || other.state !== 'dispatched' || other.volumeId !== row.volumeId) return false;
  const bothExtend = other.kind === 'extend' && row.kind === 'extend';
  return other.serverId === row.serverId || (bothExtend && row.volumeId !== null);
}

export function dispatch(db: Tables, operation: Operation, input: Input<'dispatch'>): Operation | 'excluded' | null {
  const row = unchanged(db, operation);
  if (row === null) return null;
  if ([...db.operations.values()].some((other) => excludes(other, row))) return 'excluded';
  const now = db.now();
  db.changeActions(row, (action) => {
    if (action.seq > row.decidedSeq) return action;
    const started = action.events[0] ?? {
      event: eventName(row.kind),
      startTime: now,
      finishTime: null,
      result: null,
      traceback: null,
      details: null,
    };
    return { ...action, updatedAt: now, message: null, events: [{ ...started, host: input.host }] };
  });
  applyChanges(db, row, input.changes);
  return write(db, row, 'dispatched', input.step ?? input.host, {
    ...RELEASED,
    attempt: row.attempt + 1,
    fence: (db.fence += 1),
    attemptSeq: row.decidedSeq,
    host: input.host,
    step: input.step,
    generation: input.generation,
    sentAt: null,
    deadline: later(now, input.deadlineIn),
  });
}

export function markSent(db: Tables, operation: Operation): void {
  const row = unchanged(db, operation);
  if (row?.state === 'dispatched') db.operations.set(row.id, { ...row, sentAt: db.now() });
}

export function undoDispatch(db: Tables, operation: Operation, nextIn: Millis): Operation | null {
  const row = unchanged(db, operation);
  if (row?.state !== 'dispatched') return null;
  tellWaiting(db, row, waitingMessage('host', null));
  return write(db, row, 'waiting', 'host', {
    ...RELEASED,
    attempt: row.attempt - 1,
    fence: null,
    sentAt: null,
    waitingFor: 'host',
    nextAt: later(db.now(), nextIn),
  });
}

export function advance(db: Tables, operation: Operation, input: Input<'advance'>): Operation | null {
  const row = unchanged(db, operation);
  if (row === null) return null;
  applyChanges(db, row, input.changes);
  return write(db, row, 'queued', input.step, {
    waitingFor: null,
    nextAt: null,
    deadline: null,
    step: input.step,
    leaseUntil: later(db.now(), input.lease),
    ...(input.error === undefined ? {} : { error: input.error }),
  });
}

function tellWaiting(db: Tables, row: OperationRow, message: string): void {
  const now = db.now();
  db.changeActions(row, (action) => (action.message === message ? action : { ...action, message, updatedAt: now }));
}

/** A request that came while the facts were read is not made to wait: it queues the operation again at once. */
export function wait(db: Tables, operation: Operation, input: Input<'wait'>): Operation | null {
  const row = unchanged(db, operation);
  if (row === null) return null;
  const changes = {
    ...RELEASED,
    ...(input.step === undefined ? {} : { step: input.step }),
    ...(input.error === undefined ? {} : { error: input.error }),
  };
  if (row.requestedSeq > row.decidedSeq) return write(db, row, 'queued', 'requested', { ...changes, failures: 0 });
  tellWaiting(db, row, waitingMessage(input.for, input.error?.code ?? null));
  return write(db, row, 'waiting', input.error?.code ?? input.for, {
    ...changes,
    failures: input.failed === 'first' ? 1 : row.failures + (input.failed === true ? 1 : 0),
    waitingFor: input.for,
    nextAt: later(db.now(), input.nextIn),
  });
}

export function end(db: Tables, operation: Operation, input: Input<'end'>): Operation | null {
  const row = unchanged(db, operation);
  if (row === null) return null;
  const now = db.now();
  const error = input.result === 'failed' ? input.error : null;
  const more = row.requestedSeq > row.decidedSeq;
  applyChanges(db, row, more ? withoutTaskState(input.changes) : input.changes);
  recordRefusal(db, row, input);
  db.changeActions(row, (action) => (action.seq > row.decidedSeq ? action : finishedAction(action, row, now, error)));
  for (const other of db.operations.values()) {
    const near = other.serverId === row.serverId || (row.volumeId !== null && other.volumeId === row.volumeId);
    const waits = other.waitingFor === 'server-task' || other.waitingFor === 'guest-start';
    const wakes = near && other.id !== row.id && other.state === 'waiting' && waits;
    if (wakes) db.operations.set(other.id, { ...other, nextAt: now });
  }
  const note = error?.code ?? input.result;
  if (more) {
    return write(db, row, 'queued', note, { ...RELEASED, step: null, error: null, failures: 0 });
  }
  return write(db, row, input.result, note, {
    ...RELEASED,
    error,
    failures: error === null ? 0 : row.failures,
    verifiedBy: input.result === 'succeeded' ? (input.verifiedBy ?? null) : null,
    visible: input.result === 'succeeded' ? (input.visible ?? null) : null,
    endedAt: now,
  });
}

/** What is left to do still is the server's task. */
function withoutTaskState(changes: RecordChanges | undefined): RecordChanges | undefined {
  if (changes?.instance === undefined) return changes;
  const { taskState: _left, ...instance } = changes.instance;
  return { ...changes, instance };
}

/** Remembers at the attachment what an extend was refused for, so that the reconciler does not ask the same again. */
function recordRefusal(db: Tables, row: OperationRow, input: Input<'end'>): void {
  const mapping = db.mappingsOf(row.serverId).find((candidate) => candidate.volumeId === row.volumeId);
  if (row.kind !== 'extend' || mapping === undefined) return;
  const host = db.instances.get(row.serverId)?.host ?? null;
  const capabilities = db.service(host, 'nova-compute')?.capabilities ?? [];
  const refused =
    input.result === 'failed' && isRefusal(input.error) ? { wantedBytes: mapping.wantedBytes, capabilities } : null;
  db.mappings.set(mapping.id, { ...mapping, refused });
}
