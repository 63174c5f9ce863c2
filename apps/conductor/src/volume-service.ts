import type { AttachmentId, ConnectionInfo, GiB, ProjectId, ServerId, VolumeId } from '@novella/core';

/**
 * What the conductor asks of Cinder, with service credentials, and only about attachments that the server owns.
 * Errors: cinder-unreachable, cinder-answer-invalid, cinder-unauthorized (away); volume-not-found, cinder-refused.
 */
export interface VolumeService {
  volume(project: ProjectId, volume: VolumeId): Promise<{ size: GiB; status: string }>;
  /** Attachments of the volume to the server, whatever their state. */
  attachments(project: ProjectId, volume: VolumeId, server: ServerId): Promise<AttachmentId[]>;
  /** Tells Cinder the host's connector; answers how the host reaches the volume. Repeatable. */
  connectAttachment(
    project: ProjectId,
    attachment: AttachmentId,
    connector: Readonly<Record<string, unknown>>,
    device: string,
  ): Promise<ConnectionInfo>;
  /** The volume becomes in-use. Repeatable: a completed attachment is left as it is. */
  completeAttachment(project: ProjectId, attachment: AttachmentId): Promise<void>;
  /** An attachment that is gone is no error. */
  deleteAttachment(project: ProjectId, attachment: AttachmentId): Promise<void>;
  /** For delete_on_termination; a volume that is gone is no error. */
  deleteVolume(project: ProjectId, volume: VolumeId): Promise<void>;
  /** All volumes that are in use, page after page. */
  volumesInUse(): AsyncIterable<readonly { id: VolumeId; size: GiB }[]>;
}
