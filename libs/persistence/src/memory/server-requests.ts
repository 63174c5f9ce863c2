import type { ErrorRecord, ServerId, VolumeId } from '@novella/core';
import type { Requester } from '../requester.js';
import type { ApiStore } from '../api-store.js';
import {
  detachRefusal,
  ENDED_BY_DELETE,
  ENDED_BY_REBOOT,
  SERVER_DELETED,
  SERVER_REBOOTED,
  VOLUME_DETACHED,
} from '../transition-facts.js';
import { newOperation } from './new-operation.js';
import { finishedAction, oneMore } from './requests.js';
import { appended, type InstanceRow, type OperationRow, type Tables } from './tables.js';

type Detach = Awaited<ReturnType<ApiStore['requestDetach']>>;
type Power = Awaited<ReturnType<ApiStore['requestPower']>>;

function livingServer(db: Tables, serverId: ServerId): InstanceRow | null {
  const server = db.instances.get(serverId);
  return server === undefined || server.deletedAt !== null ? null : server;
}

export function requestDetach(
  db: Tables,
  { serverId, volumeId, requester }: { serverId: ServerId; volumeId: VolumeId; requester: Requester },
): Detach {
  const server = livingServer(db, serverId);
  if (server === null) return { kind: 'server-not-found' };
  const mapping = db.mappingsOf(serverId).find((row) => row.volumeId === volumeId);
  const refusal = detachRefusal(server, mapping);
  if (refusal !== null) return { kind: refusal };
  const open = db.openOperationsOf(serverId).filter((row) => row.volumeId === volumeId);
  if (open.some((row) => row.kind === 'detach')) return { kind: 'already-detaching' };
  for (const row of open) if (row.kind === 'extend') endUnstarted(db, row, VOLUME_DETACHED);
  const operation = newOperation(db, { kind: 'detach', server, volumeId, initiator: 'user', request: {} });
  db.addAction(operation, 1, requester);
  return { kind: 'accepted', operation: operation.id };
}

export function requestPower(db: Tables, input: Parameters<ApiStore['requestPower']>[0]): Power {
  const server = livingServer(db, input.serverId);
  if (server === null) return { kind: 'server-not-found' };
  const { vmState, taskState } = server;
  const { from, kind, request } = input;
  const allowed = from.vmStates.includes(vmState) && from.taskStates.includes(taskState);
  if (!allowed) return { kind: 'wrong-state', vmState, taskState };
  if (server.host === null) return { kind: 'no-host' };
  db.instances.set(server.id, { ...server, taskState: input.taskState, updatedAt: db.now() });
  if (kind === 'reboot') {
    for (const row of db.openOperationsOf(server.id)) {
      if (ENDED_BY_REBOOT.includes(row.kind)) endUnstarted(db, row, SERVER_REBOOTED);
    }
  }
  oneMore(db, { kind, server, volumeId: null, initiator: 'user', request }, input.requester);
  return { kind: 'accepted' };
}

export function requestDelete(
  db: Tables,
  serverId: ServerId,
  requester: Requester,
): 'accepted' | 'already-deleting' | 'server-not-found' {
  const server = livingServer(db, serverId);
  if (server === null) return 'server-not-found';
  const open = db.openOperationsOf(serverId);
  if (open.some((row) => row.kind === 'delete')) return 'already-deleting';
  for (const row of open) {
    if (row.kind === 'detach') keepVolume(db, row);
    if (ENDED_BY_DELETE.includes(row.kind)) endUnstarted(db, row, SERVER_DELETED);
  }
  db.instances.set(serverId, { ...server, taskState: 'deleting', updatedAt: db.now() });
  const operation = newOperation(db, { kind: 'delete', server, volumeId: null, initiator: 'user', request: {} });
  db.addAction(operation, 1, requester);
  return 'accepted';
}

/** Who had asked to detach a volume before the delete does not want it deleted with the server. */
function keepVolume(db: Tables, detach: OperationRow): void {
  const mapping = db.mappingsOf(detach.serverId).find((row) => row.volumeId === detach.volumeId);
  if (mapping !== undefined) db.mappings.set(mapping.id, { ...mapping, deleteOnTermination: false });
}

/** Fails all that was asked of an operation, whatever was decided, unless a host has it. */
function endUnstarted(db: Tables, row: OperationRow, error: ErrorRecord): void {
  if (row.state === 'dispatched') return;
  const now = db.now();
  db.operations.set(row.id, {
    ...row,
    state: 'failed',
    error,
    waitingFor: null,
    nextAt: null,
    claimedBy: null,
    leaseUntil: null,
    endedAt: now,
    version: row.version + 1,
    timeline: appended(row.timeline, now, 'failed', error.code),
  });
  db.changeActions(row, (action) => finishedAction(action, row, now, error));
}
