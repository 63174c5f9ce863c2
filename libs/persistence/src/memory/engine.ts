import { millis, type Millis } from '@novella/core';
import { byDevice } from '../devices.js';
import type { Operation } from '../records.js';
import type { EngineStore, OperationFacts } from '../engine-store.js';
import { storable, storableText } from '../text.js';
import { ENDED_LISTED_MS } from '../transition-facts.js';
import { claimDue, claimForResult, claimOne } from './claims.js';
import { place } from './placing.js';
import { attachedVolumes, openSystemExtend } from './reconcile.js';
import { dueAt, isOpen, later, type Tables, toInstance, toMapping, toOperation } from './tables.js';
import { advance, dispatch, end, markSent, undoDispatch, wait } from './transitions.js';

export function memoryEngine(db: Tables): EngineStore {
  return {
    claimDue: (by, lease, limit) => db.atomically(() => claimDue(db, by, lease, limit)),
    claimOne: (id, by, lease) => db.atomically(() => claimOne(db, id, by, lease)),
    claimForResult: (answer, by, lease) => db.atomically(() => claimForResult(db, answer, by, lease)),
    nextDueIn: () => db.atomically(() => nextDueIn(db)),
    operationFacts: (operation) => db.atomically(() => operationFacts(db, operation)),
    dispatch: (operation, input) => db.atomically(() => dispatch(db, operation, storable(input))),
    markSent: (operation) => db.atomically(() => markSent(db, operation)),
    undoDispatch: (operation, nextIn) => db.atomically(() => undoDispatch(db, operation, nextIn)),
    advance: (operation, input) => db.atomically(() => advance(db, operation, storable(input))),
    wait: (operation, input) => db.atomically(() => wait(db, operation, storable(input))),
    end: (operation, input) => db.atomically(() => end(db, operation, storable(input))),
    place: (operation, serverId, host, need) => db.atomically(() => place(db, operation, serverId, host, need)),
    wake: (what) => db.atomically(() => wake(db, what)),
    takeOver: (from) => db.atomically(() => takeOver(db, from)),
    openSystemExtend: (input) => db.atomically(() => openSystemExtend(db, storable(input))),
    attachedVolumes: (after, limit, onHost = null) => db.atomically(() => attachedVolumes(db, after, limit, onHost)),
    exclusively: (name, work) => exclusively(db, storableText(name), work),
    operation: (id) =>
      db.atomically(() => {
        const row = db.operations.get(id);
        return row === undefined ? null : toOperation(row);
      }),
    operations: (filter) => db.atomically(() => operations(db, filter)),
  };
}

function nextDueIn(db: Tables): Millis | null {
  const due = [...db.operations.values()].flatMap((row) => dueAt(row) ?? []);
  if (due.length === 0) return null;
  const first = due.reduce((least, at) => Math.min(least, at));
  return millis(Math.max(0, first - db.now().getTime()));
}

function operationFacts(db: Tables, operation: Operation): OperationFacts | null {
  const instance = db.instances.get(operation.serverId);
  if (instance === undefined) return null;
  return {
    instance: toInstance(instance),
    mappings: db
      .mappingsOf(instance.id)
      .filter((mapping) => operation.volumeId === null || mapping.volumeId === operation.volumeId)
      .map(toMapping)
      .sort(byDevice),
    service: db.placedOn(instance.host),
    others: db
      .openOperationsOf(instance.id)
      .filter((row) => row.id !== operation.id)
      .map(({ kind, state, volumeId }) => ({ kind, state, volumeId })),
  };
}

function wake(db: Tables, what: Parameters<EngineStore['wake']>[0]): number {
  const now = db.now();
  const waiting = [...db.operations.values()].filter((row) => row.state === 'waiting' && row.waitingFor === what.for);
  const woken = waiting.filter((row) => {
    if (what.for === 'cinder') return true;
    const host = db.instances.get(row.serverId)?.host ?? row.host;
    return host === null || host === what.host;
  });
  for (const row of woken) db.operations.set(row.id, { ...row, nextAt: now });
  return woken.length;
}

function takeOver(db: Tables, from: Parameters<EngineStore['takeOver']>[0]): number {
  const now = db.now();
  const left = [...db.operations.values()].filter((row) =>
    'host' in from
      ? row.state === 'dispatched' && row.host === from.host
      : isOpen(row.state) &&
        row.claimedBy === from.claimedBy &&
        row.leaseUntil !== null &&
        from.except?.includes(row.id) !== true,
  );
  for (const row of left) {
    db.operations.set(row.id, { ...row, ...('host' in from ? { deadline: now } : { leaseUntil: null }) });
  }
  return left.length;
}

async function exclusively(db: Tables, name: string, work: () => Promise<void>): Promise<boolean> {
  const mine = await db.atomically(() => !db.exclusive.has(name) && db.exclusive.add(name).has(name));
  if (!mine) return false;
  try {
    await work();
  } finally {
    db.exclusive.delete(name);
  }
  return true;
}

function operations(db: Tables, filter: Parameters<EngineStore['operations']>[0]): Operation[] {
  const since = later(db.now(), -ENDED_LISTED_MS);
  return [...db.operations.values()]
    .filter((row) => filter.serverId === undefined || row.serverId === filter.serverId)
    .filter((row) => filter.open === undefined || isOpen(row.state) === filter.open)
    .filter((row) => row.endedAt === null || row.endedAt > since)
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1))
    .slice(0, filter.limit)
    .map(toOperation);
}
