import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import type { Instance, InstanceAction } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { nextPageLink, pageLimit } from '../http/paging.js';
import { parseQuery } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { visibleEvenDeleted, visibleInstance } from '../servers/visible-instance.js';
import { instanceActionDetailView, instanceActionView } from './instance-action.view.js';
import { ListActionsQuery, selectActions } from './select-actions.js';

/** What was done to a server, one action per request that did something. */
@Controller('v2.1/servers/:serverId/os-instance-actions')
export class InstanceActionsController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store' | 'config'>) {}

  @Get()
  async list(@Call() call: ApiCall, @Param('serverId') serverId: string, @Query() rawQuery: unknown) {
    const paged = has(call.microversion, 'actions.updated-at-and-paging');
    const query = paged ? parseQuery(ListActionsQuery, rawQuery, call, { unknownKeys: 'refuse', once: true }) : {};
    const instance = await this.server(call, serverId);
    authorize(call.context, 'os_compute_api:os-instance-actions:list', instance);
    const all = await this.io.store.instanceActions(instance.id);
    const view = (actions: readonly InstanceAction[]) => actions.map((action) => instanceActionView(action, call));
    if (!paged) return { instanceActions: view(all) };

    const limit = pageLimit(query.limit, this.io.config.maxLimit);
    const page = selectActions(all, query, limit);
    const last = page.at(-1);
    const path = `/servers/${serverId}/os-instance-actions`;
    const full = last !== undefined && page.length === limit;
    return {
      instanceActions: view(page),
      ...(full ? { links: nextPageLink(call.links, path, query, last.requestId) } : {}),
    };
  }

  @Get(':requestId')
  async show(@Call() call: ApiCall, @Param('serverId') serverId: string, @Param('requestId') requestId: string) {
    const instance = await this.server(call, serverId);
    authorize(call.context, 'os_compute_api:os-instance-actions:show', instance);
    const action = await this.io.store.instanceAction(instance.id, requestId);
    if (action === null) throw new ApiFault(404, `Action ${requestId} not found`);
    return { instanceAction: instanceActionDetailView(action, call, instance) };
  }

  private server(call: ApiCall, serverId: string): Promise<Instance> {
    const find = has(call.microversion, 'actions.of-deleted-servers') ? visibleEvenDeleted : visibleInstance;
    return find(this.io.store, call.context, serverId);
  }
}
