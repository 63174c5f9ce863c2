import { since } from '../http/microversion.js';
import { Boolish, ObjectOf, Required, Text, Uuid } from '../http/rules.js';
import { DEVICE, TAG } from './attach-volume.dto.js';

/**
 * Body of PUT os-volume_attachments/{volume_id} (nova:nova/api/openstack/compute/schemas/volume_attachments.py). From
 * 2.85 what show answers may be sent back; most of it must say what is so already.
 */
class UpdatedAttachmentDto {
  @Required() @Uuid() readonly volumeId!: string;
  @Uuid(since('attachments.update')) readonly id?: string;
  @Uuid(since('attachments.update')) readonly serverId?: string;
  @Text(DEVICE, since('attachments.update')) readonly device?: string | null;
  @Text(TAG, since('attachments.update')) readonly tag?: string;
  @Boolish(since('attachments.update')) readonly delete_on_termination?: boolean | string;
}

export class UpdateAttachmentDto {
  @Required() @ObjectOf(() => UpdatedAttachmentDto) readonly volumeAttachment!: UpdatedAttachmentDto;
}
