import { createHash } from 'node:crypto';
import { type HostName, POWER_STATE_NUMBER, type ProjectId } from '@novella/core';
import { type BlockDeviceMapping, type Instance, rootDeviceName, type Service } from '@novella/persistence';
import { has } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import { microsecondsWithoutZone, secondsWithZone } from '../http/timestamps.js';
import { hostStatusOf, type Sees } from './server-sees.js';
import { AVAILABILITY_ZONE } from './server-request.js';
import { serverStatus, type ServerStatus } from './server-status.js';

/** A server as clients see it. Mirrors nova:nova/api/openstack/compute/views/servers.py. */
export interface ServerFacts {
  readonly instance: Instance;
  readonly mappings: readonly BlockDeviceMapping[];
  /** Of the server's host; null without one, and for callers who may not see it. */
  readonly service: Service | null;
  /** null without, and for callers who may not see it. */
  readonly userData: string | null;
  readonly sees: Sees;
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

export const diskConfigView = ({ autoDiskConfig }: Pick<Instance, 'autoDiskConfig'>) => ({
  'OS-DCF:diskConfig': autoDiskConfig ? 'AUTO' : 'MANUAL',
});

/** Whether the answer has more than what a change of a server is answered with before 2.75. */
export const showsAll = (where: 'show' | 'detail' | 'update', { microversion }: Pick<ApiCall, 'microversion'>) =>
  where !== 'update' || has(microversion, 'servers.update.shows-all');

export function serverView(facts: ServerFacts, call: ApiCall, where: 'show' | 'detail' | 'update') {
  const { instance, sees } = facts;
  const { microversion: version } = call;
  const status = serverStatus(instance.vmState, instance.taskState);
  const all = showsAll(where, call);
  return {
    id: instance.id,
    name: instance.name,
    status,
    tenant_id: instance.projectId,
    user_id: instance.userId,
    metadata: instance.metadata,
    hostId: hostId(instance.projectId, instance.host),
    image: imageView(instance, call),
    flavor: flavorView(instance, sees, call),
    created: secondsWithZone(instance.createdAt),
    updated: secondsWithZone(instance.updatedAt),
    // Networks are not served: there is nothing to list, and there are no security groups.
    addresses: {},
    accessIPv4: instance.accessIpV4 ?? '',
    accessIPv6: instance.accessIpV6 ?? '',
    links: serverLinks(instance.id, call),
    ...diskConfigView(instance),
    ...(WITH_PROGRESS.includes(status) ? { progress: 0 } : {}),
    ...faultView(instance, status, call),
    ...(all ? fullView(facts, call) : {}),
    ...(has(version, 'servers.locked') ? { locked: instance.lockedBy !== null } : {}),
    ...(has(version, 'servers.description') ? { description: instance.description } : {}),
    ...(has(version, 'servers.tags') ? { tags: instance.tags } : {}),
    ...(has(version, 'servers.trusted-certificates') ? { trusted_image_certificates: null } : {}),
    ...(has(version, 'servers.server-groups') && where !== 'detail' ? { server_groups: [] } : {}),
    ...(has(version, 'servers.locked-reason') ? { locked_reason: instance.lockedReason } : {}),
    ...(has(version, 'servers.hostname') ? { 'OS-EXT-SRV-ATTR:hostname': instance.hostname } : {}),
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

/** What Nova's extensions once added. */
function fullView(facts: ServerFacts, call: ApiCall) {
  const { instance } = facts;
  const withEnd = has(call.microversion, 'servers.volumes-attached.delete-on-termination');
  return {
    'OS-EXT-AZ:availability_zone': instance.host === null ? (instance.availabilityZone ?? '') : AVAILABILITY_ZONE,
    config_drive: instance.configDrive ? 'True' : '',
    key_name: instance.keyName,
    'OS-SRV-USG:launched_at': instance.launchedAt === null ? null : microsecondsWithoutZone(instance.launchedAt),
    'OS-SRV-USG:terminated_at': instance.terminatedAt === null ? null : microsecondsWithoutZone(instance.terminatedAt),
    'OS-EXT-STS:task_state': instance.taskState,
    'OS-EXT-STS:vm_state': instance.vmState,
    'OS-EXT-STS:power_state': POWER_STATE_NUMBER[instance.powerState],
    'os-extended-volumes:volumes_attached': facts.mappings.map(({ volumeId, deleteOnTermination }) => ({
      id: volumeId,
      ...(withEnd ? { delete_on_termination: deleteOnTermination } : {}),
    })),
    ...hostView(facts, call),
  };
}

function imageView({ imageRef }: Instance, { links }: ApiCall) {
  if (imageRef === null) return '';
  return { id: imageRef, links: [{ rel: 'bookmark', href: links.bookmark(`/images/${imageRef}`) }] };
}

function flavorView({ flavor }: Instance, sees: Sees, { microversion, links }: ApiCall) {
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
    ...(sees.flavorExtraSpecs ? { extra_specs: flavor.extraSpecs } : {}),
  };
}

function faultView({ fault }: Instance, status: ServerStatus, { context }: ApiCall) {
  if (fault === null || (status !== 'ERROR' && status !== 'DELETED')) return {};
  const { code, message, details, created } = fault;
  const showsDetails = details !== '' && (context.isAdmin || code !== 500);
  return { fault: { code, created: secondsWithZone(created), message, ...(showsDetails ? { details } : {}) } };
}

function hostView({ instance, service, sees, userData }: ServerFacts, { microversion }: ApiCall) {
  const status = hostStatusOf(service);
  const showsStatus = sees.hostStatus === 'any' || (sees.hostStatus === 'unknown-only' && status === 'UNKNOWN');
  return {
    ...(sees.host
      ? {
          'OS-EXT-SRV-ATTR:host': instance.host,
          'OS-EXT-SRV-ATTR:instance_name': `instance-${instance.number.toString(16).padStart(8, '0')}`,
          'OS-EXT-SRV-ATTR:hypervisor_hostname': service?.hypervisor.hostname ?? null,
          ...(has(microversion, 'servers.extended-attributes') ? extendedAttributes(instance, userData) : {}),
        }
      : {}),
    ...(showsStatus ? { host_status: status } : {}),
  };
}

const extendedAttributes = (instance: Instance, userData: string | null) => ({
  'OS-EXT-SRV-ATTR:hostname': instance.hostname,
  'OS-EXT-SRV-ATTR:kernel_id': instance.kernelId,
  'OS-EXT-SRV-ATTR:ramdisk_id': instance.ramdiskId,
  'OS-EXT-SRV-ATTR:launch_index': instance.launchIndex,
  'OS-EXT-SRV-ATTR:reservation_id': instance.reservationId,
  'OS-EXT-SRV-ATTR:root_device_name': rootDeviceName(instance.diskBus),
  'OS-EXT-SRV-ATTR:user_data': userData,
});
