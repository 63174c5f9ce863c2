import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import type { ProjectId } from '@novella/core';
import type { ListedFlavor } from '@novella/persistence';
import { actionOf, noSuchAction } from '../http/action.js';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { parseBody } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { AddTenantAccessBody, RemoveTenantAccessBody } from './flavors.dto.js';
import { noSuchFlavor, visibleFlavor } from './visible-flavor.js';

/** Which projects may use a flavor that is not public. */
@Controller('v2.1/flavors/:id')
export class FlavorAccessController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store'>) {}

  @Get('os-flavor-access')
  async list(@Call() { context }: ApiCall, @Param('id') id: string) {
    authorize(context, 'os_compute_api:os-flavor-access', { projectId: context.projectId });
    const flavor = await visibleFlavor(this.io.store, context, id);
    if (flavor.isPublic) throw new ApiFault(404, 'Access list not available for public flavors.');
    return accessView(flavor);
  }

  @Post('action')
  @HttpCode(200)
  async act(@Call() call: ApiCall, @Param('id') id: string, @Body() body: unknown) {
    const action = actionOf(body);
    switch (action) {
      case 'addTenantAccess':
        return accessView(await this.add(call, id, parseBody(AddTenantAccessBody, body, call).addTenantAccess.tenant));
      case 'removeTenantAccess': {
        const { tenant } = parseBody(RemoveTenantAccessBody, body, call).removeTenantAccess;
        return accessView(await this.remove(call, id, tenant));
      }
      default:
        throw noSuchAction(action);
    }
  }

  private async add({ context, microversion }: ApiCall, id: string, tenant: string): Promise<ListedFlavor> {
    authorize(context, 'os_compute_api:os-flavor-access:add_tenant_access', { projectId: null });
    const flavor = await visibleFlavor(this.io.store, context, id);
    if (flavor.isPublic && has(microversion, 'flavors.no-access-to-public')) {
      throw new ApiFault(409, 'Can not add access to a public flavor.');
    }
    if (flavor.projects.includes(tenant as ProjectId)) {
      throw new ApiFault(409, `Flavor access already exists for flavor ${id} and project ${tenant} combination.`);
    }
    return this.changed(id, { addProject: tenant as ProjectId });
  }

  private async remove({ context }: ApiCall, id: string, tenant: string): Promise<ListedFlavor> {
    authorize(context, 'os_compute_api:os-flavor-access:remove_tenant_access', { projectId: null });
    const flavor = await visibleFlavor(this.io.store, context, id);
    if (!flavor.projects.includes(tenant as ProjectId)) {
      throw new ApiFault(404, `Flavor access not found for ${id} / ${tenant} combination.`);
    }
    return this.changed(id, { removeProject: tenant as ProjectId });
  }

  private async changed(id: string, change: { addProject: ProjectId } | { removeProject: ProjectId }) {
    const flavor = await this.io.store.updateFlavor(id, change);
    if (flavor === null) throw noSuchFlavor(id);
    return flavor;
  }
}

const accessView = ({ id, projects }: ListedFlavor) => ({
  flavor_access: projects.map((tenant) => ({ flavor_id: id, tenant_id: tenant })),
});
