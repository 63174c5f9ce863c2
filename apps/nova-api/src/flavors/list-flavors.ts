import type { ListedFlavor } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import type { RequestContext } from '../http/request-context.js';
import { readBoolean } from '../http/rules.js';
import type { FlavorSortKey, ListFlavorsQuery } from './flavors.dto.js';
import { hasAccess, isVisible } from './visible-flavor.js';

/**
 * The page of `all` (in the order of their creation) that a query asks for. Flavors are few: they are filtered and sorted
 * here. Mirrors nova:nova/api/openstack/compute/flavors.py _get_flavors. Throws 400 for what cannot be answered.
 */
export function selectFlavors(
  all: readonly ListedFlavor[],
  query: ListFlavorsQuery,
  context: RequestContext,
  limit: number,
): ListedFlavor[] {
  const selects = filterOf(query, context);
  const sorted = inOrder(
    all.filter((flavor) => isVisible(flavor, context)),
    query,
  );
  const { marker } = query;
  const after = marker === undefined ? 0 : sorted.findIndex(({ id }) => id === marker) + 1;
  if (marker !== undefined && after === 0) throw new ApiFault(400, `marker [${marker}] not found`);
  return sorted.slice(after).filter(selects).slice(0, limit);
}

function filterOf(query: ListFlavorsQuery, context: RequestContext): (flavor: ListedFlavor) => boolean {
  const isPublic = context.isAdmin ? readIsPublic(query.is_public) : true;
  const memory = readMinimum(query, 'minRam');
  const disk = readMinimum(query, 'minDisk');
  return (flavor) =>
    (isPublic === null || flavor.isPublic === isPublic || (isPublic && hasAccess(flavor, context))) &&
    (context.isAdmin || !flavor.disabled) &&
    flavor.memoryMib >= memory &&
    flavor.rootGib >= disk;
}

/** null: whether public or not. */
function readIsPublic(text: string | undefined): boolean | null {
  if (text === undefined) return true;
  if (text.toLowerCase() === 'none') return null;
  const wanted = readBoolean(text);
  if (wanted === null) throw new ApiFault(400, `Invalid is_public filter [${text}]`);
  return wanted;
}

function readMinimum(query: ListFlavorsQuery, name: 'minRam' | 'minDisk'): number {
  const text = query[name];
  if (text === undefined) return 0;
  if (!/^\s*[+-]?\d+\s*$/.test(text)) throw new ApiFault(400, `Invalid ${name} filter [${text}]`);
  return Number(text);
}

/** Nova's columns. What has none here is the same for all, and the order of creation decides, as it does between equals. */
const COLUMNS: Partial<Record<FlavorSortKey, (flavor: ListedFlavor) => string | number>> = {
  flavorid: ({ id }) => id,
  name: ({ name }) => name,
  description: ({ description }) => description ?? '',
  memory_mb: ({ memoryMib }) => memoryMib,
  vcpus: ({ vcpus }) => vcpus,
  root_gb: ({ rootGib }) => rootGib,
  ephemeral_gb: ({ ephemeralGib }) => ephemeralGib,
  swap: ({ swapMib }) => swapMib,
  rxtx_factor: ({ rxtxFactor }) => rxtxFactor,
  disabled: ({ disabled }) => Number(disabled),
  is_public: ({ isPublic }) => Number(isPublic),
};

function inOrder(flavors: readonly ListedFlavor[], { sort_key: key = 'flavorid', sort_dir }: ListFlavorsQuery) {
  const column = COLUMNS[key] ?? (() => 0);
  const compare = (a: string | number, b: string | number): number => (a < b ? -1 : Number(a > b));
  const ascending = flavors.toSorted((a, b) => compare(column(a), column(b)));
  return sort_dir === 'desc' ? ascending.reverse() : ascending;
}
