import { createHash } from 'node:crypto';
import { type HostName, POWER_STATE_NUMBER, type ProjectId } from '@novella/core';
import type { BlockDeviceMapping, Flavor, Instance, Service } from '@novella/persistence';
import { has } from '../http/microversion.js';
import { allows } from '../http/policy.js';
import type { ApiCall } from '../http/request-context.js';
import { microsecondsWithoutZone, secondsWithZone } from '../http/timestamps.js';
import { AVAILABILITY_ZONE } from './server-request.js';
import { serverStatus, type ServerStatus } from './server-status.js';

/** A server as clients see it. Mirrors nova:nova/api/openstack/compute/views/servers.py. */
export interface ServerFacts {
  readonly instance: Instance;
  readonly mappings: readonly BlockDeviceMapping[];
  /** Of the server's host; null without one, and for callers who may not see it. */
  readonly service: Service | null;
}

const WITH_PROGRESS: readonly ServerStatus[] = ['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING'];

/** An entry of the short list. */
export const serverSummaryView = (instance: Instance, call: ApiCall) => ({
  id: instance.id,
  name: instance.name,
  links: serverLinks(instance.id, call),
});

export const serverLinks = (id: string, { links }: Pick<ApiCall, 'links'>) => [
  { rel: 'self', href: links.self(`/servers/${id}`) },
  { rel: 'bookmark', href: links.bookmark(`/servers/${id}`) },
];

export function serverView(facts: ServerFacts, call: ApiCall, where: 'show' | 'detail') {
  const { instance } = facts;
  const { microversion: version } = call;
  const status = serverStatus(instance.vmState, instance.taskState);
  return {
    id: instance.id,
    name: instance.name,
    status,
    tenant_id: instance.projectId,
    user_id: instance.userId,
    metadata: instance.metadata,
    hostId: hostId(instance.projectId, instance.host),
    image: imageView(instance, call),
    flavor: flavorView(instance, call),
    created: secondsWithZone(instance.createdAt),
    updated: secondsWithZone(instance.updatedAt),
    // Networks are not served.
    addresses: {},
    accessIPv4: '',
    accessIPv6: '',
    links: serverLinks(instance.id, call),
    'OS-DCF:diskConfig': 'MANUAL',
    'OS-EXT-AZ:availability_zone': instance.host === null ? (instance.availabilityZone ?? '') : AVAILABILITY_ZONE,
    config_drive: '',
    key_name: instance.keyName,
    'OS-SRV-USG:launched_at': instance.launchedAt === null ? null : microsecondsWithoutZone(instance.launchedAt),
    'OS-SRV-USG:terminated_at': instance.terminatedAt === null ? null : microsecondsWithoutZone(instance.terminatedAt),
    'OS-EXT-STS:task_state': instance.taskState,
    'OS-EXT-STS:vm_state': instance.vmState,
    'OS-EXT-STS:power_state': POWER_STATE_NUMBER[instance.powerState],
    'os-extended-volumes:volumes_attached': facts.mappings.map((mapping) => ({
      id: mapping.volumeId,
      ...(has(version, 'servers.volumes-attached.delete-on-termination')
        ? { delete_on_termination: mapping.deleteOnTermination }
        : {}),
    })),
    ...(WITH_PROGRESS.includes(status) ? { progress: 0 } : {}),
    ...faultView(instance, status, call),
    ...hostView(facts, call),
    ...(has(version, 'servers.locked') ? { locked: false } : {}),
    ...(has(version, 'servers.description') ? { description: instance.description } : {}),
    ...(has(version, 'servers.tags') ? { tags: [] } : {}),
    ...(has(version, 'servers.trusted-certificates') ? { trusted_image_certificates: null } : {}),
    ...(has(version, 'servers.server-groups') && where === 'show' ? { server_groups: [] } : {}),
    ...(has(version, 'servers.locked-reason') ? { locked_reason: null } : {}),
    ...(has(version, 'servers.hostname') ? { 'OS-EXT-SRV-ATTR:hostname': guestHostname(instance) } : {}),
    ...(has(version, 'servers.pinned-availability-zone')
      ? { pinned_availability_zone: instance.availabilityZone }
      : {}),
  };
}

/** The same for all servers of a project on a host, and tells nothing else. */
export const hostId = (projectId: ProjectId | null, host: HostName | null): string =>
  host === null
    ? ''
    : createHash('sha224')
        .update(`${projectId ?? ''}${host}`)
        .digest('hex');

/** One server is created per request, so its own id names the reservation. */
export const reservationId = (instanceId: string): string => `r-${instanceId.slice(0, 8)}`;

/** Whether the answer has what only the host's service can tell. */
export const showsHost = (call: Pick<ApiCall, 'context'>, instance: Pick<Instance, 'projectId'>): boolean =>
  showsAttributes(call, instance) || shownStatuses(call, instance) !== 'none';

const showsAttributes = ({ context }: Pick<ApiCall, 'context'>, instance: Pick<Instance, 'projectId'>): boolean =>
  allows(context, 'os_compute_api:os-extended-server-attributes', instance);

function shownStatuses({ context }: Pick<ApiCall, 'context'>, instance: Pick<Instance, 'projectId'>) {
  if (allows(context, 'os_compute_api:servers:show:host_status', instance)) return 'all';
  return allows(context, 'os_compute_api:servers:show:host_status:unknown-only', instance) ? 'unknown' : 'none';
}

function imageView({ imageRef }: Instance, { links }: ApiCall) {
  if (imageRef === null) return '';
  return { id: imageRef, links: [{ rel: 'bookmark', href: links.bookmark(`/images/${imageRef}`) }] };
}

function flavorView({ flavor, projectId }: Instance, { microversion, context, links }: ApiCall) {
  if (!has(microversion, 'servers.flavor-embedded')) {
    return { id: flavor.id, links: [{ rel: 'bookmark', href: links.bookmark(`/flavors/${flavor.id}`) }] };
  }
  return {
    vcpus: flavor.vcpus,
    ram: flavor.memoryMib,
    disk: flavor.rootGib,
    ephemeral: flavor.ephemeralGib,
    swap: flavor.swapMib,
    original_name: flavor.name,
    ...extraSpecs(flavor, allows(context, 'os_compute_api:servers:show:flavor-extra-specs', { projectId })),
  };
}
const extraSpecs = (flavor: Flavor, allowed: boolean) => (allowed ? { extra_specs: flavor.extraSpecs } : {});

function faultView({ fault }: Instance, status: ServerStatus, { context }: ApiCall) {
  if (fault === null || (status !== 'ERROR' && status !== 'DELETED')) return {};
  const { code, message, details, created } = fault;
  const showsDetails = details !== '' && (context.isAdmin || code !== 500);
  return { fault: { code, created: secondsWithZone(created), message, ...(showsDetails ? { details } : {}) } };
}

function hostView({ instance, service }: ServerFacts, call: ApiCall) {
  const { microversion: version } = call;
  const attributes = {
    'OS-EXT-SRV-ATTR:host': instance.host,
    'OS-EXT-SRV-ATTR:instance_name': `instance-${instance.number.toString(16).padStart(8, '0')}`,
    'OS-EXT-SRV-ATTR:hypervisor_hostname': service?.hypervisor.hostname ?? null,
    ...(has(version, 'servers.extended-attributes') ? extendedAttributes(instance) : {}),
  };
  const status = hostStatus(instance, service);
  const shown = has(version, 'servers.host-status') ? shownStatuses(call, instance) : 'none';
  return {
    ...(showsAttributes(call, instance) ? attributes : {}),
    ...(shown === 'all' || (shown === 'unknown' && status === 'UNKNOWN') ? { host_status: status } : {}),
  };
}

const extendedAttributes = (instance: Instance) => ({
  'OS-EXT-SRV-ATTR:hostname': guestHostname(instance),
  'OS-EXT-SRV-ATTR:kernel_id': '',
  'OS-EXT-SRV-ATTR:ramdisk_id': '',
  'OS-EXT-SRV-ATTR:launch_index': 0,
  'OS-EXT-SRV-ATTR:reservation_id': reservationId(instance.id),
  'OS-EXT-SRV-ATTR:root_device_name': instance.diskBus === 'virtio' ? '/dev/vda' : '/dev/sda',
  'OS-EXT-SRV-ATTR:user_data': null,
});

function hostStatus({ host }: Instance, service: Service | null): string {
  if (host === null) return '';
  if (service === null) return '';
  if (service.forcedDown) return 'DOWN';
  if (service.disabled) return 'MAINTENANCE';
  return service.up ? 'UP' : 'UNKNOWN';
}

/** The server's name as a host name (nova:nova/utils.py sanitize_hostname). */
function guestHostname({ id, name }: Instance): string {
  const cleaned = name
    .replace(/[ _]/g, '-')
    .replace(/[^\w.-]+/g, '')
    .toLowerCase()
    .replace(/^[.-]+|[.-]+$/g, '')
    .slice(0, 63)
    .replace(/[.-]+$/, '');
  return cleaned === '' ? `Server-${id}` : cleaned;
}
