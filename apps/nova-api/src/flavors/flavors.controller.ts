import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { RequestBody } from '../http/body.decorator.js';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { nextPageLink, pageLimit } from '../http/paging.js';
import { parseBody, parseQuery } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { createFlavor } from './create-flavor.js';
import { flavorSummaryView, flavorView } from './flavor.view.js';
import { CreateFlavorBody, ListFlavorsQuery, UpdateFlavorBody } from './flavors.dto.js';
import { selectFlavors } from './list-flavors.js';
import { noSuchFlavor, visibleFlavor } from './visible-flavor.js';

@Controller('v2.1/flavors')
export class FlavorsController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store' | 'config' | 'random'>) {}

  @Get()
  async list(@Call() call: ApiCall, @Query() query: unknown) {
    const { flavors, links } = await this.page(call, query, '/flavors');
    return { flavors: flavors.map((flavor) => flavorSummaryView(flavor, call)), ...links };
  }

  @Get('detail')
  async detail(@Call() call: ApiCall, @Query() query: unknown) {
    const { flavors, links } = await this.page(call, query, '/flavors/detail');
    return { flavors: flavors.map((flavor) => flavorView(flavor, call)), ...links };
  }

  @Get(':id')
  async show(@Call() call: ApiCall, @Param('id') id: string) {
    return { flavor: flavorView(await visibleFlavor(this.io.store, call.context, id), call) };
  }

  @Post()
  @HttpCode(200)
  async create(@Call() call: ApiCall, @RequestBody() body: CreateFlavorBody) {
    authorize(call.context, 'os_compute_api:os-flavor-manage:create', { projectId: null });
    return { flavor: flavorView(await createFlavor(this.io, body), call) };
  }

  @Put(':id')
  async update(@Call() call: ApiCall, @Param('id') id: string, @Body() body: unknown) {
    if (!has(call.microversion, 'flavors.description')) throw new ApiFault(404, 'The resource could not be found.');
    const { flavor } = parseBody(UpdateFlavorBody, body, call);
    authorize(call.context, 'os_compute_api:os-flavor-manage:update', { projectId: null });
    await visibleFlavor(this.io.store, call.context, id);
    const changed = await this.io.store.updateFlavor(id, { description: flavor.description });
    if (changed === null) throw noSuchFlavor(id);
    return { flavor: flavorView(changed, call) };
  }

  @Delete(':id')
  @HttpCode(202)
  async delete(@Call() call: ApiCall, @Param('id') id: string): Promise<void> {
    authorize(call.context, 'os_compute_api:os-flavor-manage:delete', { projectId: null });
    if ((await this.io.store.deleteFlavor(id)) === 'not-found') throw noSuchFlavor(id);
  }

  private async page(call: ApiCall, rawQuery: unknown, path: string) {
    const unknownKeys = has(call.microversion, 'strict-queries') ? 'refuse' : 'drop';
    const query = parseQuery(ListFlavorsQuery, rawQuery, call, { unknownKeys });
    const limit = pageLimit(query.limit, this.io.config.maxLimit);
    const flavors = selectFlavors(await this.io.store.flavors(), query, call.context, limit);
    const last = flavors.at(-1);
    const full = last !== undefined && flavors.length === limit;
    return { flavors, links: full ? { flavors_links: nextPageLink(call.links, path, query, last.id) } : {} };
  }
}
