import type { Service } from '@novella/persistence';
import { has } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import { microsecondsWithoutZone } from '../http/timestamps.js';
import { AVAILABILITY_ZONE } from '../servers/server-request.js';
import { idOf } from './find-service.js';

/** Where services are that serve no zone (Nova's [DEFAULT] internal_service_availability_zone). */
export const INTERNAL_ZONE = 'internal';
export const zoneOf = ({ binary }: Service): string => (binary === 'nova-compute' ? AVAILABILITY_ZONE : INTERNAL_ZONE);

/** Mirrors nova:nova/api/openstack/compute/services.py _get_service_detail. */
export const serviceView = (service: Service, call: Pick<ApiCall, 'microversion'>) => ({
  binary: service.binary,
  host: service.host,
  id: idOf(service, call),
  zone: zoneOf(service),
  status: service.disabled ? 'disabled' : 'enabled',
  state: service.up ? 'up' : 'down',
  updated_at: microsecondsWithoutZone(service.lastReportAt),
  disabled_reason: service.disabledReason,
  ...(has(call.microversion, 'services.forced-down') ? { forced_down: service.forcedDown } : {}),
});
