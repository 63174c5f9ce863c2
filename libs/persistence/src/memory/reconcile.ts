import type { BlockDeviceMappingId, HostName, ServerId, VolumeId } from '@novella/core';
import type { Requester } from '../requester.js';
import type { AttachedVolume } from '../engine-store.js';
import { newOperation } from './new-operation.js';
import { type Tables, toMapping } from './tables.js';

export function openSystemExtend(
  db: Tables,
  input: { serverId: ServerId; volumeId: VolumeId; requester: Requester },
): boolean {
  const server = db.instances.get(input.serverId);
  if (server === undefined || server.deletedAt !== null) return false;
  const { volumeId } = input;
  const open = db.openOperationsOf(server.id).filter((row) => row.volumeId === volumeId);
  if (open.some(({ kind }) => kind === 'extend' || kind === 'detach')) return false;
  const operation = newOperation(db, { kind: 'extend', server, volumeId, initiator: 'system', request: {} });
  db.addAction(operation, 1, input.requester);
  return true;
}

export function attachedVolumes(
  db: Tables,
  after: BlockDeviceMappingId | null,
  limit: number,
  onHost: HostName | null,
): AttachedVolume[] {
  return [...db.mappings.values()]
    .filter((mapping) => mapping.attachedAt !== null && (after === null || mapping.id > after))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .flatMap((mapping) => {
      const server = db.instances.get(mapping.serverId);
      if (server === undefined || server.deletedAt !== null || server.taskState !== null) return [];
      const busy = db
        .openOperationsOf(server.id)
        .some((row) => row.volumeId === null || row.volumeId === mapping.volumeId);
      if (server.host === null || busy || (onHost !== null && server.host !== onHost)) return [];
      const { host, projectId, powerState } = server;
      return [{ mapping: toMapping(mapping), projectId, host, powerState, refused: mapping.refused }];
    })
    .slice(0, limit);
}
