import { Controller, Inject, Post, Res } from '@nestjs/common';
import { parseServerId, type ServerId } from '@novella/core';
import type { FastifyReply } from 'fastify';
import { RequestBody } from '../http/body.decorator.js';
import { ApiFault } from '../http/fault.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call, requesterOf } from '../http/request-context.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { decideEvent, responseStatus } from './decide-events.js';
import { ExternalEventsDto } from './external-events.dto.js';
import { externalEventView } from './external-events.view.js';

/** What other services tell about servers. An event answered 200 is stored before the answer leaves. */
@Controller('v2.1/os-server-external-events')
export class ExternalEventsController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store' | 'hint'>) {}

  @Post()
  async post(
    @Call() { context }: ApiCall,
    @RequestBody() { events }: ExternalEventsDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    authorize(context, 'os_compute_api:os-server-external-events:create', { projectId: null });
    const servers = await this.io.store.instancesForEvents(serversOf(events));
    const posted = events.map((event) => ({ event, decided: decideEvent(event, servers) }));
    const decided = posted.map((each) => each.decided);
    const status = responseStatus(decided.map(({ code }) => code));
    if (status === 404) throw new ApiFault(404, 'No instances found for any event');

    await this.io.store.acceptExternalEvents(decided, requesterOf(context));
    if (decided.some(({ operation }) => operation !== null)) this.io.hint();
    reply.status(status);
    return { events: posted.map((each) => externalEventView(each.event, each.decided)) };
  }
}

const serversOf = (events: readonly { server_uuid: string }[]): ServerId[] => [
  ...new Set(events.map((event) => parseServerId(event.server_uuid)).filter((id) => id !== null)),
];
