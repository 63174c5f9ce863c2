import { parseServerId, type ServerId } from '@novella/core';
import type { Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import type { NovaApiStore } from '../ports.js';
import { badPattern, type ServerSelection } from './server-filter.js';

export interface ServerPage {
  readonly instances: readonly Instance[];
  /** The marker of the next page; null when this is the last. */
  readonly next: ServerId | null;
}

/** Up to `limit` servers of the selection after `marker`; a full page has a next one. */
export async function listServers(
  store: NovaApiStore,
  selection: ServerSelection,
  { limit, marker }: { readonly limit: number; readonly marker: string | undefined },
): Promise<ServerPage> {
  const after = marker === undefined ? null : parseServerId(marker);
  if (marker !== undefined && after === null) throw unknownMarker(marker);
  const instances = await store.instances({ ...selection, limit, marker: after });
  if (instances === 'unknown-marker') throw unknownMarker(marker ?? '');
  if (instances === 'bad-pattern') throw badPattern();
  return { instances, next: instances.length === limit ? (instances.at(-1)?.id ?? null) : null };
}

const unknownMarker = (marker: string): ApiFault => new ApiFault(400, `marker [${marker}] not found`);
