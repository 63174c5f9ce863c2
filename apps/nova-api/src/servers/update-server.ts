import type { Instance } from '@novella/persistence';
import { authorize } from '../http/policy.js';
import type { ApiCall } from '../http/request-context.js';
import type { NovaApiStore } from '../ports.js';
import { noSuchServer } from './instance-state.js';
import type { UpdateServerBody } from './update-server.dto.js';
import { visibleInstance } from './visible-instance.js';

/** PUT /servers/{id}: what users say of a server. It may be locked, and do whatever it is doing. */
export async function updateServer(
  store: NovaApiStore,
  call: ApiCall,
  id: string,
  { server }: UpdateServerBody,
): Promise<Instance> {
  const instance = await visibleInstance(store, call.context, id);
  authorize(call.context, 'os_compute_api:servers:update', instance);
  const { name, description, hostname, accessIPv4: accessIpV4, accessIPv6: accessIpV6 } = server;
  const diskConfig = server['OS-DCF:diskConfig'];
  const changed = await store.updateServer(instance.id, {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(accessIpV4 === undefined ? {} : { accessIpV4 }),
    ...(accessIpV6 === undefined ? {} : { accessIpV6 }),
    ...(diskConfig === undefined ? {} : { autoDiskConfig: diskConfig === 'AUTO' }),
  });
  if (changed === null) throw noSuchServer(id);
  return changed;
}
