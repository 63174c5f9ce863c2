import { isHostName, POWER_STATE_NUMBER } from '@novella/core';
import { EVERY_PROJECT, type Instance, type ServerListQuery } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { allows, authorize } from '../http/policy.js';
import type { ApiCall } from '../http/request-context.js';
import { isTrue } from '../http/rules.js';
import { parseTime } from '../http/timestamps.js';
import type { ListServersQuery } from './list-servers.dto.js';
import { isServerStatus, serverStatus, type ServerStatus, vmStatesOf } from './server-status.js';
import { reservationId } from './server.view.js';

/**
 * What a list query selects: the coarse part for the store, and a predicate for the rest.
 * Mirrors nova:nova/api/openstack/compute/servers.py _get_servers.
 */
export interface ServerSelection {
  readonly store: Pick<ServerListQuery, 'projectId' | 'vmStates' | 'host' | 'name'>;
  readonly matches: (instance: Instance) => boolean;
}

/** Filters that anybody may use; others count for administrators and are ignored for the rest. */
const FOR_EVERYBODY: readonly string[] = [
  'name',
  'status',
  'image',
  'flavor',
  'ip',
  'ip6',
  'reservation_id',
  'changes-since',
  'changes-before',
  'tags',
  'tags-any',
  'not-tags',
  'not-tags-any',
  'locked',
];
const FOR_EVERYBODY_LATER: readonly string[] = [
  'availability_zone',
  'config_drive',
  'key_name',
  'power_state',
  'task_state',
  'vm_state',
  'progress',
  'user_id',
];

type Filter = (instance: Instance, value: string) => boolean;
const FILTERS: Readonly<Record<string, Filter>> = {
  name: ({ name }, value) => nameMatches(name, value),
  uuid: ({ id }, value) => id === value,
  image: ({ imageRef }, value) => imageRef === imageOf(value),
  image_ref: ({ imageRef }, value) => imageRef === imageOf(value),
  flavor: ({ flavor }, value) => flavor.id === value.split('/').at(-1),
  host: ({ host }, value) => host === value,
  node: ({ host }, value) => host === value,
  hostname: ({ host }, value) => host === value,
  user_id: ({ userId }, value) => userId === value,
  project_id: ({ projectId }, value) => projectId === value,
  tenant_id: ({ projectId }, value) => projectId === value,
  vm_state: ({ vmState }, value) => vmState === value.toLowerCase(),
  task_state: ({ taskState }, value) => taskState === value,
  power_state: ({ powerState }, value) => String(POWER_STATE_NUMBER[powerState]) === value,
  availability_zone: ({ availabilityZone }, value) => availabilityZone === value,
  key_name: ({ keyName }, value) => keyName === value,
  config_drive: (_, value) => !isTrue(value),
  reservation_id: ({ id }, value) => reservationId(id) === value,
  description: ({ description }, value) => nameMatches(description ?? '', value),
  launch_index: (_, value) => value === '0',
  progress: (_, value) => value === '0',
  locked: (_, value) => !isTrue(value),
  // Servers have neither addresses nor tags.
  ip: () => false,
  ip6: () => false,
  tags: () => false,
  'tags-any': () => false,
  'not-tags': () => true,
  'not-tags-any': () => true,
  'changes-since': ({ updatedAt }, value) => updatedAt >= timeOf(value),
  'changes-before': ({ updatedAt }, value) => updatedAt <= timeOf(value),
};

/** null: nothing can match. Throws 400 for what cannot be answered, 403 for what the caller may not ask. */
export function selectServers(
  query: ListServersQuery,
  call: Pick<ApiCall, 'context' | 'microversion'>,
  where: 'index' | 'detail',
): ServerSelection | null {
  refuseUnanswerable(query);
  const projectId = projectOf(query, call, where);
  if (projectId === null) return null;
  const statuses = statusesOf(query.status ?? [], call);
  if (statuses === null) return null;
  const filters = usableFilters(query, call);
  const { host, name } = Object.fromEntries(filters);
  return {
    store: {
      projectId,
      ...(statuses.length > 0 ? { vmStates: vmStatesOf(statuses) } : {}),
      ...(host !== undefined && isHostName(host) ? { host } : {}),
      ...(name !== undefined ? { name: anchors(name).text } : {}),
    },
    matches: (instance) =>
      (statuses.length === 0 || statuses.includes(serverStatus(instance.vmState, instance.taskState))) &&
      filters.every(([name, value]) => FILTERS[name]?.(instance, value) ?? true),
  };
}

function refuseUnanswerable(query: ListServersQuery): void {
  if ((query.sort_key ?? 'created_at') !== 'created_at' || query.sort_dir === 'asc') {
    throw new ApiFault(400, 'Servers are listed by created_at, newest first; other orders are not served.');
  }
  if (isTrue(query.deleted)) throw new ApiFault(400, 'Deleted servers are not listed.');
  const since = query['changes-since'];
  const before = query['changes-before'];
  if (since !== undefined && before !== undefined && timeOf(since) > timeOf(before)) {
    throw new ApiFault(400, 'The value of changes-since must be less than or equal to changes-before.');
  }
}

/** null: the caller acts in no project, and so has no servers. */
function projectOf(
  query: ListServersQuery,
  { context }: Pick<ApiCall, 'context'>,
  where: 'index' | 'detail',
): ServerListQuery['projectId'] | null {
  const asksAll = query.all_tenants !== undefined && (query.all_tenants === '' || isTrue(query.all_tenants));
  // An administrator who names a tenant means that tenant.
  const asksTenant = context.isAdmin && query.tenant_id !== undefined && query.all_tenants === undefined;
  if (!asksAll && !asksTenant) return context.projectId;
  authorize(context, `os_compute_api:servers:${where}:get_all_tenants`, context);
  return EVERY_PROJECT;
}

/** null: an unknown status, which matches nothing before 2.38 and is a 400 from there. */
function statusesOf(asked: readonly string[], { microversion }: Pick<ApiCall, 'microversion'>): ServerStatus[] | null {
  const upper = asked.map((status) => status.toUpperCase());
  const known = upper.filter(isServerStatus);
  if (known.length === upper.length) return known;
  if (has(microversion, 'servers.list.status-checked')) throw new ApiFault(400, 'Invalid status value');
  return known.length === 0 ? null : known;
}

function usableFilters(query: ListServersQuery, call: Pick<ApiCall, 'context' | 'microversion'>): [string, string][] {
  const all = allows(call.context, 'os_compute_api:servers:allow_all_filters', call.context);
  const usable = has(call.microversion, 'servers.list.more-filters')
    ? [...FOR_EVERYBODY, ...FOR_EVERYBODY_LATER]
    : FOR_EVERYBODY;
  return Object.entries(query).filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === 'string' && Object.hasOwn(FILTERS, entry[0]) && (all || usable.includes(entry[0])),
  );
}

/** Part of the name; `^` and `$` at the ends anchor it. Nova takes a regular expression here. */
function nameMatches(name: string, pattern: string): boolean {
  const { start, text, end } = anchors(pattern);
  if (start && end) return name === text;
  if (start) return name.startsWith(text);
  return end ? name.endsWith(text) : name.includes(text);
}

function anchors(pattern: string): { start: boolean; text: string; end: boolean } {
  const start = pattern.startsWith('^');
  const end = pattern.endsWith('$');
  return { start, text: pattern.slice(start ? 1 : 0, end ? -1 : undefined), end };
}

/** The empty text asks for servers that boot from a volume. */
const imageOf = (value: string): string | null => (value === '' ? null : (value.split('/').at(-1) ?? null));

const timeOf = (text: string): Date => parseTime(text) ?? new Date(Number.NaN);
