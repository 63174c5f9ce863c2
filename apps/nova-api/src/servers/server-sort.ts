import { SERVER_SORT_KEYS, type ServerSort, type ServerSortKey } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import type { ListServersQuery } from './list-servers.dto.js';

const FOR_ADMINISTRATORS: readonly string[] = ['host', 'node'];

/**
 * In which order servers are asked for: keys and directions by their places, a key without a direction takes the first.
 * Mirrors nova:nova/api/openstack/common.py get_sort_params and nova:nova/db/utils.py process_sort_params.
 * Throws 400 for directions that are none or too many, 403 for keys that show hosts.
 */
export function sortOf(query: ListServersQuery, { context, microversion }: Pick<ApiCall, 'context' | 'microversion'>) {
  const directions = (query.sort_dir ?? []).map((direction) => direction.trim());
  const keys = query.sort_key ?? ['created_at'];
  const given = directions.length === 0 ? ['desc'] : directions;
  const heeded = keys
    .map((key, place) => ({ key, direction: given[place] }))
    .filter(({ key }) => isHeeded(key, has(microversion, 'servers.locked-reason')));
  const extra = given.slice(keys.length);
  if (extra.length > 0) throw new ApiFault(400, 'Sort direction size exceeds sort key size');
  const secret = heeded.find(({ key }) => FOR_ADMINISTRATORS.includes(key) && !context.isAdmin);
  if (secret !== undefined) throw new ApiFault(403, `Only administrators can sort servers by ${secret.key}`);
  const first = heeded[0]?.direction;
  return heeded.map(({ key, direction }): ServerSort => ({
    key: key as ServerSortKey,
    direction: wayOf(direction ?? first ?? 'desc'),
  }));
}

const isHeeded = (key: string, sortsByLock: boolean): boolean =>
  (SERVER_SORT_KEYS as readonly string[]).includes(key) && (key !== 'locked' || sortsByLock);

function wayOf(direction: string): 'asc' | 'desc' {
  if (direction === 'asc' || direction === 'desc') return direction;
  throw new ApiFault(400, "Unknown sort direction, must be 'desc' or 'asc'");
}
