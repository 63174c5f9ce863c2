import { type ErrorRecord, type OperationId, parseVolumeId } from '@novella/core';
import type { Operation } from '../records.js';
import type { Requester } from '../requester.js';
import type { PostedEvent } from '../api-store.js';
import { failedMessage } from '../action-messages.js';
import { eventDetails, eventName, tagIsNoVolume } from '../transition-facts.js';
import { newOperation } from './new-operation.js';
import { type ActionRow, appended, isOpen, type OperationRow, type Tables } from './tables.js';

/** The action with its event ended: `Success`, or `Error` with the reason. An event that never started starts now. */
export function finishedAction(
  action: ActionRow,
  operation: Operation,
  now: Date,
  error: ErrorRecord | null,
): ActionRow {
  const started = action.events[0];
  return {
    ...action,
    finished: true,
    updatedAt: now,
    message: error === null ? null : failedMessage(error),
    events: [
      {
        event: eventName(operation.kind),
        host: started?.host ?? operation.host,
        startTime: started?.startTime ?? now,
        finishTime: now,
        result: error === null ? 'Success' : 'Error',
        traceback: null,
        details: error === null ? null : eventDetails(error),
      },
    ],
  };
}

export function acceptExternalEvents(db: Tables, events: readonly PostedEvent[], requester: Requester): void {
  const at = db.now();
  for (const event of events) {
    if (event.code === 404) continue;
    const operation = event.operation === null ? null : request(db, event.operation, requester);
    db.externalEvents.push({ event, requester, operation, at });
  }
}

function request(db: Tables, wanted: NonNullable<PostedEvent['operation']>, requester: Requester): OperationId | null {
  const server = db.instances.get(wanted.serverId);
  if (server === undefined) return null;
  if (wanted.kind === 'power-update') {
    const request = { target: wanted.target };
    return oneMore(db, { kind: 'power-update', server, volumeId: null, initiator: 'user', request }, requester);
  }
  const volumeId = parseVolumeId(wanted.volumeTag);
  if (volumeId !== null) {
    return oneMore(db, { kind: 'extend', server, volumeId, initiator: 'cinder', request: {} }, requester);
  }
  const failed = tagIsNoVolume(wanted.volumeTag);
  const operation = newOperation(db, { kind: 'extend', server, volumeId, initiator: 'cinder', request: {}, failed });
  db.addAction(operation, 1, requester);
  db.changeActions(operation, (action) => finishedAction(action, operation, db.now(), failed));
  return operation.id;
}

/** A new operation, or one more request on the open one. */
export function oneMore(db: Tables, input: Parameters<typeof newOperation>[1], requester: Requester): OperationId {
  const open = [...db.operations.values()].find(
    (row) =>
      row.serverId === input.server.id &&
      row.volumeId === input.volumeId &&
      row.kind === input.kind &&
      isOpen(row.state),
  );
  if (open === undefined) {
    const operation = newOperation(db, input);
    db.addAction(operation, 1, requester);
    return operation.id;
  }
  const waited = open.state === 'waiting';
  const state = waited ? 'queued' : open.state;
  const asked: OperationRow = {
    ...open,
    state,
    requestedSeq: open.requestedSeq + 1,
    initiator: input.initiator,
    request: input.request,
    timeline: appended(open.timeline, db.now(), state, 'requested'),
    ...(waited ? { waitingFor: null, nextAt: null, failures: 0 } : {}),
  };
  db.operations.set(asked.id, asked);
  db.addAction(asked, asked.requestedSeq, requester);
  return asked.id;
}
