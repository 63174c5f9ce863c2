import type { HostName } from '@novella/core';
import {
  type HostState,
  MOST_STUCK,
  type OperationFilter,
  type OperatorStore,
  type Standing,
  STUCK,
  type Stuck,
  type StuckReason,
  TAKEN_UP_WITHIN_MS,
} from '../operator-store.js';
import { ENDED_LISTED_MS } from '../transition-facts.js';
import { dueAt, isOpen, later, type OperationRow, type Tables, toOperation } from './tables.js';

export function memoryOperator(db: Tables): OperatorStore {
  return {
    standing: (id) =>
      db.atomically(() => {
        const row = db.operations.get(id);
        return row === undefined ? null : toStanding(db, row);
      }),
    standings: (filter) => db.atomically(() => standings(db, filter)),
    stuck: () => db.atomically(() => stuck(db)),
  };
}

function standings(db: Tables, filter: OperationFilter): Standing[] {
  const listedSince = later(db.now(), -ENDED_LISTED_MS);
  const age: number = filter.olderThan ?? 0;
  const acceptedUntil = later(db.now(), -age);
  const isAsked = (row: OperationRow): boolean =>
    (filter.open ?? isOpen(row.state)) === isOpen(row.state) &&
    (filter.state ?? row.state) === row.state &&
    (filter.waitingFor ?? row.waitingFor) === row.waitingFor &&
    (filter.kind ?? row.kind) === row.kind &&
    (filter.serverId ?? row.serverId) === row.serverId &&
    (filter.host ?? hostOf(db, row)) === hostOf(db, row) &&
    row.createdAt <= acceptedUntil &&
    (row.endedAt === null || row.endedAt > listedSince);
  return [...db.operations.values()]
    .filter(isAsked)
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1))
    .slice(0, filter.limit)
    .map((row) => toStanding(db, row));
}

const hostOf = (db: Tables, row: OperationRow): HostName | null =>
  row.state === 'dispatched' ? row.host : (db.instances.get(row.serverId)?.host ?? row.host);

function toStanding(db: Tables, row: OperationRow): Standing {
  const { claimedBy: by, leaseUntil: until } = row;
  const due = dueAt(row);
  const actions = db.actions.get(row.serverId) ?? [];
  return {
    ...toOperation(row),
    claim: by !== null && until !== null && until > db.now() ? { by, until } : null,
    dueAt: due === null ? null : new Date(due),
    hostState: hostState(db, hostOf(db, row)),
    requests: actions
      .filter(({ operationId }) => operationId === row.id)
      .map(({ requestId, finished }) => ({ requestId, isFinished: finished })),
    readAt: db.now(),
  };
}

function hostState(db: Tables, host: HostName | null): HostState | null {
  if (host === null) return null;
  const found = db.placedOn(host);
  const { up = false, forcedDown = false, lastReportAt = null } = found ?? {};
  return { host, up, forcedDown, lastReportAt };
}

function stuck(db: Tables): Stuck[] {
  const found: Stuck[] = [];
  const add = (reason: StuckReason, id: string, serverId: Stuck['serverId'], since: Date): void =>
    void found.push({ what: STUCK[reason], id, serverId, reason, since });
  const overdue = later(db.now(), -TAKEN_UP_WITHIN_MS).getTime();
  for (const row of db.operations.values()) {
    const due = dueAt(row);
    if (isOpen(row.state) !== (row.endedAt === null)) add('end-not-recorded', row.id, row.serverId, row.createdAt);
    if (isOpen(row.state) && lacksNextStep(row)) add('no-next-step', row.id, row.serverId, row.createdAt);
    if (due !== null && due < overdue) add('not-taken-up', row.id, row.serverId, new Date(due));
  }
  for (const row of db.instances.values()) {
    const hasTask = row.deletedAt === null && (row.taskState !== null || row.vmState === 'building');
    const isWorkedOn = db.openOperationsOf(row.id).some(({ volumeId }) => volumeId === null);
    if (hasTask && !isWorkedOn) add('task-without-operation', row.id, row.id, row.updatedAt);
  }
  for (const { attachedAt, serverId, volumeId, createdAt } of db.mappings.values()) {
    const open = db.openOperationsOf(serverId).some((row) => (row.volumeId ?? volumeId) === volumeId);
    if (attachedAt === null && !open) add('reservation-without-operation', volumeId, serverId, createdAt);
  }
  for (const action of [...db.actions.values()].flat()) {
    const operation = action.operationId === null ? undefined : db.operations.get(action.operationId);
    const isEnded = operation !== undefined && !isOpen(operation.state);
    if (!action.finished && isEnded) add('action-without-end', action.requestId, action.serverId, action.startTime);
  }
  return found.sort((a, b) => a.since.getTime() - b.since.getTime()).slice(0, MOST_STUCK);
}

const lacksNextStep = (row: OperationRow): boolean =>
  dueAt(row) === null ||
  (row.state === 'waiting') !== (row.waitingFor !== null) ||
  (row.state === 'dispatched' && (row.host === null || row.deadline === null));
