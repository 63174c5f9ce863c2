import { type AttachmentRecord, type MessageRecord, type VolumeRecord } from '../state/records.js';

/** How Cinder shows things. Mirrors cinder:api/v2/views/volumes.py, v3/views/attachments.py and messages.py. */
type Link = { readonly rel: string; readonly href: string };
const HOST = 'cinder-dev@file#file';

/** Python's isoformat: microseconds, no zone. */
const timeView = (iso: string) => iso.replace(/(\.\d{3})Z$/, '$1000');
const timeOrNull = (iso: string | null) => (iso === null ? null : timeView(iso));

const linksTo = (base: string, project: string, path: string): Link[] => [
  { rel: 'self', href: `${base}/v3/${project}${path}` },
  { rel: 'bookmark', href: `${base}/${project}${path}` },
];

export function volumeSummaryView(base: string, volume: VolumeRecord) {
  const { id, name, projectId } = volume;
  return { id, name, links: linksTo(base, projectId, `/volumes/${id}`) };
}

export function volumeView(base: string, volume: VolumeRecord, attachments: readonly AttachmentRecord[]) {
  return {
    ...volumeSummaryView(base, volume),
    status: volume.status,
    size: volume.size,
    availability_zone: volume.availabilityZone,
    created_at: timeView(volume.createdAt),
    updated_at: timeOrNull(volume.updatedAt),
    description: volume.description,
    volume_type: volume.type,
    snapshot_id: null,
    source_volid: null,
    metadata: metadataView(volume),
    user_id: volume.userId,
    bootable: String(volume.bootable),
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: volume.type === 'multiattach',
    attachments: attachments.filter(({ status }) => status === 'attached').map(volumeAttachmentView),
    migration_status: null,
    'os-vol-host-attr:host': HOST,
    'os-vol-mig-status-attr:migstat': null,
    'os-vol-mig-status-attr:name_id': null,
    'os-vol-tenant-attr:tenant_id': volume.projectId,
    ...(volume.imageMetadata === null ? {} : { volume_image_metadata: volume.imageMetadata }),
  };
}

/** What whoever has the volume open shall grow it to stands among the metadata. */
const metadataView = ({ metadata, extend }: VolumeRecord) =>
  extend?.awaited === true ? { ...metadata, extend_new_size: String(extend.to) } : metadata;

function volumeAttachmentView(attachment: AttachmentRecord) {
  return {
    id: attachment.volumeId,
    attachment_id: attachment.id,
    volume_id: attachment.volumeId,
    server_id: attachment.serverId,
    host_name: textOf(attachment.connector?.['host']) ?? '',
    device: textOf(attachment.connector?.['mountpoint']) ?? 'na',
    attached_at: timeOrNull(attachment.attachedAt),
  };
}
const textOf = (value: unknown) => (typeof value === 'string' ? value : null);

export const attachmentSummaryView = (attachment: AttachmentRecord) => ({
  id: attachment.id,
  status: attachment.status,
  instance: attachment.serverId,
  volume_id: attachment.volumeId,
});

export const attachmentView = (attachment: AttachmentRecord) => ({
  ...attachmentSummaryView(attachment),
  attached_at: attachment.attachedAt === null ? '' : timeView(attachment.attachedAt),
  detached_at: '',
  attach_mode: attachment.mode ?? 'null',
  connection_info: connectionInfoView(attachment),
});

function connectionInfoView({ id, volumeId, devicePath, mode, format }: AttachmentRecord) {
  if (devicePath === null) return {};
  return {
    driver_volume_type: 'local',
    device_path: devicePath,
    volume_id: volumeId,
    attachment_id: id,
    access_mode: mode ?? 'rw',
    ...(format === 'raw' ? {} : { format }),
    encrypted: false,
    qos_specs: null,
    cacheable: false,
  };
}

export const messageView = (base: string, message: MessageRecord) => ({
  id: message.id,
  event_id: message.eventId,
  user_message: message.text,
  message_level: 'ERROR',
  created_at: timeView(message.createdAt),
  guaranteed_until: timeView(message.guaranteedUntil),
  request_id: message.requestId,
  resource_type: 'VOLUME',
  resource_uuid: message.volumeId,
  links: linksTo(base, message.projectId, `/messages/${message.id}`),
});
