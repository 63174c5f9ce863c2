import type { Instance } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { parseBody } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, type RequestContext, requesterOf } from '../http/request-context.js';
import type { NovaApiStore } from '../ports.js';
import { noSuchServer } from './instance-state.js';
import { LockBody } from './lock-server.dto.js';

/**
 * lock and unlock. What an owner has locked, administrators may still change; what an administrator has locked, its owner
 * cannot unlock. Mirrors nova:nova/compute/api.py lock, unlock, is_expected_locked_by.
 */
export async function lockServer(store: NovaApiStore, call: ApiCall, server: Instance, body: unknown): Promise<void> {
  const lock = has(call.microversion, 'servers.locked-reason') ? parseBody(LockBody, body, call).lock : null;
  const by = keyHolder(server, call.context);
  if (server.lockedBy !== null && by === 'owner') return;
  const reason = lock?.locked_reason ?? null;
  const outcome = await store.setLock(server.id, { by, reason }, requesterOf(call.context));
  if (outcome === 'server-not-found') throw noSuchServer(server.id);
}

export async function unlockServer(store: NovaApiStore, { context }: ApiCall, server: Instance): Promise<void> {
  if (server.lockedBy !== null && server.lockedBy !== keyHolder(server, context)) {
    authorize(context, 'os_compute_api:os-lock-server:unlock:unlock_override', server);
  }
  const outcome = await store.setLock(server.id, null, requesterOf(context));
  if (outcome === 'server-not-found') throw noSuchServer(server.id);
}

const keyHolder = ({ projectId }: Instance, context: RequestContext): 'owner' | 'admin' =>
  projectId === context.projectId ? 'owner' : 'admin';

/** A locked server refuses what would change it, unless an administrator asks. */
export function refuseLocked(server: Pick<Instance, 'id' | 'lockedBy'>, context: RequestContext): void {
  if (server.lockedBy !== null && !context.isAdmin) throw new ApiFault(409, `Instance ${server.id} is locked`);
}
