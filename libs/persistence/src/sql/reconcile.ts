import type { BlockDeviceMappingId, HostName, ServerId, VolumeId } from '@novella/core';
import type { AttachedVolume, Requester } from '../store.js';
import type { Database } from './database.js';
import type { BlockDeviceMappingRow } from './entities/block-device-mapping.entity.js';
import { openOperation } from './new-operation.js';
import { OPEN } from './operation-sql.js';
import { toMapping, toRefused } from './rows.js';

export async function openSystemExtend(
  db: Database,
  input: { serverId: ServerId; volumeId: VolumeId; requester: Requester },
): Promise<boolean> {
  const operation = await openOperation(db, { ...input, kind: 'extend', initiator: 'system', confirmWithin: null });
  return operation !== null;
}

const ATTACHED = `
  select m.*, i.host from block_device_mapping m join instance i on i.id = m.server_id
  where m.attached_at is not null and ($1::uuid is null or m.id > $1)
    and i.deleted_at is null and i.task_state is null and i.host is not null
    and not exists (select from operation o where o.server_id = m.server_id and ${OPEN}
      and (o.volume_id is null or o.volume_id = m.volume_id))
  order by m.id limit $2`;

export async function attachedVolumes(
  db: Database,
  after: BlockDeviceMappingId | null,
  limit: number,
): Promise<AttachedVolume[]> {
  const rows = await db.query<BlockDeviceMappingRow & { host: HostName }>(ATTACHED, [after, limit]);
  return rows.map((row) => ({ mapping: toMapping(row), host: row.host, refused: toRefused(row) }));
}
