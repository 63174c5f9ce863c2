import type { InstanceAction, InstanceActionEvent } from '@novella/persistence';
import { has } from '../http/microversion.js';
import { allows, type PolicyTarget } from '../http/policy.js';
import type { ApiCall } from '../http/request-context.js';
import { microsecondsWithoutZone } from '../http/timestamps.js';
import { hostId } from '../servers/server.view.js';

/** Mirrors nova:nova/api/openstack/compute/instance_actions.py. `target` is the server's project. */
export const instanceActionView = (action: InstanceAction, { microversion }: Pick<ApiCall, 'microversion'>) => ({
  action: action.action,
  instance_uuid: action.serverId,
  request_id: action.requestId,
  user_id: action.userId,
  project_id: action.projectId,
  start_time: microsecondsWithoutZone(action.startTime),
  message: action.message,
  ...(has(microversion, 'actions.updated-at-and-paging')
    ? { updated_at: microsecondsWithoutZone(action.updatedAt) }
    : {}),
});

export function instanceActionDetailView(action: InstanceAction, call: ApiCall, target: PolicyTarget) {
  const seesEvents =
    has(call.microversion, 'actions.events-for-everybody') ||
    allows(call.context, 'os_compute_api:os-instance-actions:events', target);
  if (!seesEvents) return instanceActionView(action, call);
  const newestFirst = action.events.toSorted((a, b) => b.startTime.getTime() - a.startTime.getTime());
  return {
    ...instanceActionView(action, call),
    events: newestFirst.map((event) => eventView(event, action, call, target)),
  };
}

function eventView(event: InstanceActionEvent, action: InstanceAction, call: ApiCall, target: PolicyTarget) {
  const { microversion, context } = call;
  const seesHost = allows(context, 'os_compute_api:os-instance-actions:events', target);
  const seesDetails = allows(context, 'os_compute_api:os-instance-actions:events:details', target);
  return {
    event: event.event,
    start_time: microsecondsWithoutZone(event.startTime),
    finish_time: event.finishTime === null ? null : microsecondsWithoutZone(event.finishTime),
    result: event.result,
    ...(seesHost ? { traceback: event.traceback } : {}),
    ...(has(microversion, 'actions.event-host')
      ? // By the action's own project, which for extends is the volume service's.
        { hostId: hostId(action.projectId, event.host), ...(seesHost ? { host: event.host } : {}) }
      : {}),
    ...(has(microversion, 'actions.event-details') && seesDetails ? { details: event.details } : {}),
  };
}
