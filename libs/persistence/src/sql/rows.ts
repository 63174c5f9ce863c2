import { type Bytes, bytesFromBigint, gib } from '@novella/core';
import type {
  BlockDeviceMapping,
  Capacity,
  Instance,
  InstanceAction,
  InstanceActionEvent,
  Operation,
  PlacedOn,
  Service,
} from '../records.js';
import type { BlockDeviceMappingRow } from './entities/block-device-mapping.entity.js';
import type { InstanceActionEventRow, InstanceActionRow } from './entities/instance-action.entity.js';
import type { InstanceRow } from './entities/instance.entity.js';
import type { OperationRow } from './entities/operation.entity.js';
import type { ServiceRow } from './entities/service.entity.js';

/**
 * A row as it comes inside a JSON document: times are ISO text, bigints are numbers. One statement can so answer rows of
 * several tables; the functions below take both forms.
 */
export type InJson<Row> = {
  [Key in keyof Row]: Row[Key] extends Date ? string : Row[Key] extends Date | null ? string | null : Row[Key];
};

const time = (value: Date | string): Date => new Date(value);
const timeOrNull = (value: Date | string | null): Date | null => (value === null ? null : new Date(value));
const size = (value: string | number): Bytes => bytesFromBigint(BigInt(value));
const sizeOrNull = (value: string | number | null): Bytes | null => (value === null ? null : size(value));

export function toInstance(row: InstanceRow | InJson<InstanceRow>): Instance {
  return {
    id: row.id,
    number: Number(row.number),
    projectId: row.project_id,
    userId: row.user_id,
    name: row.name,
    description: row.description,
    flavor: row.flavor,
    imageRef: row.image_ref,
    bootImages: row.boot_images,
    diskBus: row.disk_bus,
    metadata: row.metadata,
    availabilityZone: row.availability_zone,
    keyName: row.key_name,
    hostname: row.hostname,
    reservationId: row.reservation_id,
    launchIndex: row.launch_index,
    accessIpV4: row.access_ip_v4,
    accessIpV6: row.access_ip_v6,
    configDrive: row.config_drive,
    autoDiskConfig: row.auto_disk_config,
    kernelId: row.kernel_id,
    ramdiskId: row.ramdisk_id,
    tags: row.tags,
    lockedBy: row.locked_by,
    lockedReason: row.locked_reason,
    vmState: row.vm_state,
    taskState: row.task_state,
    powerState: row.power_state,
    host: row.host,
    generation: row.generation,
    fault: row.fault === null ? null : { ...row.fault, created: time(row.fault.created) },
    launchedAt: timeOrNull(row.launched_at),
    terminatedAt: timeOrNull(row.terminated_at),
    createdAt: time(row.created_at),
    updatedAt: time(row.updated_at),
    deletedAt: timeOrNull(row.deleted_at),
  };
}

export function toMapping(row: BlockDeviceMappingRow | InJson<BlockDeviceMappingRow>): BlockDeviceMapping {
  return {
    id: row.id,
    serverId: row.server_id,
    volumeId: row.volume_id,
    attachmentId: row.attachment_id,
    connection: row.connection,
    sealedSecret: row.sealed_secret,
    device: row.device,
    bus: row.bus,
    bootIndex: row.boot_index,
    tag: row.tag,
    deleteOnTermination: row.delete_on_termination,
    multiattach: row.multiattach,
    size: gib(row.size_gib),
    wantedBytes: size(row.wanted_bytes),
    hostBytes: sizeOrNull(row.host_bytes),
    guestBytes: sizeOrNull(row.guest_bytes),
    overheadBytes: size(row.overhead_bytes),
    attachedAt: timeOrNull(row.attached_at),
    createdAt: time(row.created_at),
  };
}

export const toRefused = (row: BlockDeviceMappingRow | InJson<BlockDeviceMappingRow>) =>
  row.refused_bytes === null
    ? null
    : { wantedBytes: size(row.refused_bytes), capabilities: row.refused_capabilities ?? [] };

/** What is not in the row: decided by Postgres' clock, and summed over the servers of the host. */
export interface ServiceState {
  readonly up: boolean;
  readonly used: Capacity;
}

export const toService = (row: ServiceRow & ServiceState): Service => ({ ...toPlacedOn(row), used: row.used });

export function toPlacedOn(row: (ServiceRow | InJson<ServiceRow>) & Pick<ServiceState, 'up'>): PlacedOn {
  return {
    id: row.id,
    host: row.host,
    binary: row.binary,
    version: row.version,
    capabilities: row.capabilities,
    connectorProperties: row.connector_properties,
    publicKey: row.public_key,
    hypervisor: row.hypervisor,
    capacity: row.capacity,
    lastReportAt: time(row.last_report_at),
    up: row.up,
    disabled: row.disabled,
    disabledReason: row.disabled_reason,
    forcedDown: row.forced_down,
  };
}

export function toOperation(row: OperationRow): Operation {
  return {
    id: row.id,
    kind: row.kind,
    step: row.step,
    serverId: row.server_id,
    volumeId: row.volume_id,
    generation: row.generation,
    host: row.host,
    initiator: row.initiator,
    state: row.state,
    waitingFor: row.waiting_for,
    attempt: row.attempt,
    fence: row.fence === null ? null : Number(row.fence),
    requestedSeq: row.requested_seq,
    decidedSeq: row.decided_seq,
    version: row.version,
    failures: row.failures,
    request: row.request,
    error: row.error,
    verifiedBy: row.verified_by,
    visible: row.visible,
    createdAt: row.created_at,
    sentAt: row.sent_at,
    deadline: row.deadline,
    nextAt: row.next_at,
    endedAt: row.ended_at,
    timeline: row.timeline,
  };
}

export function toAction(row: InstanceActionRow, events: readonly InstanceActionEventRow[]): InstanceAction {
  return {
    serverId: row.server_id,
    action: row.action,
    requestId: row.request_id,
    userId: row.user_id,
    projectId: row.project_id,
    startTime: row.start_time,
    updatedAt: row.updated_at,
    message: row.message,
    events: events.map(toActionEvent),
  };
}

function toActionEvent(row: InstanceActionEventRow): InstanceActionEvent {
  return {
    event: row.event,
    host: row.host,
    startTime: row.start_time,
    finishTime: row.finish_time,
    result: row.result,
    traceback: row.traceback,
    details: row.details,
  };
}
