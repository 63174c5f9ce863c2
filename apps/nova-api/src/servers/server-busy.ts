import type { Instance } from '@novella/persistence';
import type { ApiFault } from '../http/fault.js';
import type { NovaApiStore } from '../ports.js';
import { type AllowedStates, invalidState, noSuchServer, whyNotNow } from './instance-state.js';

/** The store has found the server busy with something that began after `before` was read: looks again to say with what. */
export async function serverBusy(
  store: NovaApiStore,
  before: Pick<Instance, 'id'>,
  action: string,
  allowed: AllowedStates,
): Promise<ApiFault> {
  const now = await store.instance(before.id);
  if (now === null) return noSuchServer(before.id);
  return whyNotNow(action, now, allowed) ?? invalidState(action, before.id);
}
