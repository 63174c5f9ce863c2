import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import type { BlockDeviceMapping, Instance } from '@novella/persistence';
import { RequestBody } from '../http/body.decorator.js';
import { has } from '../http/microversion.js';
import { offsetLimit } from '../http/paging.js';
import { parseQuery } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { Text } from '../http/rules.js';
import { PORTS } from '../ports.js';
import { visibleInstance } from '../servers/visible-instance.js';
import { attachVolume, type AttachVolumeIo } from './attach-volume.js';
import { AttachVolumeDto } from './attach-volume.dto.js';
import { notAttached } from './decide-detach.js';
import { detachVolume } from './detach-volume.js';
import { attachmentToUpdate, swapVolume, updateAttachment } from './update-attachment.js';
import { UpdateAttachmentDto } from './update-attachment.dto.js';
import { createdVolumeAttachmentView, isShown, volumeAttachmentView } from './volume-attachment.view.js';

class ListAttachmentsQuery {
  @Text({ pattern: /^\d+$/ }) readonly limit?: string;
  @Text({ pattern: /^\d+$/ }) readonly offset?: string;
}

@Controller('v2.1/servers/:serverId/os-volume_attachments')
export class VolumeAttachmentsController {
  constructor(@Inject(PORTS) private readonly io: AttachVolumeIo) {}

  @Get()
  async list(@Call() call: ApiCall, @Param('serverId') serverId: string, @Query() query: unknown) {
    const unknownKeys = has(call.microversion, 'strict-queries') ? 'refuse' : 'drop';
    const { limit, offset } = parseQuery(ListAttachmentsQuery, query, call, { unknownKeys });
    const instance = await visibleInstance(this.io.store, call.context, serverId);
    authorize(call.context, 'os_compute_api:os-volumes-attachments:index', instance);
    const first = Number(offset ?? 0);
    const shown = (await this.mappings(instance))
      .slice(first, first + offsetLimit(limit, this.io.config.maxLimit))
      .filter((mapping) => isShown(mapping, call.microversion));
    return { volumeAttachments: shown.map((mapping) => volumeAttachmentView(mapping, call.microversion)) };
  }

  @Get(':volumeId')
  async show(@Call() call: ApiCall, @Param('serverId') serverId: string, @Param('volumeId') volumeId: string) {
    const instance = await visibleInstance(this.io.store, call.context, serverId);
    authorize(call.context, 'os_compute_api:os-volumes-attachments:show', instance);
    const mapping = (await this.mappings(instance)).find((each) => each.volumeId === volumeId);
    if (mapping === undefined || !isShown(mapping, call.microversion)) {
      throw notAttached(serverId, volumeId);
    }
    return { volumeAttachment: volumeAttachmentView(mapping, call.microversion) };
  }

  @Post()
  @HttpCode(200)
  async create(@Call() call: ApiCall, @Param('serverId') serverId: string, @RequestBody() body: AttachVolumeDto) {
    const instance = await visibleInstance(this.io.store, call.context, serverId);
    authorize(call.context, 'os_compute_api:os-volumes-attachments:create', instance);
    const mapping = await attachVolume(this.io, call, instance, body);
    return { volumeAttachment: createdVolumeAttachmentView(mapping, call.microversion) };
  }

  @Put(':volumeId')
  @HttpCode(202)
  async update(
    @Call() call: ApiCall,
    @Param('serverId') serverId: string,
    @Param('volumeId') volumeId: string,
    @RequestBody() { volumeAttachment }: UpdateAttachmentDto,
  ): Promise<void> {
    const instance = await visibleInstance(this.io.store, call.context, serverId);
    const updates = has(call.microversion, 'attachments.update');
    const swaps = !updates || volumeAttachment.volumeId !== volumeId;
    if (!swaps) {
      authorize(call.context, 'os_compute_api:os-volumes-attachments:update', instance);
      return updateAttachment(this.io, instance, volumeId, volumeAttachment);
    }
    authorize(call.context, 'os_compute_api:os-volumes-attachments:swap', instance);
    if (updates) await attachmentToUpdate(this.io, instance, volumeId, volumeAttachment);
    return swapVolume(this.io, call, instance, volumeId, volumeAttachment);
  }

  @Delete(':volumeId')
  @HttpCode(202)
  async delete(
    @Call() call: ApiCall,
    @Param('serverId') serverId: string,
    @Param('volumeId') volumeId: string,
  ): Promise<void> {
    const instance = await visibleInstance(this.io.store, call.context, serverId);
    authorize(call.context, 'os_compute_api:os-volumes-attachments:delete', instance);
    await detachVolume(this.io, call, instance, volumeId);
  }

  private async mappings({ id }: Instance): Promise<BlockDeviceMapping[]> {
    return (await this.io.store.blockDeviceMappings([id])).get(id) ?? [];
  }
}
