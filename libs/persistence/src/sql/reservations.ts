import {
  type AttachmentId,
  type BlockDeviceMappingId,
  gibToBytes,
  type Millis,
  NovellaError,
  type OperationId,
  type ServerId,
} from '@novella/core';
import { assignDevices, firstFreeDevice, rootDevices } from '../devices.js';
import type { Instance } from '../records.js';
import { inOrder } from '../server-changes.js';
import type { Requester } from '../requester.js';
import type { ApiStore, NewBlockDeviceMapping, NewInstance } from '../api-store.js';
import { DISKS_CHANGE } from '../transition-facts.js';
import type { Database, Session } from './database.js';
import type { BlockDeviceMappingRow } from './entities/block-device-mapping.entity.js';
import type { InstanceRow } from './entities/instance.entity.js';
import { openOperation } from './new-operation.js';
import { appendedTimeline } from './operation-sql.js';
import { toInstance, toMapping } from './rows.js';

type Created = Awaited<ReturnType<ApiStore['createInstance']>>;
type Reserved = Awaited<ReturnType<ApiStore['reserveAttachment']>>;

const INSERT_INSTANCE = `
  with extra as (
    insert into instance_extra (server_id, user_data, key_data)
    select $1, $21::text, $22::text where $21 is not null or $22 is not null
  )
  insert into instance (id, project_id, user_id, name, description, flavor, image_ref, disk_bus, metadata,
    availability_zone, key_name, hostname, reservation_id, launch_index, access_ip_v4, access_ip_v6, config_drive,
    auto_disk_config, kernel_id, ramdisk_id, tags, boot_images, vm_state, task_state, power_state)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $23, $24,
    'building', 'scheduling', 'nostate')
  returning *`;

async function insertInstance(session: Session, instance: NewInstance): Promise<Instance> {
  const rows = await session.query<InstanceRow>(INSERT_INSTANCE, [
    instance.id,
    instance.projectId,
    instance.userId,
    instance.name,
    instance.description,
    JSON.stringify(instance.flavor),
    instance.imageRef,
    instance.diskBus,
    JSON.stringify(instance.metadata),
    instance.availabilityZone,
    instance.keyName,
    instance.hostname,
    instance.reservationId,
    instance.launchIndex,
    instance.accessIpV4,
    instance.accessIpV6,
    instance.configDrive,
    instance.autoDiskConfig,
    instance.kernelId,
    instance.ramdiskId,
    instance.userData,
    instance.keyData,
    JSON.stringify(inOrder(instance.tags)),
    instance.bootImages === null ? null : JSON.stringify(instance.bootImages),
  ]);
  return toInstance(only(rows));
}

export function createInstances(
  db: Database,
  { instances, requester }: { instances: readonly NewInstance[]; requester: Requester },
): Promise<Instance[]> {
  return db.transaction(async (session) => {
    const created: Instance[] = [];
    for (const instance of instances) {
      created.push(await insertInstance(session, instance));
      const build = { kind: 'build', serverId: instance.id, volumeId: null, initiator: 'user', request: {} } as const;
      written(await openOperation(session, { ...build, confirmWithin: null, requester }));
    }
    return created;
  });
}

export function createInstance(
  db: Database,
  input: {
    instance: NewInstance;
    mappings: readonly NewBlockDeviceMapping[];
    requester: Requester;
    confirmWithin: Millis;
  },
): Promise<Created> {
  const { instance } = input;
  const devices = assignDevices(instance, input.mappings);
  const named = input.mappings.map((mapping, index) => ({ mapping, device: devices[index] ?? '' }));
  return db.transaction(async (session) => {
    const created = await insertInstance(session, instance);
    const mappings = await insertMappings(session, instance.id, named);
    const operation = await openOperation(session, {
      kind: 'build',
      serverId: instance.id,
      volumeId: null,
      initiator: 'user',
      request: {},
      confirmWithin: mappings.length > 0 ? input.confirmWithin : null,
      requester: input.requester,
    });
    return { instance: created, mappings, operation: written(operation) };
  });
}

const INSERT_MAPPINGS = `
  insert into block_device_mapping (id, server_id, volume_id, device, bus, boot_index, tag, delete_on_termination,
    multiattach, size_gib, wanted_bytes)
  select m.id, $1, m.volume, m.device, m.bus, m.boot_index, m.tag, m.delete_on_termination, m.multiattach, m.size, m.bytes
  from jsonb_to_recordset($2::jsonb) as m(id uuid, volume uuid, device text, bus text, boot_index integer, tag text,
    delete_on_termination boolean, multiattach boolean, size integer, bytes bigint)
  returning *`;

async function insertMappings(
  session: Session,
  serverId: ServerId,
  named: readonly { mapping: NewBlockDeviceMapping; device: string }[],
) {
  const values = named.map(({ mapping, device }) => ({
    id: mapping.id,
    volume: mapping.volumeId,
    device,
    bus: mapping.bus,
    boot_index: mapping.bootIndex,
    tag: mapping.tag,
    delete_on_termination: mapping.deleteOnTermination,
    multiattach: mapping.multiattach,
    size: mapping.size,
    bytes: gibToBytes(mapping.size),
  }));
  if (values.length === 0) return [];
  const rows = await session.query<BlockDeviceMappingRow>(INSERT_MAPPINGS, [serverId, JSON.stringify(values)]);
  const byId = new Map(rows.map((row) => [row.id, toMapping(row)]));
  return named.flatMap(({ mapping }) => byId.get(mapping.id) ?? []);
}

/** The lock comes in a statement of its own: what is read after it includes what others wrote while we waited for it. */
export function reserveAttachment(
  db: Database,
  input: { serverId: ServerId; mapping: NewBlockDeviceMapping; requester: Requester; confirmWithin: Millis },
): Promise<Reserved> {
  const { serverId, mapping } = input;
  return db.transaction(async (session): Promise<Reserved> => {
    const server = await lockedServer(session, serverId);
    if (server === null) return { kind: 'server-not-found' };
    if (server.task_state !== null || !DISKS_CHANGE.includes(server.vm_state)) return { kind: 'server-busy' };
    const rows = await session.query<BlockDeviceMappingRow>(`select * from block_device_mapping where server_id = $1`, [
      serverId,
    ]);
    const present = rows.map(toMapping);
    if (present.some((other) => other.volumeId === mapping.volumeId)) return { kind: 'already-attached' };
    const root = rootDevices({ diskBus: server.disk_bus }, present);
    const taken = new Set([...root, ...present.map((other) => other.device)]);
    if (mapping.device !== null && taken.has(mapping.device)) return { kind: 'device-in-use' };
    const device = mapping.device ?? firstFreeDevice(mapping.bus, taken);
    const mappings = await insertMappings(session, serverId, [{ mapping, device }]);
    const operation = await openOperation(session, {
      kind: 'attach',
      serverId,
      volumeId: mapping.volumeId,
      initiator: 'user',
      request: {},
      confirmWithin: input.confirmWithin,
      requester: input.requester,
    });
    // The volume's mapping is gone, but an attach of it has not ended yet.
    if (operation === null) throw new NovellaError('internal', 'an attach of the volume is open without its mapping');
    return { kind: 'reserved', mapping: only(mappings), operation };
  });
}

/** A server that is not deleted, locked until the transaction ends; the first lock that any transaction takes. */
export async function lockedServer(session: Session, serverId: ServerId): Promise<InstanceRow | null> {
  const rows = await session.query<InstanceRow>(
    `select * from instance where id = $1 and deleted_at is null for no key update`,
    [serverId],
  );
  return rows[0] ?? null;
}

/** Only as long as the engine has never claimed it. */
const RESERVATION = `id = $1 and state = 'waiting' and waiting_for = 'api' and claimed_by is null`;

const CONFIRM = `
  with queued as (
    update operation o set state = 'queued', waiting_for = null, next_at = null, version = o.version + 1,
      timeline = ${appendedTimeline('o', `'queued'`, `'confirmed'`)}
    where ${RESERVATION}
    returning o.server_id
  ), named as (
    update block_device_mapping m set attachment_id = a.attachment
    from queued, jsonb_to_recordset($2::jsonb) as a(mapping uuid, attachment uuid)
    where m.id = a.mapping and m.server_id = queued.server_id
  )
  select from queued`;

export async function confirmReservations(
  db: Database,
  operation: OperationId,
  attachments: readonly { mapping: BlockDeviceMappingId; attachmentId: AttachmentId }[],
): Promise<'queued' | 'gone'> {
  const values = attachments.map(({ mapping, attachmentId }) => ({ mapping, attachment: attachmentId }));
  const rows = await db.query(CONFIRM, [operation, JSON.stringify(values)]);
  return rows.length > 0 ? 'queued' : 'gone';
}

export function abandonReservations(db: Database, operation: OperationId): Promise<'forgotten' | 'gone'> {
  return db.transaction(async (session) => {
    await session.query(`select from instance where id = (select server_id from operation where id = $1) for update`, [
      operation,
    ]);
    const rows = await session.query<{ server_id: ServerId; kind: string; others: boolean }>(
      `select server_id, kind,
         exists (select from operation x where x.server_id = o.server_id and x.id <> o.id and x.ended_at is null) as others
       from operation o where ${RESERVATION} for update`,
      [operation],
    );
    const row = rows[0];
    if (row === undefined || (row.kind === 'build' && row.others)) return 'gone';
    if (row.kind === 'build') await forgetServer(session, row.server_id);
    else await forgetAttach(session, operation);
    return 'forgotten';
  });
}

async function forgetAttach(session: Session, operation: OperationId): Promise<void> {
  await session.query(
    `delete from block_device_mapping m using operation o
     where o.id = $1 and m.server_id = o.server_id and m.volume_id = o.volume_id`,
    [operation],
  );
  await session.query(`delete from instance_action where operation_id = $1`, [operation]);
  await session.query(`delete from operation where id = $1`, [operation]);
}

async function forgetServer(session: Session, serverId: ServerId): Promise<void> {
  for (const table of ['block_device_mapping', 'instance_action', 'operation']) {
    await session.query(`delete from ${table} where server_id = $1`, [serverId]);
  }
  await session.query(`delete from instance where id = $1`, [serverId]);
}

function only<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new NovellaError('internal', 'an insert answered no row');
  return row;
}

function written(operation: OperationId | null): OperationId {
  if (operation === null) throw new NovellaError('internal', 'a new server has an open build already');
  return operation;
}
