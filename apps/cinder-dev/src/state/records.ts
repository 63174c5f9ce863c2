import { z } from 'zod';

/** What is kept on disk: one JSON document each. Times are ISO 8601 in UTC; sizes are GiB, as everywhere in Cinder. */
export const VOLUME_STATUSES = [
  'creating',
  'available',
  'reserved',
  'attaching',
  'in-use',
  'detaching',
  'extending',
  'deleting',
  'error',
  'error_extending',
  'error_deleting',
] as const;
export type VolumeStatus = (typeof VOLUME_STATUSES)[number];

/** Made once and fixed: the default type, one whose volumes may have several attachments, one of qcow2 files. */
export const VOLUME_TYPES = ['__DEFAULT__', 'multiattach', 'qcow2'] as const;
export type VolumeType = (typeof VOLUME_TYPES)[number];

const FORMATS = ['raw', 'qcow2'] as const;
export type VolumeFormat = (typeof FORMATS)[number];
export const formatOf = ({ type }: { readonly type: VolumeType }): VolumeFormat => (type === 'qcow2' ? 'qcow2' : 'raw');

const time = z.iso.datetime();
const sizeGib = z.number().int().positive();

/** Whom a message or event that comes later is for. */
export const origin = z.object({ projectId: z.string(), requestId: z.string(), globalRequestId: z.string() });
export type Origin = Readonly<z.output<typeof origin>>;

export const volumeRecord = z.object({
  id: z.uuid(),
  projectId: z.string(),
  userId: z.string(),
  name: z.string().nullable(),
  description: z.string().nullable(),
  type: z.enum(VOLUME_TYPES),
  size: sizeGib,
  status: z.enum(VOLUME_STATUSES),
  /**
   * What is being extended, and for whom; so that a restart finishes it. `awaited`: whoever has the file open grows it,
   * and says so by os-extend_volume_completion.
   */
  extend: z.object({ to: sizeGib, origin, awaited: z.boolean().default(false) }).nullable(),
  metadata: z.record(z.string(), z.string()),
  bootable: z.boolean(),
  /** The image that the volume was made of, by what Glance says of it. */
  imageMetadata: z.record(z.string(), z.string()).nullable().default(null),
  availabilityZone: z.string(),
  createdAt: time,
  updatedAt: time.nullable(),
});
export type VolumeRecord = Readonly<z.output<typeof volumeRecord>>;

export const attachmentRecord = z.object({
  id: z.uuid(),
  volumeId: z.uuid(),
  projectId: z.string(),
  serverId: z.string().nullable(),
  status: z.enum(['reserved', 'attaching', 'attached']),
  mode: z.enum(['rw', 'ro']).nullable(),
  connector: z.record(z.string(), z.unknown()).nullable(),
  /** The path that the host opens: the volume's file, or the loop device on it. */
  devicePath: z.string().nullable(),
  format: z.enum(FORMATS).default('raw'),
  attachedAt: time.nullable(),
  createdAt: time,
});
export type AttachmentRecord = Readonly<z.output<typeof attachmentRecord>>;

export const messageRecord = z.object({
  id: z.uuid(),
  volumeId: z.uuid(),
  projectId: z.string(),
  requestId: z.string(),
  eventId: z.string(),
  text: z.string(),
  createdAt: time,
  guaranteedUntil: time,
});
export type MessageRecord = Readonly<z.output<typeof messageRecord>>;
