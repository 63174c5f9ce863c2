import type { ServerId } from '@novella/core';
import { byDevice } from '../devices.js';
import type { BlockDeviceMapping } from '../records.js';
import type { ApiStore } from '../api-store.js';
import { storable, storableText } from '../text.js';
import { acceptExternalEvents } from './requests.js';
import {
  abandonReservations,
  confirmReservations,
  createInstance,
  createInstances,
  reserveAttachment,
} from './reservations.js';
import { requestDelete, requestDetach, requestPower } from './server-requests.js';
import { type Tables, toAction, toInstance, toMapping } from './tables.js';

export function memoryApi(db: Tables): ApiStore {
  return {
    usage: ({ projectId, userId }) =>
      db.atomically(() => {
        const counted = [...db.instances.values()].filter(
          (row) => row.deletedAt === null && row.projectId === projectId && (userId === null || row.userId === userId),
        );
        const sum = (part: 'vcpus' | 'memoryMib') => counted.reduce((total, { flavor }) => total + flavor[part], 0);
        return { instances: counted.length, cores: sum('vcpus'), memoryMib: sum('memoryMib') };
      }),
    instance: (id) =>
      db.atomically(() => {
        const row = db.instances.get(id);
        return row === undefined || row.deletedAt !== null ? null : toInstance(row);
      }),
    instanceEvenDeleted: (id) =>
      db.atomically(() => {
        const row = db.instances.get(id);
        return row === undefined ? null : toInstance(row);
      }),
    blockDeviceMappings: (servers) => db.atomically(() => blockDeviceMappings(db, servers)),
    instancesForEvents: (servers) =>
      db.atomically(() => {
        const rows = [...new Set(servers)].flatMap((id) => db.instances.get(id) ?? []);
        const living = rows.filter((row) => row.deletedAt === null);
        return new Map(living.map((row) => [row.id, { host: row.host, projectId: row.projectId }]));
      }),
    createInstance: (input) => db.atomically(() => createInstance(db, storable(input))),
    createInstances: (input) => db.atomically(() => createInstances(db, storable(input))),
    reserveAttachment: (input) => db.atomically(() => reserveAttachment(db, storable(input))),
    confirmReservations: (operation, attachments) =>
      db.atomically(() => confirmReservations(db, operation, attachments)),
    abandonReservations: (operation) => db.atomically(() => abandonReservations(db, operation)),
    requestDetach: (input) => db.atomically(() => requestDetach(db, storable(input))),
    updateAttachment: ({ serverId, volumeId, deleteOnTermination }) =>
      db.atomically(() => {
        const mapping = db.mappingsOf(serverId).find((row) => row.volumeId === volumeId);
        if (mapping === undefined) return 'not-attached';
        db.mappings.set(mapping.id, { ...mapping, deleteOnTermination });
        return 'updated';
      }),
    requestPower: (input) => db.atomically(() => requestPower(db, storable(input))),
    requestDelete: (serverId, requester) => db.atomically(() => requestDelete(db, serverId, storable(requester))),
    acceptExternalEvents: (events, requester) =>
      db.atomically(() => acceptExternalEvents(db, storable(events), storable(requester))),
    instanceActions: (serverId) =>
      db.atomically(() => (db.actions.get(serverId) ?? []).map((action) => toAction(action, false)).reverse()),
    instanceAction: (serverId, requestId) =>
      db.atomically(() => {
        const wanted = storableText(requestId);
        const action = (db.actions.get(serverId) ?? []).find((row) => row.requestId === wanted);
        return action === undefined ? null : toAction(action, true);
      }),
  };
}

function blockDeviceMappings(db: Tables, servers: readonly ServerId[]): Map<ServerId, BlockDeviceMapping[]> {
  const result = new Map<ServerId, BlockDeviceMapping[]>(servers.map((server) => [server, []]));
  for (const row of db.mappings.values()) result.get(row.serverId)?.push(toMapping(row));
  for (const mappings of result.values()) mappings.sort(byDevice);
  return result;
}
