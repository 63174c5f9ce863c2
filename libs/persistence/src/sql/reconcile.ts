import type { BlockDeviceMappingId, HostName, PowerState, ProjectId, ServerId, VolumeId } from '@novella/core';
import type { Requester } from '../requester.js';
import type { AttachedVolume } from '../engine-store.js';
import type { Database } from './database.js';
import type { BlockDeviceMappingRow } from './entities/block-device-mapping.entity.js';
import { openOperation } from './new-operation.js';
import { OPEN } from './operation-sql.js';
import { toMapping, toRefused } from './rows.js';

/** One that is accepted after this look finds the extend, and ends it. */
const DETACHING = `select id from operation where server_id = $1 and volume_id = $2 and kind = 'detach' and ${OPEN}`;

export async function openSystemExtend(
  db: Database,
  input: { serverId: ServerId; volumeId: VolumeId; requester: Requester },
): Promise<boolean> {
  const detaching = await db.query(DETACHING, [input.serverId, input.volumeId]);
  if (detaching.length > 0) return false;
  const operation = await openOperation(db, {
    ...input,
    kind: 'extend',
    initiator: 'system',
    request: {},
    confirmWithin: null,
  });
  return operation !== null;
}

const ATTACHED = `
  select m.*, i.host, i.project_id, i.power_state from block_device_mapping m join instance i on i.id = m.server_id
  where m.attached_at is not null and ($1::uuid is null or m.id > $1)
    and i.deleted_at is null and i.task_state is null and i.host is not null
    and ($3::text is null or i.host = $3)
    and not exists (select from operation o where o.server_id = m.server_id and ${OPEN}
      and (o.volume_id is null or o.volume_id = m.volume_id))
  order by m.id limit $2`;

export async function attachedVolumes(
  db: Database,
  after: BlockDeviceMappingId | null,
  limit: number,
  onHost: HostName | null,
): Promise<AttachedVolume[]> {
  type Row = BlockDeviceMappingRow & { host: HostName; project_id: ProjectId; power_state: PowerState };
  const rows = await db.query<Row>(ATTACHED, [after, limit, onHost]);
  return rows.map((row) => ({
    mapping: toMapping(row),
    projectId: row.project_id,
    host: row.host,
    powerState: row.power_state,
    refused: toRefused(row),
  }));
}
