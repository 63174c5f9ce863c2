import type { ServerId } from '@novella/core';
import { changedMetadata, changedTags, LOCK_ACTION, UNLOCK_ACTION } from '../server-changes.js';
import type { ServerStore } from '../server-store.js';
import type { Requester } from '../requester.js';
import { storable } from '../text.js';
import { listServers } from './server-list.js';
import { type InstanceRow, type Tables, toInstance } from './tables.js';

export function memoryServers(db: Tables): ServerStore {
  return {
    instances: (query) => db.atomically(() => listServers(db, query)),
    instanceExtras: (servers) =>
      db.atomically(
        () =>
          new Map(
            servers.flatMap((id) => {
              const { userData = null, keyData = null } = db.instances.get(id) ?? {};
              return userData === null && keyData === null ? [] : [[id, { userData, keyData }]];
            }),
          ),
      ),
    updateServer: (serverId, change) =>
      db.atomically(() => {
        const row = living(db, serverId);
        return row === null ? null : toInstance(write(db, row, storable(change)));
      }),
    setLock: (serverId, lock, requester) =>
      db.atomically(() => setLock(db, serverId, storable(lock), storable(requester))),
    changeMetadata: (serverId, change, { vmStates, most }) =>
      db.atomically(() => {
        const row = living(db, serverId);
        if (row === null) return { kind: 'server-not-found' };
        if (!vmStates.includes(row.vmState)) return { kind: 'wrong-state', vmState: row.vmState };
        const metadata = changedMetadata(row.metadata, storable(change), most);
        if (typeof metadata === 'string') return { kind: metadata };
        write(db, row, { metadata });
        return { kind: 'changed', metadata };
      }),
    changeTags: (serverId, change, { vmStates, most }) =>
      db.atomically(() => {
        const row = living(db, serverId);
        if (row === null) return { kind: 'server-not-found' };
        if (!vmStates.includes(row.vmState)) return { kind: 'wrong-state', vmState: row.vmState };
        const tags = changedTags(row.tags, storable(change), most);
        if (tags === 'unchanged') return { kind: tags, tags: row.tags };
        if (typeof tags === 'string') return { kind: tags };
        db.instances.set(row.id, { ...row, tags });
        return { kind: 'changed', tags };
      }),
  };
}

function living(db: Tables, serverId: ServerId): InstanceRow | null {
  const row = db.instances.get(serverId);
  return row === undefined || row.deletedAt !== null ? null : row;
}

function write(db: Tables, row: InstanceRow, change: Partial<InstanceRow>): InstanceRow {
  const written = { ...row, ...change, updatedAt: db.now() };
  db.instances.set(row.id, written);
  return written;
}

function setLock(
  db: Tables,
  serverId: ServerId,
  lock: Parameters<ServerStore['setLock']>[1],
  requester: Requester,
): 'done' | 'server-not-found' {
  const row = living(db, serverId);
  if (row === null) return 'server-not-found';
  write(db, row, {
    lockedBy: lock?.by ?? null,
    lockedReason: lock === null ? null : (lock.reason ?? row.lockedReason),
  });
  db.addEndedAction(serverId, lock === null ? UNLOCK_ACTION : LOCK_ACTION, requester);
  return 'done';
}
