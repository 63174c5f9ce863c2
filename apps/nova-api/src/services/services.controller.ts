import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Put, Query } from '@nestjs/common';
import { ApiFault } from '../http/fault.js';
import { has } from '../http/microversion.js';
import { parseBody, parseQuery } from '../http/parse-request.js';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { allServices, findService } from './find-service.js';
import { serviceView } from './service.view.js';
import { ListServicesQuery, UpdateNamedServiceBody, UpdateServiceBody } from './services.dto.js';
import { updateNamedService, updateService } from './update-service.js';

const NO_TARGET = { projectId: null };

/** The conductors and computes of the deployment, for administrators. */
@Controller('v2.1/os-services')
export class ServicesController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store' | 'conductor' | 'hint' | 'log'>) {}

  @Get()
  async list(@Call() call: ApiCall, @Query() query: unknown) {
    const unknownKeys = has(call.microversion, 'strict-queries') ? 'refuse' : 'drop';
    const { host = '', binary = '' } = parseQuery(ListServicesQuery, query, call, { unknownKeys });
    authorize(call.context, 'os_compute_api:os-services:list', NO_TARGET);
    const services = (await allServices(this.io.store)).filter(
      (service) => (host === '' || service.host === host) && (binary === '' || service.binary === binary),
    );
    return { services: services.map((service) => serviceView(service, call)) };
  }

  /** The path's last part is what to do before 2.53 and the service's uuid from there. */
  @Put(':id')
  async update(@Call() call: ApiCall, @Param('id') id: string, @Body() body: unknown) {
    if (!has(call.microversion, 'hosts.by-uuid')) {
      const named = parseBody(UpdateNamedServiceBody, body, call);
      authorize(call.context, 'os_compute_api:os-services:update', NO_TARGET);
      return { service: await updateNamedService(this.io, id, named, call) };
    }
    const change = parseBody(UpdateServiceBody, body, call);
    authorize(call.context, 'os_compute_api:os-services:update', NO_TARGET);
    return { service: serviceView(await updateService(this.io, id, change, call), call) };
  }

  /** A host that has no servers: its record goes, then what the broker holds for it. */
  @Delete(':id')
  @HttpCode(204)
  async delete(@Call() call: ApiCall, @Param('id') id: string): Promise<void> {
    authorize(call.context, 'os_compute_api:os-services:delete', NO_TARGET);
    const service = await findService(this.io.store, id, call);
    const outcome = service === null ? 'not-found' : await this.io.store.deleteService(service.id);
    if (service === null || outcome === 'not-found') throw new ApiFault(404, `Service ${id} not found.`);
    if (outcome === 'has-servers') {
      throw new ApiFault(
        409,
        'Unable to delete compute service that is hosting instances. Migrate or delete the instances first.',
      );
    }
    const { binary, host } = service;
    if (binary !== 'nova-compute') return;
    // The service is deleted, whatever becomes of its queue: that one takes no place but in the broker.
    await this.io.conductor.remove_host({ host }).catch((error: unknown) => {
      this.io.log.warn('the queue of a deleted service is left at the broker', { host, error });
    });
  }
}
