import { since } from '../http/microversion.js';
import { Boolish, ObjectOf, Required, Text, type TextLimits, Uuid } from '../http/rules.js';

export const DEVICE: TextLimits = { nullable: true, max: 255, pattern: /^\/dev\/[a-z]+[0-9]*$/ };
export const TAG: TextLimits = { min: 1, max: 60, pattern: /^[^,/]*$/ };

/** Body of POST os-volume_attachments (nova:nova/api/openstack/compute/schemas/volume_attachment.py). */
class VolumeAttachmentDto {
  @Required() @Uuid() readonly volumeId!: string;
  @Text(DEVICE) readonly device?: string | null;
  @Text(TAG, since('attachments.create.tag')) readonly tag?: string;
  @Boolish(since('attachments.delete-on-termination')) readonly delete_on_termination?: boolean | string;
}

export class AttachVolumeDto {
  @Required() @ObjectOf(() => VolumeAttachmentDto) readonly volumeAttachment!: VolumeAttachmentDto;
}
