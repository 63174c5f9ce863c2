import type { ProjectId } from '@novella/core';
import type { Service } from '@novella/persistence';
import { has } from '../http/microversion.js';
import { allows } from '../http/policy.js';
import type { ApiCall } from '../http/request-context.js';

/** What rules let the caller see of a project's servers; the same for all of them, so it is asked once. */
export interface Sees {
  readonly host: boolean;
  readonly hostStatus: 'any' | 'unknown-only' | 'none';
  readonly flavorExtraSpecs: boolean;
}

export function seesOf({ context, microversion }: ApiCall, projectId: ProjectId): Sees {
  const target = { projectId };
  const showsStatus = has(microversion, 'servers.host-status');
  return {
    host: allows(context, 'os_compute_api:os-extended-server-attributes', target),
    hostStatus: !showsStatus
      ? 'none'
      : allows(context, 'os_compute_api:servers:show:host_status', target)
        ? 'any'
        : allows(context, 'os_compute_api:servers:show:host_status:unknown-only', target)
          ? 'unknown-only'
          : 'none',
    flavorExtraSpecs: allows(context, 'os_compute_api:servers:show:flavor-extra-specs', target),
  };
}

/** Whether the answer has what only the host's service can tell. */
export const needsService = ({ host, hostStatus }: Sees): boolean => host || hostStatus !== 'none';

/** Nova's words for how a server's host is (nova:nova/compute/api.py get_instance_host_status); empty without a host. */
export function hostStatusOf(service: Pick<Service, 'forcedDown' | 'disabled' | 'up'> | null): string {
  if (service === null) return '';
  if (service.forcedDown) return 'DOWN';
  if (service.disabled) return 'MAINTENANCE';
  return service.up ? 'UP' : 'UNKNOWN';
}
