import { since } from '../http/microversion.js';
import { Boolish, ObjectOf, Required, Text, Uuid } from '../http/rules.js';

/** Body of POST os-volume_attachments (nova:nova/api/openstack/compute/schemas/volume_attachment.py). */
class VolumeAttachmentDto {
  @Required() @Uuid() readonly volumeId!: string;
  @Text({ nullable: true, max: 255, pattern: /^\/dev\/[a-z]+[0-9]*$/ }) readonly device?: string | null;
  @Text({ min: 1, max: 60, pattern: /^[^,/]*$/ }, since('attachments.create.tag')) readonly tag?: string;
  @Boolish(since('attachments.delete-on-termination')) readonly delete_on_termination?: boolean | string;
}

export class AttachVolumeDto {
  @Required() @ObjectOf(() => VolumeAttachmentDto) readonly volumeAttachment!: VolumeAttachmentDto;
}
