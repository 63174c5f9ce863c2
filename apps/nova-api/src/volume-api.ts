import type { AttachmentId, GiB, ProjectId, RequestId, ServerId, VolumeId } from '@novella/core';

/**
 * What nova-api asks Cinder for, in the user's name. Errors: volume-not-found, cinder-refused, cinder-unauthorized,
 * cinder-unreachable (nothing is known of what Cinder did), cinder-answer-invalid.
 */
export interface VolumeApi {
  volume(id: VolumeId, user: VolumeUser): Promise<VolumeFacts>;
  /** Reserves the volume for the server. Another call for the same pair reserves again, if Cinder lets it. */
  createAttachment(volume: VolumeId, server: ServerId, user: VolumeUser): Promise<AttachmentId>;
  /** An attachment that is not there is no error. */
  deleteAttachment(id: AttachmentId, user: VolumeUser): Promise<void>;
}

/** The user on whose behalf Cinder is asked. */
export interface VolumeUser {
  readonly token: string;
  /** null for a token without a project: Cinder cannot be asked with it. */
  readonly projectId: ProjectId | null;
  readonly requestId: RequestId;
  /** The caller's own id for what they do across services; Cinder is told this one, when there is one. */
  readonly globalRequestId: RequestId | null;
}

export interface VolumeFacts {
  readonly id: VolumeId;
  readonly status: string;
  readonly size: GiB;
  readonly multiattach: boolean;
  readonly bootable: boolean;
  /** Cinder's word while it moves the volume to another back end; null: it does not, or does not tell this user. */
  readonly migrationStatus: string | null;
  /** Properties of the image that the volume was made of, by name; empty without one. */
  readonly imageMetadata: Readonly<Record<string, string>>;
}
