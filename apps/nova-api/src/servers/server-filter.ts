import {
  isHostName,
  parseServerId,
  type ProjectId,
  type TaskState,
  type UserId,
  VM_STATES,
  type VmState,
} from '@novella/core';
import { EVERY_PROJECT, type ServerListQuery, type ServerPattern } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { type Change, has } from '../http/microversion.js';
import { allows, authorize } from '../http/policy.js';
import type { ApiCall } from '../http/request-context.js';
import { readBoolean } from '../http/rules.js';
import { parseTime } from '../http/timestamps.js';
import { type ListServersQuery, OTHER_TABLES } from './list-servers.dto.js';
import { statesOf } from './server-status.js';
import { sortOf } from './server-sort.js';

/**
 * What a list query selects, in the store's terms. Mirrors nova:nova/api/openstack/compute/servers.py _get_servers and
 * nova:nova/db/main/api.py instance_get_all_by_filters_sort: most filters are regular expressions.
 */
export type ServerSelection = Omit<ServerListQuery, 'limit' | 'marker'>;
type Asker = Pick<ApiCall, 'context' | 'microversion'>;
type FilterName = keyof ListServersQuery;

/** Filters that anybody may use, each from its microversion; others are dropped unless a rule allows all. */
const FOR_EVERYBODY: Readonly<Partial<Record<FilterName, Change | 'always'>>> = {
  reservation_id: 'always',
  name: 'always',
  status: 'always',
  image: 'always',
  flavor: 'always',
  ip: 'always',
  'changes-since': 'always',
  all_tenants: 'always',
  ip6: 'servers.list.ip6',
  tags: 'servers.tags',
  'tags-any': 'servers.tags',
  'not-tags': 'servers.tags',
  'not-tags-any': 'servers.tags',
  'changes-before': 'changes-before',
  locked: 'servers.locked-reason',
  availability_zone: 'servers.list.more-filters',
  config_drive: 'servers.list.more-filters',
  key_name: 'servers.list.more-filters',
  created_at: 'servers.list.more-filters',
  launched_at: 'servers.list.more-filters',
  terminated_at: 'servers.list.more-filters',
  power_state: 'servers.list.more-filters',
  task_state: 'servers.list.more-filters',
  vm_state: 'servers.list.more-filters',
  progress: 'servers.list.more-filters',
  user_id: 'servers.list.more-filters',
  hostname: 'servers.hostname',
};

const PATTERNS: Readonly<Partial<Record<FilterName, ServerPattern>>> = {
  name: 'name',
  display_name: 'name',
  hostname: 'hostname',
  key_name: 'keyName',
  reservation_id: 'reservationId',
  availability_zone: 'availabilityZone',
  description: 'description',
  display_description: 'description',
  kernel_id: 'kernelId',
  ramdisk_id: 'ramdiskId',
  root_device_name: 'rootDeviceName',
  access_ip_v4: 'accessIpV4',
  access_ip_v6: 'accessIpV6',
  locked_by: 'lockedBy',
  launch_index: 'launchIndex',
  created_at: 'createdAt',
  launched_at: 'launchedAt',
  terminated_at: 'terminatedAt',
  power_state: 'powerState',
  progress: 'progress',
  config_drive: 'configDrive',
  auto_disk_config: 'autoDiskConfig',
  node: 'node',
};

/** null: nothing can match. Throws 400 for what cannot be answered, 403 for what the caller may not ask. */
export function selectServers(query: ListServersQuery, call: Asker, where: 'index' | 'detail'): ServerSelection | null {
  const filters = usableFilters(query, call);
  const other = OTHER_TABLES.find((name) => filters[name] !== undefined);
  if (other !== undefined) throw new ApiFault(400, `Invalid filter field: ${other}.`);
  const states = statusesOf(filters, call);
  const times = timesOf(filters);
  const deleted = deletedOf(filters, states, call);
  const owner = ownerOf(filters, call, where);
  if (owner === null) return null;
  const sort = sortOf(query, call);
  // No server has an address; ids of another form name none.
  const id = filters.uuid === undefined ? undefined : parseServerId(filters.uuid);
  if (filters.ip !== undefined || filters.ip6 !== undefined || id === null || states === null) return null;
  const image = filters.image ?? filters.image_ref;
  return {
    sort,
    ...owner,
    ...times,
    deleted,
    ...statesFilter(filters, states),
    ...(id === undefined ? {} : { id }),
    ...(image === undefined ? {} : { imageRef: image === '' ? null : lastPart(image) }),
    ...(filters.flavor === undefined ? {} : { flavorId: lastPart(filters.flavor) }),
    ...(filters.host === undefined ? {} : { hosts: [filters.host].filter(isHostName) }),
    ...(filters.locked === undefined ? {} : { locked: booleanOf(filters.locked) }),
    tags: tagsOf(filters),
    patterns: patternsOf(filters),
  };
}

function usableFilters(query: ListServersQuery, { context, microversion }: Asker): ListServersQuery {
  if (allows(context, 'os_compute_api:servers:allow_all_filters', context)) return query;
  const usable = Object.entries(query).filter(([name]) => {
    const since = FOR_EVERYBODY[name as FilterName];
    return since !== undefined && (since === 'always' || has(microversion, since));
  });
  return Object.fromEntries(usable);
}

type States = { readonly vmStates: readonly VmState[]; readonly taskStates?: readonly TaskState[] };

/** undefined: none was asked for; null: none that there is, which is a 400 from 2.38. */
function statusesOf({ status }: ListServersQuery, { microversion }: Asker): States | null | undefined {
  if (status === undefined) return undefined;
  const states = statesOf(status);
  if (states !== null) return states;
  if (has(microversion, 'servers.list.status-checked')) throw new ApiFault(400, 'Invalid status value');
  return null;
}

/** What follows from a status comes before what was asked for beside it. */
function statesFilter(filters: ListServersQuery, states: States | undefined) {
  const { vm_state: vmState, task_state: taskState } = filters;
  return {
    ...(vmState === undefined ? {} : { vmStates: VM_STATES.filter((state) => state === vmState) }),
    ...(taskState === undefined ? {} : { taskStates: [taskState as TaskState] }),
    ...states,
  };
}

function timesOf({ 'changes-since': since, 'changes-before': before }: ListServersQuery) {
  const changedSince = since === undefined ? null : parseTime(since);
  const changedBefore = before === undefined ? null : parseTime(before);
  if (changedSince !== null && changedBefore !== null && changedSince > changedBefore) {
    throw new ApiFault(400, 'The value of changes-since must be less than or equal to changes-before.');
  }
  return { ...(changedSince === null ? {} : { changedSince }), ...(changedBefore === null ? {} : { changedBefore }) };
}

/** Who asks for changes is told of deleted servers too; else they are listed for administrators alone. */
function deletedOf(
  filters: ListServersQuery,
  states: States | null | undefined,
  { context }: Asker,
): 'no' | 'only' | 'too' {
  if (states?.vmStates.every((state) => state === 'deleted') === true && states.vmStates.length > 0) {
    if (!context.isAdmin) throw new ApiFault(403, 'Only administrators may list deleted instances');
    return 'only';
  }
  if (filters.deleted !== undefined) return readBoolean(filters.deleted) === true ? 'only' : 'no';
  return filters['changes-since'] === undefined && filters['changes-before'] === undefined ? 'no' : 'too';
}

/** Without all_tenants a project is not asked for but known: the caller's own. */
/** null: the caller acts in no project, and so has no servers. */
function ownerOf(
  filters: ListServersQuery,
  { context }: Asker,
  where: 'index' | 'detail',
): Pick<ServerListQuery, 'projectId' | 'userId'> | null {
  const user = filters.user_id === undefined ? {} : { userId: filters.user_id as UserId };
  const asksAll = filters.all_tenants !== undefined && (filters.all_tenants === '' || booleanOf(filters.all_tenants));
  if (!asksAll) return context.projectId === null ? null : { projectId: context.projectId, ...user };
  authorize(context, `os_compute_api:servers:${where}:get_all_tenants`, context);
  const named = (filters.tenant_id ?? filters.project_id) as ProjectId | undefined;
  return { projectId: named ?? EVERY_PROJECT, ...user };
}

const TAG_FILTERS = { tags: 'all', 'tags-any': 'any', 'not-tags': 'notAll', 'not-tags-any': 'notAny' } as const;
const tagsOf = (filters: ListServersQuery): NonNullable<ServerListQuery['tags']> =>
  Object.fromEntries(
    Object.entries(TAG_FILTERS).flatMap(([name, part]) => {
      const given = filters[name as keyof typeof TAG_FILTERS];
      return given === undefined ? [] : [[part, given.split(',')]];
    }),
  );

const patternsOf = (filters: ListServersQuery): Partial<Record<ServerPattern, string>> =>
  Object.fromEntries(
    Object.entries(PATTERNS).flatMap(([name, part]) => {
      const given = filters[name as FilterName];
      return typeof given === 'string' ? [[part, given]] : [];
    }),
  );

export const badPattern = (): ApiFault => new ApiFault(400, 'A filter is no regular expression that can be answered.');

function booleanOf(text: string): boolean {
  const value = readBoolean(text);
  if (value === null) throw new ApiFault(400, `Unrecognized value '${text}', a boolean is needed`);
  return value;
}

/** A link to it, or its id. */
const lastPart = (reference: string): string => reference.split('/').at(-1) ?? '';
