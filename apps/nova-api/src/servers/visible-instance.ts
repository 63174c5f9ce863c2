import { parseServerId, type ServerId } from '@novella/core';
import type { Instance } from '@novella/persistence';
import type { RequestContext } from '../http/request-context.js';
import type { NovaApiStore } from '../ports.js';
import { noSuchServer } from './instance-state.js';

/** A server that the caller may know of; another project's does not exist for them: 404, not 403. */
export const visibleInstance = (store: NovaApiStore, context: RequestContext, id: string): Promise<Instance> =>
  visible(context, id, (serverId) => store.instance(serverId));

/** As visibleInstance, also when the server is deleted. */
export const visibleEvenDeleted = (store: NovaApiStore, context: RequestContext, id: string): Promise<Instance> =>
  visible(context, id, (serverId) => store.instanceEvenDeleted(serverId));

async function visible(
  context: RequestContext,
  id: string,
  read: (id: ServerId) => Promise<Instance | null>,
): Promise<Instance> {
  const serverId = parseServerId(id);
  const instance = serverId === null ? null : await read(serverId);
  if (instance === null || !(context.isAdmin || instance.projectId === context.projectId)) {
    throw noSuchServer(id);
  }
  return instance;
}
