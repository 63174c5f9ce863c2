import type { ServerId } from '@novella/core';
import { byDevice } from '../devices.js';
import type { BlockDeviceMapping, InstanceAction } from '../records.js';
import type { ApiStore } from '../api-store.js';
import { storable, storableText } from '../text.js';
import type { Database } from './database.js';
import type { BlockDeviceMappingRow } from './entities/block-device-mapping.entity.js';
import { InstanceActionEventRow, InstanceActionRow } from './entities/instance-action.entity.js';
import { InstanceRow } from './entities/instance.entity.js';
import { acceptExternalEvents } from './external-events.js';
import { requestDelete } from './request-delete.js';
import { requestDetach } from './request-detach.js';
import { requestPower } from './request-power.js';
import {
  abandonReservations,
  confirmReservations,
  createInstance,
  createInstances,
  reserveAttachment,
} from './reservations.js';
import { toAction, toInstance, toMapping } from './rows.js';
import { IsNull } from 'typeorm';

export function sqlApi(db: Database): ApiStore {
  return {
    usage: async ({ projectId, userId }) => {
      const [row] = await db.query<{ instances: number; cores: number; memory_mib: number }>(USAGE, [
        storableText(projectId),
        userId === null ? null : storableText(userId),
      ]);
      return { instances: row?.instances ?? 0, cores: row?.cores ?? 0, memoryMib: row?.memory_mib ?? 0 };
    },
    instance: async (id) => {
      const row = await db.entities((manager) => manager.findOneBy(InstanceRow, { id, deleted_at: IsNull() }));
      return row === null ? null : toInstance(row);
    },
    instanceEvenDeleted: async (id) => {
      const row = await db.entities((manager) => manager.findOneBy(InstanceRow, { id }));
      return row === null ? null : toInstance(row);
    },
    blockDeviceMappings: (servers) => blockDeviceMappings(db, servers),
    instancesForEvents: async (servers) => {
      const rows = await db.query<Pick<InstanceRow, 'id' | 'host' | 'project_id'>>(
        `select id, host, project_id from instance where id = any($1::uuid[]) and deleted_at is null`,
        [servers],
      );
      return new Map(rows.map((row) => [row.id, { host: row.host, projectId: row.project_id }]));
    },
    createInstance: (input) => createInstance(db, storable(input)),
    createInstances: (input) => createInstances(db, storable(input)),
    reserveAttachment: (input) => reserveAttachment(db, storable(input)),
    confirmReservations: (operation, attachments) => confirmReservations(db, operation, attachments),
    abandonReservations: (operation) => abandonReservations(db, operation),
    requestDetach: (input) => requestDetach(db, storable(input)),
    updateAttachment: async ({ serverId, volumeId, deleteOnTermination }) => {
      const rows = await db.query(
        `update block_device_mapping set delete_on_termination = $3 where server_id = $1 and volume_id = $2
         returning id`,
        [serverId, volumeId, deleteOnTermination],
      );
      return rows.length > 0 ? 'updated' : 'not-attached';
    },
    requestPower: (input) => requestPower(db, storable(input)),
    requestDelete: (serverId, requester) => requestDelete(db, serverId, storable(requester)),
    acceptExternalEvents: (events, requester) => acceptExternalEvents(db, storable(events), storable(requester)),
    instanceActions: async (serverId) => {
      const rows = await db.entities((manager) =>
        manager.find(InstanceActionRow, { where: { server_id: serverId }, order: { id: 'desc' } }),
      );
      return rows.map((row) => toAction(row, []));
    },
    instanceAction: (serverId, requestId) => instanceAction(db, serverId, storableText(requestId)),
  };
}

const USAGE = `
  select count(*)::integer as instances,
    coalesce(sum((flavor -> 'vcpus')::integer), 0)::double precision as cores,
    coalesce(sum((flavor -> 'memoryMib')::integer), 0)::double precision as memory_mib
  from instance where project_id = $1 and deleted_at is null and ($2::text is null or user_id = $2)`;

async function blockDeviceMappings(
  db: Database,
  servers: readonly ServerId[],
): Promise<Map<ServerId, BlockDeviceMapping[]>> {
  const rows = await db.query<BlockDeviceMappingRow>(
    `select * from block_device_mapping where server_id = any($1::uuid[])`,
    [servers],
  );
  const result = new Map<ServerId, BlockDeviceMapping[]>(servers.map((server) => [server, []]));
  for (const row of rows) result.get(row.server_id)?.push(toMapping(row));
  for (const mappings of result.values()) mappings.sort(byDevice);
  return result;
}

async function instanceAction(db: Database, serverId: ServerId, requestId: string): Promise<InstanceAction | null> {
  return db.entities(async (manager) => {
    const rows = await manager
      .createQueryBuilder(InstanceActionRow, 'a')
      .where('a.server_id = :serverId and a.request_id = :requestId', { serverId, requestId })
      .getMany();
    const action = rows[0];
    if (action === undefined) return null;
    const events = await manager.find(InstanceActionEventRow, {
      where: { action_id: action.id },
      order: { start_time: 'asc' },
    });
    return toAction(action, events);
  });
}
