import type { AttachmentId, ConnectionInfo, GiB, ProjectId, ServerId, VolumeId } from '@novella/core';

/**
 * What the conductor asks of Cinder, with service credentials, and only about attachments that the server owns.
 * Errors: cinder-unreachable, cinder-answer-invalid, cinder-unauthorized (away); volume-not-found, cinder-refused.
 */
export interface VolumeService {
  volume(project: ProjectId, volume: VolumeId): Promise<VolumeState>;
  /** Attachments of the volume to the server, whatever their state. */
  attachments(project: ProjectId, volume: VolumeId, server: ServerId): Promise<AttachmentId[]>;
  /** Tells Cinder the host's connector; answers how the host reaches the volume. Repeatable until it is completed. */
  connectAttachment(
    project: ProjectId,
    attachment: AttachmentId,
    connector: Readonly<Record<string, unknown>>,
    device: string,
  ): Promise<Connected>;
  /** How the host that Cinder was told of reaches the volume; changes nothing. Null when Cinder was told of none. */
  connection(project: ProjectId, attachment: AttachmentId): Promise<Connected | null>;
  /**
   * What a host needs to open an encrypted volume, for it alone to read; null when the storage encrypts by itself, and
   * hosts see nothing of it. Errors: encryption-unsupported, key-manager-unsupported, volume-key-missing.
   */
  encryption(project: ProjectId, volume: VolumeId): Promise<Readonly<Record<string, string>> | null>;
  /** The volume becomes in-use. Repeatable: a completed attachment is left as it is. */
  completeAttachment(project: ProjectId, attachment: AttachmentId): Promise<void>;
  /** An attachment that is gone is no error. */
  deleteAttachment(project: ProjectId, attachment: AttachmentId): Promise<void>;
  /** The volume becomes `detaching`, and nobody may extend it. Repeatable: one that is detaching is left so. */
  beginDetaching(project: ProjectId, volume: VolumeId): Promise<void>;
  /** A volume that is `detaching` becomes in-use again; any other is left as it is, also one that is gone. */
  rollDetaching(project: ProjectId, volume: VolumeId): Promise<void>;
  /**
   * Tells Cinder how the growth to `size` ended that it left to the host (os-extend_volume_completion). Without effect
   * when Cinder does not wait for that: it has heard of it, or waits for another growth by now.
   */
  completeExtend(project: ProjectId, volume: VolumeId, size: GiB, end: 'grown' | 'failed'): Promise<void>;
  /** For delete_on_termination; a volume that is gone is no error. */
  deleteVolume(project: ProjectId, volume: VolumeId): Promise<void>;
  /** All volumes of this status, page after page. */
  volumesThatAre(status: 'in-use' | 'attaching'): AsyncIterable<readonly { id: VolumeId; size: GiB }[]>;
}

export interface VolumeState {
  readonly size: GiB;
  /** Cinder's own word; the list is open. */
  readonly status: string;
  /** What Cinder wants a host to grow the volume to, which is `extending` until then; null: Cinder grows it itself. */
  readonly extendingTo: GiB | null;
}

export interface Connected {
  readonly connection: ConnectionInfo;
  /** What only the host may read (CHAP, cephx); null when there is nothing. */
  readonly secret: Readonly<Record<string, string>> | null;
}
