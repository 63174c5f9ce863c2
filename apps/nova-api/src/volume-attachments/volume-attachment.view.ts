import type { BlockDeviceMapping } from '@novella/persistence';
import { has, type Microversion } from '../http/microversion.js';

/** Mirrors nova:nova/api/openstack/compute/volume_attachments.py. */
export function volumeAttachmentView(mapping: BlockDeviceMapping, version: Microversion) {
  return {
    ...(has(version, 'attachments.ids')
      ? { attachment_id: mapping.attachmentId, bdm_uuid: mapping.id }
      : { id: mapping.volumeId }),
    ...common(mapping, version),
  };
}

/** Nova never applied 2.89 to create: `id` stays there. */
export function createdVolumeAttachmentView(mapping: BlockDeviceMapping, version: Microversion) {
  return { id: mapping.volumeId, ...common(mapping, version) };
}

/** From 2.89 a mapping that Cinder has not answered for is not shown. */
export const isShown = (mapping: BlockDeviceMapping, version: Microversion): boolean =>
  mapping.attachmentId !== null || !has(version, 'attachments.ids');

const common = (mapping: BlockDeviceMapping, version: Microversion) => ({
  volumeId: mapping.volumeId,
  serverId: mapping.serverId,
  device: mapping.device,
  ...(has(version, 'attachments.tag') ? { tag: mapping.tag } : {}),
  ...(has(version, 'attachments.delete-on-termination') ? { delete_on_termination: mapping.deleteOnTermination } : {}),
});
