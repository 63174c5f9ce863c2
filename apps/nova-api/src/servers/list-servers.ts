import { parseServerId, type ServerId } from '@novella/core';
import type { Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import type { NovaApiStore } from '../ports.js';
import type { ServerSelection } from './server-filter.js';

/** Pages read for one answer at most; what lies behind them is on the next page of the answer. */
const MAX_STORE_PAGES = 20;

export interface ServerPage {
  readonly instances: readonly Instance[];
  /** The marker of the next page; null when this is the last. */
  readonly next: ServerId | null;
}

/** Up to `limit` servers of the selection after `marker`, newest first. */
export async function listServers(
  store: NovaApiStore,
  selection: ServerSelection,
  page: { readonly limit: number; readonly marker: string | undefined },
): Promise<ServerPage> {
  let marker = readMarker(page.marker);
  const found: Instance[] = [];
  for (let read = 0; read < MAX_STORE_PAGES; read += 1) {
    const instances = await store.instances({ ...selection.store, limit: page.limit, marker });
    if (instances === 'unknown-marker') throw unknownMarker(page.marker ?? '');
    for (const instance of instances) {
      marker = instance.id;
      if (selection.matches(instance)) found.push(instance);
      if (found.length === page.limit) return { instances: found, next: marker };
    }
    if (instances.length < page.limit) return { instances: found, next: null };
  }
  return { instances: found, next: marker };
}

function readMarker(text: string | undefined): ServerId | null {
  if (text === undefined) return null;
  const marker = parseServerId(text);
  if (marker === null) throw unknownMarker(text);
  return marker;
}

const unknownMarker = (marker: string): ApiFault => new ApiFault(400, `marker [${marker}] not found`);
