import type { Instance, Service } from '@novella/persistence';
import { has, stillHas } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import { idOf } from '../services/find-service.js';

/** A host as its hypervisor. Mirrors nova:nova/api/openstack/compute/hypervisors.py _view_hypervisor. */
export interface HypervisorFacts {
  readonly service: Service;
  /** How many servers are placed on it. */
  readonly serverCount: number;
  /** Those servers, where the answer shall name them. */
  readonly servers: readonly Pick<Instance, 'id' | 'name'>[] | null;
  /** null where it is not shown, or the host did not say. */
  readonly uptimeS: number | null;
}
type At = Pick<ApiCall, 'microversion'>;

export const hypervisorSummaryView = (facts: HypervisorFacts, call: At) => ({
  id: idOf(facts.service, call),
  hypervisor_hostname: facts.service.hypervisor.hostname,
  state: facts.service.up ? 'up' : 'down',
  status: facts.service.disabled ? 'disabled' : 'enabled',
  ...serversView(facts, call),
});

export function hypervisorView(facts: HypervisorFacts, call: At) {
  const { service, uptimeS } = facts;
  const { ip } = service.connectorProperties;
  return {
    ...hypervisorSummaryView(facts, call),
    hypervisor_type: service.hypervisor.type,
    hypervisor_version: versionNumber(service.hypervisor.version),
    host_ip: typeof ip === 'string' ? ip : null,
    service: { id: idOf(service, call), host: service.host, disabled_reason: service.disabledReason },
    ...(stillHas(call.microversion, 'hypervisors.capacity')
      ? { ...capacityView(facts), cpu_info: has(call.microversion, 'hypervisors.cpu-info-object') ? {} : '{}' }
      : {}),
    ...(has(call.microversion, 'hypervisors.uptime') ? { uptime: uptimeS === null ? null : uptimeView(uptimeS) } : {}),
  };
}

/** Sums over hosts. Mirrors nova:nova/db/main/api.py compute_node_statistics. */
export function statisticsView(all: readonly HypervisorFacts[]) {
  const nothing = { vcpus: 0, memoryMib: 0, diskGib: 0 };
  const zero = capacityView({ service: { capacity: nothing, used: nothing }, serverCount: 0 });
  const names = Object.keys(zero) as (keyof typeof zero)[];
  const each = all.map(capacityView);
  const sums = names.map((name) => [name, each.reduce((sum, one) => sum + one[name], 0)]);
  return { count: all.length, ...(Object.fromEntries(sums) as typeof zero) };
}

interface Counted {
  readonly service: Pick<Service, 'capacity' | 'used'>;
  readonly serverCount: number;
}
function capacityView({ service, serverCount }: Counted) {
  const { capacity, used } = service;
  const freeDisk = capacity.diskGib - used.diskGib;
  return {
    vcpus: capacity.vcpus,
    memory_mb: capacity.memoryMib,
    local_gb: capacity.diskGib,
    vcpus_used: used.vcpus,
    memory_mb_used: used.memoryMib,
    local_gb_used: used.diskGib,
    free_ram_mb: capacity.memoryMib - used.memoryMib,
    free_disk_gb: freeDisk,
    current_workload: 0,
    running_vms: serverCount,
    disk_available_least: freeDisk,
  };
}

/** In the words of uptime(1): `up 93 days, 18:25`. */
export function uptimeView(uptimeS: number): string {
  const minutes = Math.floor(uptimeS / 60);
  const days = Math.floor(minutes / 1440);
  const clock = `${String(Math.floor(minutes / 60) % 24).padStart(2)}:${String(minutes % 60).padStart(2, '0')}`;
  return days === 0 ? `up ${clock}` : `up ${days} ${days === 1 ? 'day' : 'days'}, ${clock}`;
}

/** Nova tells no empty list before 2.75. */
function serversView({ servers }: HypervisorFacts, { microversion }: At) {
  if (servers === null || (servers.length === 0 && !has(microversion, 'hypervisors.empty-servers'))) return {};
  return { servers: servers.map(({ id, name }) => ({ name, uuid: id })) };
}

/** `7.2.10` as libvirt counts it: 7002010. */
function versionNumber(text: string): number {
  const [major = 0, minor = 0, micro = 0] = text.split(/[.+~-]/, 3).map((part) => Number.parseInt(part, 10) || 0);
  return major >= 1000 ? major : major * 1_000_000 + minor * 1000 + micro;
}
