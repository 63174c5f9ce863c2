import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { RequestBody } from '../http/body.decorator.js';
import { has } from '../http/microversion.js';
import { nextPageLink, pageLimit } from '../http/paging.js';
import { parseQuery } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call, requesterOf } from '../http/request-context.js';
import type { NovaApiConfig } from '../nova-api.config.js';
import { PORTS } from '../ports.js';
import { createServer, type CreateServerIo } from './create-server.js';
import { CreateServerDto } from './create-server.dto.js';
import { ListServersQuery, SEVERAL } from './list-servers.dto.js';
import { listServers, type ServerPage } from './list-servers.js';
import { refuseLocked } from './lock-server.js';
import { noSuchServer } from './instance-state.js';
import { selectServers } from './server-filter.js';
import { diskConfigView, serverLinks, serverSummaryView } from './server.view.js';
import { serverViews } from './server-views.js';
import { UpdateServerBody } from './update-server.dto.js';
import { updateServer } from './update-server.js';
import { visibleInstance } from './visible-instance.js';
import { newPassword } from './new-password.js';

@Controller('v2.1/servers')
export class ServersController {
  constructor(@Inject(PORTS) private readonly io: CreateServerIo & { readonly config: NovaApiConfig }) {}

  @Post()
  @HttpCode(202)
  async create(
    @Call() call: ApiCall,
    @RequestBody() body: CreateServerDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { request, created } = await createServer(this.io, call, body);
    const [first] = created.instances;
    const { id } = first;
    if (request.returnReservationId) return { reservation_id: first.reservationId };
    reply.header('Location', call.links.self(`/servers/${id}`));
    return {
      server: {
        id,
        links: serverLinks(id, call),
        ...diskConfigView(first),
        security_groups: request.securityGroups,
        ...(this.io.config.enableInstancePassword
          ? { adminPass: request.adminPass ?? newPassword(this.io.random) }
          : {}),
      },
    };
  }

  @Get()
  async list(@Call() call: ApiCall, @Query() query: unknown) {
    authorize(call.context, 'os_compute_api:servers:index', call.context);
    const { instances, links } = await this.page(call, query, 'index');
    return { servers: instances.map((instance) => serverSummaryView(instance, call)), ...links };
  }

  @Get('detail')
  async detail(@Call() call: ApiCall, @Query() query: unknown) {
    authorize(call.context, 'os_compute_api:servers:detail', call.context);
    const { instances, links } = await this.page(call, query, 'detail');
    const servers = await serverViews(this.io.store, instances, call, 'detail');
    return { servers, ...links };
  }

  @Get(':id')
  async show(@Call() call: ApiCall, @Param('id') id: string) {
    const instance = await visibleInstance(this.io.store, call.context, id);
    authorize(call.context, 'os_compute_api:servers:show', instance);
    const [server] = await serverViews(this.io.store, [instance], call, 'show');
    return { server };
  }

  @Put(':id')
  async update(@Call() call: ApiCall, @Param('id') id: string, @RequestBody() body: UpdateServerBody) {
    const instance = await updateServer(this.io.store, call, id, body);
    const [server] = await serverViews(this.io.store, [instance], call, 'update');
    return { server };
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@Call() call: ApiCall, @Param('id') id: string): Promise<void> {
    const instance = await visibleInstance(this.io.store, call.context, id);
    authorize(call.context, 'os_compute_api:servers:delete', instance);
    refuseLocked(instance, call.context);
    const outcome = await this.io.store.requestDelete(instance.id, requesterOf(call.context));
    if (outcome === 'server-not-found') throw noSuchServer(id);
    if (outcome === 'accepted') this.io.hint();
  }

  private async page(call: ApiCall, rawQuery: unknown, where: 'index' | 'detail') {
    const unknownKeys = has(call.microversion, 'strict-queries') ? 'refuse' : 'drop';
    const query = parseQuery(ListServersQuery, rawQuery, call, { unknownKeys, lists: SEVERAL });
    const limit = pageLimit(query.limit, this.io.config.maxLimit);
    const selection = selectServers(query, call, where);
    const { instances, next }: ServerPage =
      selection === null
        ? { instances: [], next: null }
        : await listServers(this.io.store, selection, { limit, marker: query.marker });
    const path = where === 'index' ? '/servers' : '/servers/detail';
    const links = next === null ? {} : { servers_links: nextPageLink(call.links, path, query, next) };
    return { instances, links };
  }
}
