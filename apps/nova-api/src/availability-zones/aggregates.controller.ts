import { Controller, Get } from '@nestjs/common';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';

/** Hosts are not grouped, and that is what is told: `openstack hypervisor show` asks before it shows anything. */
@Controller('v2.1/os-aggregates')
export class AggregatesController {
  @Get()
  list(@Call() { context }: ApiCall) {
    authorize(context, 'os_compute_api:os-aggregates:index', { projectId: null });
    return { aggregates: [] };
  }
}
