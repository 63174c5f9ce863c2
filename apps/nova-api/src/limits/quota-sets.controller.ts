import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import type { ProjectId, UserId } from '@novella/core';
import { has } from '../http/microversion.js';
import { parseQuery } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { Text } from '../http/rules.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { quotaSetView, quotaUsageView } from './limits.view.js';

class QuotaSetQuery {
  @Text() readonly user_id?: string;
}

/** Quotas can be read, and not be changed. */
@Controller('v2.1/os-quota-sets/:projectId')
export class QuotaSetsController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store'>) {}

  @Get()
  show(@Call() call: ApiCall, @Param('projectId') projectId: string, @Query() query: unknown) {
    this.read(query, call);
    authorize(call.context, 'os_compute_api:os-quota-sets:show', { projectId: projectId as ProjectId });
    return quotaSetView(projectId, call);
  }

  @Get('defaults')
  defaults(@Call() call: ApiCall, @Param('projectId') projectId: string) {
    authorize(call.context, 'os_compute_api:os-quota-sets:defaults', { projectId: projectId as ProjectId });
    return quotaSetView(projectId, call);
  }

  @Get('detail')
  async detail(@Call() call: ApiCall, @Param('projectId') id: string, @Query() query: unknown) {
    const { user_id: userId } = this.read(query, call);
    const projectId = id as ProjectId;
    authorize(call.context, 'os_compute_api:os-quota-sets:detail', { projectId });
    const usage = await this.io.store.usage({ projectId, userId: (userId as UserId | undefined) ?? null });
    return quotaUsageView(projectId, usage, call);
  }

  private read(query: unknown, call: ApiCall): QuotaSetQuery {
    const unknownKeys = has(call.microversion, 'strict-queries') ? 'refuse' : 'drop';
    return parseQuery(QuotaSetQuery, query, call, { unknownKeys });
  }
}
