import type { ProjectId } from '@novella/core';
import type { Instance } from '@novella/persistence';
import { has } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import type { NovaApiStore } from '../ports.js';
import { needsService, type Sees, seesOf } from './server-sees.js';
import { serverView, showsAll } from './server.view.js';

/** Servers as they are answered: what the answer shows beside their rows is read in one query of each kind. */
export async function serverViews(
  store: NovaApiStore,
  instances: readonly Instance[],
  call: ApiCall,
  where: 'show' | 'detail' | 'update',
) {
  const sees = seesByProject(instances, call);
  const of = ({ projectId }: Instance): Sees => sees.get(projectId) ?? seesOf(call, projectId);
  const all = showsAll(where, call);
  const ids = instances.map(({ id }) => id);
  const showsHosts = all && instances.some((each) => each.host !== null && needsService(of(each)));
  const showsData = all && has(call.microversion, 'servers.extended-attributes');
  const [mappings, services, extras] = await Promise.all([
    all ? store.blockDeviceMappings(ids) : null,
    showsHosts ? store.services('nova-compute') : [],
    showsData ? store.instanceExtras(instances.filter((each) => of(each).host).map(({ id }) => id)) : null,
  ]);
  const serviceOf = new Map(services.map((service) => [service.host, service]));
  return instances.map((instance) => {
    const service = instance.host === null ? null : (serviceOf.get(instance.host) ?? null);
    const userData = extras?.get(instance.id)?.userData ?? null;
    const facts = { instance, mappings: mappings?.get(instance.id) ?? [], service, userData, sees: of(instance) };
    return serverView(facts, call, where);
  });
}

const seesByProject = (instances: readonly Instance[], call: ApiCall): ReadonlyMap<ProjectId, Sees> =>
  new Map([...new Set(instances.map(({ projectId }) => projectId))].map((id) => [id, seesOf(call, id)]));
