import { Controller, Get, Inject, Query } from '@nestjs/common';
import type { ProjectId } from '@novella/core';
import type { Usage } from '@novella/persistence';
import { has } from '../http/microversion.js';
import { parseQuery } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { Text } from '../http/rules.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { limitsView } from './limits.view.js';

class LimitsQuery {
  @Text() readonly tenant_id?: string;
}

/** Who has no project has nothing in it. */
const NOTHING: Usage = { instances: 0, cores: 0, memoryMib: 0 };

/** What a project may have and what it has. */
@Controller('v2.1/limits')
export class LimitsController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store'>) {}

  @Get()
  async show(@Call() call: ApiCall, @Query() rawQuery: unknown) {
    const { context, microversion } = call;
    const unknownKeys = has(microversion, 'strict-queries') ? 'refuse' : 'drop';
    const { tenant_id: asked } = parseQuery(LimitsQuery, rawQuery, call, { unknownKeys });
    authorize(context, 'os_compute_api:limits', { projectId: null });
    if (asked !== undefined) authorize(context, 'os_compute_api:limits:other_project', { projectId: null });
    const projectId = asked === undefined ? context.projectId : (asked as ProjectId);
    const used = projectId === null ? NOTHING : await this.io.store.usage({ projectId, userId: null });
    return limitsView(used, call);
  }
}
