import { POWER_STATE_NUMBER, POWER_STATES, type ServerId } from '@novella/core';
import type { Instance } from '../records.js';
import { EVERY_PROJECT } from '../every-project.js';
import { isTooMuch } from '../patterns.js';
import { rootDeviceName } from '../server-changes.js';
import type { ServerListQuery, ServerPattern, ServerSort, ServerSortKey } from '../server-store.js';
import { storableText } from '../text.js';
import { type InstanceRow, type Tables, toInstance } from './tables.js';

/** As the SQL store answers, with JavaScript's regular expressions in the place of Postgres'. */
export function listServers(db: Tables, query: ServerListQuery): Instance[] | 'unknown-marker' | 'bad-pattern' {
  const patterns = compiled(query.patterns ?? {});
  if (patterns === null) return 'bad-pattern';
  const { projectId, marker } = query;
  const mine = [...db.instances.values()]
    .filter((row) => projectId === EVERY_PROJECT || row.projectId === storableText(projectId))
    .sort(orderOf(query.sort ?? []));
  const after = marker === null ? -1 : mine.findIndex((row) => row.id === marker);
  if (marker !== null && after === -1) return 'unknown-marker';
  return mine
    .slice(after + 1)
    .filter(
      (row) =>
        fits(row, query) && patterns.every(({ name, pattern }) => pattern.test(PATTERNED[name](row, db) ?? NONE)),
    )
    .slice(0, query.limit)
    .map(toInstance);
}

/** No pattern of a test fits it. */
const NONE = '\u0000';

function compiled(patterns: NonNullable<ServerListQuery['patterns']>) {
  try {
    return Object.entries(patterns).map(([name, pattern]) => {
      if (isTooMuch(pattern)) throw new SyntaxError('too much of a pattern');
      const stored = storableText(pattern);
      // What fits anything must still not fit what is not there.
      return { name: name as ServerPattern, pattern: new RegExp(`^(?!${NONE})[^]*(?:${stored})`) };
    });
  } catch {
    return null;
  }
}

function fits(row: InstanceRow, query: ServerListQuery): boolean {
  const { deleted = 'no', id, userId, imageRef, flavorId, hosts, vmStates, taskStates, tags = {} } = query;
  const is = <T>(wanted: T | undefined, value: T): boolean => wanted === undefined || wanted === value;
  const isOneOf = <T>(wanted: readonly T[] | undefined, value: T | null): boolean =>
    wanted === undefined || (value !== null && wanted.includes(value));
  const has = (tag: string): boolean => row.tags.includes(storableText(tag));
  return (
    (deleted === 'too' || (row.deletedAt === null) === (deleted === 'no')) &&
    is(id, row.id) &&
    is(userId, row.userId) &&
    is(imageRef, row.imageRef) &&
    is(flavorId === undefined ? undefined : storableText(flavorId), row.flavor.id) &&
    isOneOf(hosts, row.host) &&
    isOneOf(vmStates, row.vmState) &&
    isOneOf(taskStates, row.taskState) &&
    is(query.locked, row.lockedBy !== null) &&
    (query.changedSince === undefined || second(row.updatedAt) >= query.changedSince.getTime()) &&
    (query.changedBefore === undefined || second(row.updatedAt) <= query.changedBefore.getTime()) &&
    (tags.all?.every(has) ?? true) &&
    (tags.any?.some(has) ?? true) &&
    !(tags.notAll?.every(has) ?? false) &&
    !(tags.notAny?.some(has) ?? false)
  );
}

/** As clients see it, and ask by it. */
const second = (at: Date): number => Math.floor(at.getTime() / 1_000) * 1_000;
const time = (at: Date | null): string | null => at?.toISOString().slice(0, 19).replace('T', ' ') ?? null;

const PATTERNED: Readonly<Record<ServerPattern, (row: InstanceRow, db: Tables) => string | null>> = {
  name: ({ name }) => name,
  description: ({ description }) => description,
  hostname: ({ hostname }) => hostname,
  keyName: ({ keyName }) => keyName,
  reservationId: ({ reservationId }) => reservationId,
  availabilityZone: ({ availabilityZone }) => availabilityZone,
  kernelId: ({ kernelId }) => kernelId,
  ramdiskId: ({ ramdiskId }) => ramdiskId,
  rootDeviceName: ({ diskBus }) => rootDeviceName(diskBus),
  accessIpV4: ({ accessIpV4 }) => accessIpV4,
  accessIpV6: ({ accessIpV6 }) => accessIpV6,
  lockedBy: ({ lockedBy }) => lockedBy,
  launchIndex: ({ launchIndex }) => String(launchIndex),
  createdAt: ({ createdAt }) => time(createdAt),
  launchedAt: ({ launchedAt }) => time(launchedAt),
  terminatedAt: ({ terminatedAt }) => time(terminatedAt),
  powerState: ({ powerState }) => String(POWER_STATE_NUMBER[powerState]),
  progress: () => '0',
  configDrive: ({ configDrive }) => (configDrive ? 'True' : ''),
  autoDiskConfig: ({ autoDiskConfig }) => String(Number(autoDiskConfig)),
  node: ({ host }, db) => db.placedOn(host)?.hypervisor.hostname ?? null,
};

const COLUMNS: Readonly<Record<ServerSortKey, (row: InstanceRow) => string | number>> = {
  access_ip_v4: ({ accessIpV4 }) => accessIpV4 ?? '',
  access_ip_v6: ({ accessIpV6 }) => accessIpV6 ?? '',
  auto_disk_config: ({ autoDiskConfig }) => Number(autoDiskConfig),
  availability_zone: ({ availabilityZone }) => availabilityZone ?? '',
  config_drive: ({ configDrive }) => Number(configDrive),
  created_at: ({ createdAt }) => createdAt.getTime(),
  display_description: ({ description }) => description ?? '',
  display_name: ({ name }) => name,
  host: ({ host }) => host ?? '',
  hostname: ({ hostname }) => hostname,
  image_ref: ({ imageRef }) => imageRef ?? '',
  instance_type_id: ({ flavor }) => flavor.id,
  kernel_id: ({ kernelId }) => kernelId,
  key_name: ({ keyName }) => keyName ?? '',
  launch_index: ({ launchIndex }) => launchIndex,
  launched_at: ({ launchedAt }) => launchedAt?.getTime() ?? -Infinity,
  locked: ({ lockedBy }) => Number(lockedBy !== null),
  locked_by: ({ lockedBy }) => lockedBy ?? '',
  node: ({ host }) => host ?? '',
  power_state: ({ powerState }) => POWER_STATES.indexOf(powerState),
  progress: () => 0,
  project_id: ({ projectId }) => projectId,
  ramdisk_id: ({ ramdiskId }) => ramdiskId,
  root_device_name: ({ diskBus }) => diskBus,
  task_state: ({ taskState }) => taskState ?? '',
  terminated_at: ({ terminatedAt }) => terminatedAt?.getTime() ?? -Infinity,
  updated_at: ({ updatedAt }) => updatedAt.getTime(),
  user_id: ({ userId }) => userId,
  uuid: ({ id }): ServerId => id,
  vm_state: ({ vmState }) => vmState,
};

function orderOf(sort: readonly ServerSort[]): (a: InstanceRow, b: InstanceRow) => number {
  const direction = sort[0]?.direction ?? 'desc';
  const columns = [
    ...sort.map(({ key, ...way }) => ({ column: COLUMNS[key], ...way })),
    ...(sort.some(({ key }) => key === 'created_at') ? [] : [{ column: COLUMNS.created_at, direction }]),
    { column: ({ number }: InstanceRow) => number, direction },
  ];
  return (a, b) => {
    for (const { column, direction: way } of columns) {
      const [mine, other] = [column(a), column(b)];
      if (mine !== other) return (mine < other ? -1 : 1) * (way === 'asc' ? 1 : -1);
    }
    return 0;
  };
}
