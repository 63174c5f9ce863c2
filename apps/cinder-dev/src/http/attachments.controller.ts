import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query, UseGuards } from '@nestjs/common';
import { badRequest, noSuchResource } from '../faults.js';
import { completeAttachment, createAttachment, deleteAttachment, updateAttachment } from '../flows/attachments.js';
import { type Caller, type Parts } from '../flows/parts.js';
import { type AttachmentRecord } from '../state/records.js';
import { actionOf, BodyOf, CreateAttachmentBody, noSuchAction, UpdateAttachmentBody } from './body.js';
import { CallerGuard, CallerOf, Since } from './caller.js';
import { isTrue, pageOf, type Query as Filters, textOf } from './paging.js';
import { PARTS } from './parts.token.js';
import { attachmentSummaryView, attachmentView } from './views.js';

const MODE_MINOR = 54;
const COMPLETE_MINOR = 44;

/** Mirrors cinder:api/v3/attachments.py. */
@Controller('v3/:project/attachments')
@UseGuards(CallerGuard)
@Since(27)
export class AttachmentsController {
  constructor(@Inject(PARTS) private readonly parts: Parts) {}

  @Post()
  @HttpCode(200)
  async create(
    @CallerOf() caller: Caller,
    @Body(new BodyOf(CreateAttachmentBody)) { attachment: wanted }: CreateAttachmentBody,
  ) {
    if (wanted.mode !== undefined && caller.minor < MODE_MINOR) throw badRequest('mode needs microversion 3.54');
    const attachment = await createAttachment(this.parts, caller, {
      volumeId: wanted.volume_uuid,
      serverId: wanted.instance_uuid ?? null,
      mode: wanted.mode ?? null,
      connector: wanted.connector ?? null,
    });
    return { attachment: attachmentView(attachment) };
  }

  @Get()
  summaries(@CallerOf() caller: Caller, @Query() query: Filters) {
    return { attachments: this.list(caller, query).map(attachmentSummaryView) };
  }

  @Get('detail')
  details(@CallerOf() caller: Caller, @Query() query: Filters) {
    return { attachments: this.list(caller, query).map(attachmentView) };
  }

  @Get(':id')
  show(@Param('id') id: string) {
    return { attachment: attachmentView(this.parts.state.attachment(id)) };
  }

  @Put(':id')
  async update(@Param('id') id: string, @Body(new BodyOf(UpdateAttachmentBody)) body: UpdateAttachmentBody) {
    return { attachment: attachmentView(await updateAttachment(this.parts, id, body.attachment.connector)) };
  }

  @Post(':id/action')
  @HttpCode(204)
  async action(@CallerOf() caller: Caller, @Param('id') id: string, @Body() body: unknown): Promise<void> {
    const action = actionOf(body);
    if (action !== 'os-complete') throw noSuchAction(action);
    if (caller.minor < COMPLETE_MINOR) throw noSuchResource();
    await completeAttachment(this.parts, id);
  }

  @Delete(':id')
  async remove(@Param('id') id: string) {
    const left = await deleteAttachment(this.parts, id);
    return { attachments: left.map(attachmentSummaryView) };
  }

  private list(caller: Caller, query: Filters): AttachmentRecord[] {
    const all = isTrue(textOf(query, 'all_tenants'));
    const [volume, server] = [textOf(query, 'volume_id'), textOf(query, 'instance_id')];
    const wanted = this.parts.state.attachments
      .all()
      .filter((each) => all || each.projectId === caller.projectId)
      .filter((each) => volume === undefined || each.volumeId === volume)
      .filter((each) => server === undefined || each.serverId === server);
    return pageOf(wanted, query).page;
  }
}
