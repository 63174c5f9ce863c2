import { since } from '../http/microversion.js';
import { Boolish, Text } from '../http/rules.js';

/** Queries of os-hypervisors (nova:nova/api/openstack/compute/schemas/hypervisors.py). */
export class ListHypervisorsQuery {
  @Text({ pattern: /^\d+$/ }) readonly limit?: string;
  @Text() readonly marker?: string;
  @Text({ min: 1, max: 255, pattern: /^[a-zA-Z0-9-._]*$/ }, since('hosts.by-uuid'))
  readonly hypervisor_hostname_pattern?: string;
  @Boolish(since('hosts.by-uuid')) readonly with_servers?: string;
}

/** From 2.53. */
export class ShowHypervisorQuery {
  @Boolish() readonly with_servers?: string;
}
