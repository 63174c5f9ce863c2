import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Put, Res } from '@nestjs/common';
import { assertNever } from '@novella/core';
import type { Instance, TagsChange } from '@novella/persistence';
import type { FastifyReply } from 'fastify';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { parseBody } from '../http/parse-request.js';
import { authorize, type RuleName } from '../http/policy.js';
import { pythonRepr } from '../http/python-repr.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { Required, Rule, whyNotListOf, whyNotTag } from '../http/rules.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { inState, noSuchServer } from './instance-state.js';
import { MOST_TAGS, SETTLED } from './settled.js';
import { visibleInstance } from './visible-instance.js';

class TagsBody {
  @Required() @Rule('tags', whyNotListOf(whyNotTag, { max: MOST_TAGS })) readonly tags!: readonly string[];
}

/** Words that servers are found by, from 2.26. Mirrors nova:nova/api/openstack/compute/server_tags.py. */
@Controller('v2.1/servers/:serverId/tags')
export class ServerTagsController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store'>) {}

  @Get()
  async list(@Call() call: ApiCall, @Param('serverId') id: string) {
    return { tags: (await this.server(call, id, 'os_compute_api:os-server-tags:index')).tags };
  }

  @Get(':tag')
  @HttpCode(204)
  async find(@Call() call: ApiCall, @Param('serverId') id: string, @Param('tag') tag: string): Promise<void> {
    const { tags } = await this.server(call, id, 'os_compute_api:os-server-tags:show');
    if (!tags.includes(tag)) throw new ApiFault(404, `Server ${id} has no tag '${tag}'`);
  }

  @Put()
  async replace(@Call() call: ApiCall, @Param('serverId') id: string, @Body() body: unknown) {
    this.mustHaveTags(call);
    const { tags } = parseBody(TagsBody, body, call);
    const server = await this.server(call, id, 'os_compute_api:os-server-tags:update_all');
    return { tags: (await this.change(server, { kind: 'replace', tags }, 'update tags')).tags };
  }

  @Put(':tag')
  async add(
    @Call() call: ApiCall,
    @Param('serverId') id: string,
    @Param('tag') tag: string,
    @Body() body: unknown,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    this.mustHaveTags(call);
    if (body !== null) throw new ApiFault(400, `${pythonRepr(body)} is not of type 'null'`);
    const server = await this.server(call, id, 'os_compute_api:os-server-tags:update');
    refuseUnsettled(server, 'update tag');
    const mistake = whyNotTag(tag);
    if (mistake !== null) throw new ApiFault(400, `Tag '${tag}' is invalid: ${mistake}`);
    const { kind } = await this.change(server, { kind: 'add', tag }, 'update tag');
    reply.status(kind === 'changed' ? 201 : 204);
    const path = `/servers/${server.id}/tags/${encodeURIComponent(tag)}`;
    if (kind === 'changed') reply.header('Location', call.links.self(path));
  }

  @Delete(':tag')
  @HttpCode(204)
  async remove(@Call() call: ApiCall, @Param('serverId') id: string, @Param('tag') tag: string): Promise<void> {
    const server = await this.server(call, id, 'os_compute_api:os-server-tags:delete');
    await this.change(server, { kind: 'remove', tag }, 'delete tag');
  }

  @Delete()
  @HttpCode(204)
  async removeAll(@Call() call: ApiCall, @Param('serverId') id: string): Promise<void> {
    const server = await this.server(call, id, 'os_compute_api:os-server-tags:delete_all');
    await this.change(server, { kind: 'replace', tags: [] }, 'delete tags');
  }

  private mustHaveTags({ microversion }: ApiCall): void {
    if (!has(microversion, 'servers.tags')) throw new ApiFault(404, 'The resource could not be found.');
  }

  private async server(call: ApiCall, id: string, rule: RuleName): Promise<Instance> {
    this.mustHaveTags(call);
    const server = await visibleInstance(this.io.store, call.context, id);
    authorize(call.context, rule, server);
    return server;
  }

  private async change(server: Instance, change: TagsChange, action: string) {
    const outcome = await this.io.store.changeTags(server.id, change, { vmStates: SETTLED, most: MOST_TAGS });
    switch (outcome.kind) {
      case 'changed':
      case 'unchanged':
        return outcome;
      case 'server-not-found':
        throw noSuchServer(server.id);
      case 'no-such-tag':
        throw new ApiFault(404, `Instance ${server.id} has no tag '${change.kind === 'remove' ? change.tag : ''}'`);
      case 'too-many':
        throw new ApiFault(400, `The number of tags exceeded the per-server limit ${MOST_TAGS}`);
      case 'wrong-state':
        throw inState(action, server.id, 'vm_state', outcome.vmState);
      default:
        return assertNever(outcome);
    }
  }
}

/** Nova looks at the state before it looks at the tag. */
function refuseUnsettled({ id, vmState }: Instance, action: string): void {
  if (!SETTLED.includes(vmState)) throw inState(action, id, 'vm_state', vmState);
}
