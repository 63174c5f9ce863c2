import { Controller, Get, Inject } from '@nestjs/common';
import type { Service } from '@novella/persistence';
import { authorize } from '../http/policy.js';
import { type ApiCall, Call } from '../http/request-context.js';
import { microsecondsWithoutZone } from '../http/timestamps.js';
import { type NovaApiPorts, PORTS } from '../ports.js';
import { allServices } from '../services/find-service.js';
import { INTERNAL_ZONE, zoneOf } from '../services/service.view.js';

const NO_TARGET = { projectId: null };

/**
 * The zones that the services make; one is available while a service of it is enabled.
 * Mirrors nova:nova/api/openstack/compute/availability_zone.py.
 */
@Controller('v2.1/os-availability-zone')
export class AvailabilityZonesController {
  constructor(@Inject(PORTS) private readonly io: Pick<NovaApiPorts, 'store'>) {}

  @Get()
  async list(@Call() { context }: ApiCall) {
    authorize(context, 'os_compute_api:os-availability-zone:list', NO_TARGET);
    const zones = zonesOf(await allServices(this.io.store)).filter(({ zoneName }) => zoneName !== INTERNAL_ZONE);
    return { availabilityZoneInfo: zones.map((zone) => ({ ...zone, hosts: null })) };
  }

  @Get('detail')
  async detail(@Call() { context }: ApiCall) {
    authorize(context, 'os_compute_api:os-availability-zone:detail', NO_TARGET);
    const services = await allServices(this.io.store);
    const enabled = services.filter(({ disabled }) => !disabled);
    const view = (zone: ReturnType<typeof zonesOf>[number]) => ({
      ...zone,
      hosts: zone.zoneState.available ? hostsView(enabled.filter((each) => zoneOf(each) === zone.zoneName)) : null,
    });
    return { availabilityZoneInfo: zonesOf(services).map(view) };
  }
}

/** Those that are available first. */
function zonesOf(services: readonly Service[]) {
  const names = [...new Set(services.map(zoneOf))].toSorted();
  const isAvailable = (name: string) => services.some((each) => !each.disabled && zoneOf(each) === name);
  const zones = names.map((name) => ({ zoneName: name, zoneState: { available: isAvailable(name) } }));
  return zones.toSorted((a, b) => Number(b.zoneState.available) - Number(a.zoneState.available));
}

function hostsView(services: readonly Service[]) {
  const hosts: Record<string, Record<string, object>> = {};
  for (const { host, binary, up, lastReportAt } of services) {
    const facts = { available: up, active: true, updated_at: microsecondsWithoutZone(lastReportAt) };
    hosts[host] = { ...hosts[host], [binary]: facts };
  }
  return hosts;
}
