import { Controller, Get, Inject, Query, Req, UseGuards } from '@nestjs/common';
import { type FastifyRequest } from 'fastify';
import { type Caller, type Parts } from '../flows/parts.js';
import { CallerGuard, CallerOf, Since } from './caller.js';
import { pageOf, type Query as Filters, textOf } from './paging.js';
import { PARTS } from './parts.token.js';
import { messageView } from './views.js';

/** Mirrors cinder:api/v3/messages.py; filters count from 3.5. */
@Controller('v3/:project/messages')
@UseGuards(CallerGuard)
@Since(3)
export class MessagesController {
  constructor(@Inject(PARTS) private readonly parts: Parts) {}

  @Get()
  list(@CallerOf() caller: Caller, @Req() request: FastifyRequest, @Query() query: Filters) {
    const volume = caller.minor >= 5 ? textOf(query, 'resource_uuid') : undefined;
    const wanted = this.parts.state.messages
      .all()
      .filter((message) => message.projectId === caller.projectId)
      .filter((message) => volume === undefined || message.volumeId === volume);
    const base = `${request.protocol}://${request.host}`;
    return { messages: pageOf(wanted, query).page.map((message) => messageView(base, message)) };
  }
}
