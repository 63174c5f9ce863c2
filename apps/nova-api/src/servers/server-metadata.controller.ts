import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put } from '@nestjs/common';
import { assertNever } from '@novella/core';
import type { Instance, MetadataChange } from '@novella/persistence';
import { RequestBody } from '../http/body.decorator.js';
import { ApiFault } from '../http/fault.js';
import { authorize, type RuleName } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { Required, Rule, TextMap, whyNotOneKey, whyNotTextMap } from '../http/rules.js';
import { MOST_METADATA_ITEMS } from '../limits/quotas.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { inState, noSuchServer } from './instance-state.js';
import { refuseLocked } from './lock-server.js';
import { tooManyItems } from './server-request.js';
import { SETTLED } from './settled.js';
import { visibleInstance } from './visible-instance.js';

type Metadata = Readonly<Record<string, string>>;

class MetadataBody {
  @Required() @TextMap() readonly metadata!: Metadata;
}

class MetaBody {
  @Required() @Rule('meta', whyNotOneKey(whyNotTextMap)) readonly meta!: Metadata;
}

/** Texts under keys, which mean what their users agree on. Mirrors nova:nova/api/openstack/compute/server_metadata.py. */
@Controller('v2.1/servers/:serverId/metadata')
export class ServerMetadataController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store'>) {}

  @Get()
  async list(@Call() call: ApiCall, @Param('serverId') id: string) {
    return { metadata: (await this.server(call, id, 'os_compute_api:server-metadata:index')).metadata };
  }

  @Get(':key')
  async show(@Call() call: ApiCall, @Param('serverId') id: string, @Param('key') key: string) {
    const { metadata } = await this.server(call, id, 'os_compute_api:server-metadata:show');
    if (!Object.hasOwn(metadata, key)) throw noSuchItem();
    return { meta: { [key]: metadata[key] } };
  }

  @Post()
  @HttpCode(200)
  async add(@Call() call: ApiCall, @Param('serverId') id: string, @RequestBody() { metadata }: MetadataBody) {
    const server = await this.server(call, id, 'os_compute_api:server-metadata:create');
    return { metadata: await this.change(call, server, { kind: 'merge', metadata }) };
  }

  @Put()
  async replace(@Call() call: ApiCall, @Param('serverId') id: string, @RequestBody() { metadata }: MetadataBody) {
    const server = await this.server(call, id, 'os_compute_api:server-metadata:update_all');
    return { metadata: await this.change(call, server, { kind: 'replace', metadata }) };
  }

  @Put(':key')
  async set(
    @Call() call: ApiCall,
    @Param('serverId') id: string,
    @Param('key') key: string,
    @RequestBody() { meta }: MetaBody,
  ) {
    const server = await this.server(call, id, 'os_compute_api:server-metadata:update');
    if (!Object.hasOwn(meta, key)) throw new ApiFault(400, 'Request body and URI mismatch');
    await this.change(call, server, { kind: 'merge', metadata: meta });
    return { meta };
  }

  @Delete(':key')
  @HttpCode(204)
  async delete(@Call() call: ApiCall, @Param('serverId') id: string, @Param('key') key: string): Promise<void> {
    const server = await this.server(call, id, 'os_compute_api:server-metadata:delete');
    if (!Object.hasOwn(server.metadata, key)) throw noSuchItem();
    await this.change(call, server, { kind: 'remove', key });
  }

  private async server({ context }: ApiCall, id: string, rule: RuleName): Promise<Instance> {
    const server = await visibleInstance(this.io.store, context, id);
    authorize(context, rule, server);
    return server;
  }

  private async change({ context }: ApiCall, server: Instance, change: MetadataChange): Promise<Metadata> {
    refuseLocked(server, context);
    const limits = { vmStates: SETTLED, most: MOST_METADATA_ITEMS };
    const outcome = await this.io.store.changeMetadata(server.id, change, limits);
    switch (outcome.kind) {
      case 'changed':
        return outcome.metadata;
      case 'server-not-found':
        throw noSuchServer(server.id);
      case 'no-such-key':
        throw noSuchItem();
      case 'too-many':
        throw tooManyItems();
      case 'wrong-state': {
        const action = change.kind === 'remove' ? 'delete metadata' : 'update metadata';
        throw inState(action, server.id, 'vm_state', outcome.vmState);
      }
      default:
        return assertNever(outcome);
    }
  }
}

const noSuchItem = (): ApiFault => new ApiFault(404, 'Metadata item was not found');
