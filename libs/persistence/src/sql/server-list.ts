import { POWER_STATE_NUMBER, POWER_STATES, type ServerId } from '@novella/core';
import type { Instance } from '../records.js';
import { EVERY_PROJECT } from '../every-project.js';
import { isTooMuch } from '../patterns.js';
import { rootDeviceName } from '../server-changes.js';
import type { ServerListQuery, ServerPattern, ServerSort, ServerSortKey } from '../server-store.js';
import { storableText } from '../text.js';
import type { Database } from './database.js';
import type { InstanceRow } from './entities/instance.entity.js';
import { isBadPattern, isBrokenOff } from './failures.js';
import { toInstance } from './rows.js';

/**
 * GET /servers as one statement, put together from what is asked. The page after a marker begins behind the marker's place
 * in the order, wherever the marker itself would be by now.
 */
export async function listServers(
  db: Database,
  query: ServerListQuery,
): Promise<Instance[] | 'unknown-marker' | 'bad-pattern'> {
  const patterns = Object.values(query.patterns ?? {});
  if (patterns.some(isTooMuch)) return 'bad-pattern';
  if (query.marker !== null && !(await isMarker(db, query.marker, query))) return 'unknown-marker';
  const { text, values } = statement(query);
  try {
    return (await db.built<InstanceRow>(text, values)).map(toInstance);
  } catch (error) {
    if (patterns.length > 0 && (isBadPattern(error) || isBrokenOff(error))) return 'bad-pattern';
    throw error;
  }
}

async function isMarker(db: Database, marker: ServerId, { projectId }: ServerListQuery): Promise<boolean> {
  const rows = await db.query(`select from instance where id = $1 and ($2::text is null or project_id = $2)`, [
    marker,
    projectId === EVERY_PROJECT ? null : storableText(projectId),
  ]);
  return rows.length > 0;
}

function statement(query: ServerListQuery): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const value = (given: unknown): string => {
    values.push(given);
    return `$${values.length}`;
  };
  const order = ordered(query.sort ?? []);
  const conditions = [...conditionsOf(query, value), ...afterMarker(query, order, value)];
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
  const by = order.map(({ column, direction }) => `${column('i')} ${direction}`).join(', ');
  return { text: `select i.* from instance i ${where} order by ${by} limit ${value(query.limit)}`, values };
}

type Value = (given: unknown) => string;

function conditionsOf(query: ServerListQuery, value: Value): string[] {
  const list = (column: string, given: readonly string[]): string => `${column} = any(${value(given)}::text[])`;
  const text = (given: string): string => value(storableText(given));
  const { projectId, deleted = 'no', id, userId, imageRef, flavorId, hosts, vmStates, taskStates } = query;
  const { locked, changedSince, changedBefore, tags = {}, patterns = {} } = query;
  return [
    ...(projectId === EVERY_PROJECT ? [] : [`i.project_id = ${text(projectId)}`]),
    ...(deleted === 'too' ? [] : [`i.deleted_at is ${deleted === 'no' ? '' : 'not'} null`]),
    ...(id === undefined ? [] : [`i.id = ${value(id)}`]),
    ...(userId === undefined ? [] : [`i.user_id = ${text(userId)}`]),
    ...(imageRef === undefined ? [] : [`i.image_ref is not distinct from ${value(imageRef)}::text`]),
    ...(flavorId === undefined ? [] : [`i.flavor ->> 'id' = ${text(flavorId)}`]),
    ...(hosts === undefined ? [] : [list('i.host', hosts)]),
    ...(vmStates === undefined ? [] : [list('i.vm_state', vmStates)]),
    ...(taskStates === undefined ? [] : [list('i.task_state', taskStates)]),
    ...(locked === undefined ? [] : [`(i.locked_by is not null) = ${value(locked)}`]),
    ...(changedSince === undefined ? [] : [`${SECOND} >= ${value(changedSince)}`]),
    ...(changedBefore === undefined ? [] : [`${SECOND} <= ${value(changedBefore)}`]),
    ...(tags.all === undefined ? [] : [`i.tags ?& ${value(tags.all.map(storableText))}::text[]`]),
    ...(tags.any === undefined ? [] : [`i.tags ?| ${value(tags.any.map(storableText))}::text[]`]),
    ...(tags.notAll === undefined ? [] : [`not i.tags ?& ${value(tags.notAll.map(storableText))}::text[]`]),
    ...(tags.notAny === undefined ? [] : [`not i.tags ?| ${value(tags.notAny.map(storableText))}::text[]`]),
    ...Object.entries(patterns).map(
      ([name, pattern]) => `(${PATTERNED[name as ServerPattern]}) ~ ${text(pattern)}::text`,
    ),
  ];
}

/** As clients see it, and ask by it. */
const SECOND = `date_trunc('second', i.updated_at)`;
const time = (column: string): string => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')`;
const ROOT_DEVICE = `case i.disk_bus when 'virtio' then '${rootDeviceName('virtio')}' else '${rootDeviceName('scsi')}' end`;

const PATTERNED = {
  name: 'i.name',
  description: 'i.description',
  hostname: 'i.hostname',
  keyName: 'i.key_name',
  reservationId: 'i.reservation_id',
  availabilityZone: 'i.availability_zone',
  kernelId: 'i.kernel_id',
  ramdiskId: 'i.ramdisk_id',
  rootDeviceName: ROOT_DEVICE,
  accessIpV4: 'i.access_ip_v4',
  accessIpV6: 'i.access_ip_v6',
  lockedBy: 'i.locked_by',
  launchIndex: 'i.launch_index::text',
  createdAt: time('i.created_at'),
  launchedAt: time('i.launched_at'),
  terminatedAt: time('i.terminated_at'),
  powerState: `case i.power_state ${POWER_STATES.map((state) => `when '${state}' then '${POWER_STATE_NUMBER[state]}'`).join(' ')} end`,
  progress: `'0'`,
  configDrive: `case when i.config_drive then 'True' else '' end`,
  autoDiskConfig: `i.auto_disk_config::integer::text`,
  node: `(select s.hypervisor ->> 'hostname' from service s where s.binary = 'nova-compute' and s.host = i.host)`,
} as const satisfies Record<ServerPattern, string>;

/** A column of the instance under the alias `of`. What may be null has a value here, so that any two rows compare. */
type Column = (of: string) => string;
const text =
  (column: string): Column =>
  (of) =>
    `coalesce(${of}.${column}, '') collate "C"`;
const plain =
  (column: string): Column =>
  (of) =>
    `${of}.${column}`;
const timeOf =
  (column: string): Column =>
  (of) =>
    `coalesce(${of}.${column}, '-infinity')`;

/** null: the same for all, or nothing that is kept. */
const COLUMNS = {
  access_ip_v4: text('access_ip_v4'),
  access_ip_v6: text('access_ip_v6'),
  auto_disk_config: plain('auto_disk_config'),
  availability_zone: text('availability_zone'),
  config_drive: plain('config_drive'),
  created_at: plain('created_at'),
  display_description: text('description'),
  display_name: text('name'),
  host: text('host'),
  hostname: text('hostname'),
  image_ref: text('image_ref'),
  instance_type_id: (of) => `(${of}.flavor ->> 'id') collate "C"`,
  kernel_id: text('kernel_id'),
  key_name: text('key_name'),
  launch_index: plain('launch_index'),
  launched_at: timeOf('launched_at'),
  locked: (of) => `(${of}.locked_by is not null)`,
  locked_by: text('locked_by'),
  // Each host has one hypervisor; its name is the host's or follows from it.
  node: text('host'),
  power_state: (of) => `array_position('{${POWER_STATES.join(',')}}'::text[], ${of}.power_state)`,
  progress: null,
  project_id: text('project_id'),
  ramdisk_id: text('ramdisk_id'),
  root_device_name: text('disk_bus'),
  task_state: text('task_state'),
  terminated_at: timeOf('terminated_at'),
  updated_at: plain('updated_at'),
  user_id: text('user_id'),
  uuid: plain('id'),
  vm_state: text('vm_state'),
} as const satisfies Record<ServerSortKey, Column | null>;

type Ordered = readonly { readonly column: Column; readonly direction: ServerSort['direction'] }[];

function ordered(sort: readonly ServerSort[]): Ordered {
  const direction = sort[0]?.direction ?? 'desc';
  const asked = sort.flatMap(({ key, ...way }) => {
    const column: Column | null = COLUMNS[key];
    return column === null ? [] : [{ column, ...way }];
  });
  const created = sort.some(({ key }) => key === 'created_at') ? [] : [{ column: COLUMNS.created_at, direction }];
  return [...asked, ...created, { column: plain('number'), direction }];
}

/** One comparison of rows where the direction is one: that is what an index can answer. */
function afterMarker({ marker }: ServerListQuery, order: Ordered, value: Value): string[] {
  if (marker === null) return [];
  const id = value(marker);
  const of = (column: Column): string => `(select ${column('m')} from instance m where m.id = ${id})`;
  const sign = { asc: '>', desc: '<' } as const;
  const [first] = order;
  if (first !== undefined && order.every(({ direction }) => direction === first.direction)) {
    const columns = order.map(({ column }) => column);
    const mine = columns.map((column) => column('i')).join(', ');
    return [
      `(${mine}) ${sign[first.direction]} (select ${columns.map((column) => column('m')).join(', ')}
      from instance m where m.id = ${id})`,
    ];
  }
  const ways = order.map(({ column, direction }, n) => {
    const equal = order.slice(0, n).map((before) => `${before.column('i')} = ${of(before.column)}`);
    return [...equal, `${column('i')} ${sign[direction]} ${of(column)}`].join(' and ');
  });
  return [`(${ways.map((way) => `(${way})`).join(' or ')})`];
}
