import {
  type AttachmentId,
  gib,
  type GiB,
  parseAttachmentId,
  parseServerId,
  parseVolumeId,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { z } from 'zod';

/** What Cinder answers, parsed into our own types. Mirrors cinder:api/v2/views/volumes.py, v3/views/attachments.py. */
function id<T>(parse: (text: string) => T | null, what: string) {
  return z.string().transform((text, context): T => {
    const parsed = parse(text);
    if (parsed !== null) return parsed;
    context.addIssue({ code: 'custom', message: `not the uuid of a ${what}` });
    return z.NEVER;
  });
}
const volumeId = id<VolumeId>(parseVolumeId, 'volume');
const attachmentId = id<AttachmentId>(parseAttachmentId, 'attachment');
/** A server's uuid; null for an attachment of something else (a host, an image cache). */
const serverOrNull = z
  .string()
  .nullish()
  .transform((text): ServerId | null => (text ? parseServerId(text) : null));

const sizeGib = z
  .number()
  .int()
  .nonnegative()
  .max(2 ** 31)
  .transform((count): GiB => gib(count));

const textsOf = (record: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(record).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));

const volume = z
  .object({
    id: volumeId,
    name: z.string().nullish(),
    status: z.string().min(1),
    size: sizeGib,
    multiattach: z.boolean(),
    bootable: z.enum(['true', 'false']),
    encrypted: z.boolean(),
    availability_zone: z.string().nullish(),
    metadata: z.record(z.string(), z.string()),
    /** Only told to administrators. */
    migration_status: z.string().nullish(),
    /** Only of a volume that was made of an image. */
    volume_image_metadata: z.record(z.string(), z.unknown()).nullish(),
    attachments: z.array(
      z.object({ attachment_id: attachmentId, server_id: serverOrNull, device: z.string().nullish() }),
    ),
  })
  .transform((wire) => ({
    id: wire.id,
    name: wire.name ?? '',
    /** Cinder's own word: `available`, `in-use`, `extending`, `error_extending` ...; the list is open. */
    status: wire.status,
    size: wire.size,
    multiattach: wire.multiattach,
    bootable: wire.bootable === 'true',
    encrypted: wire.encrypted,
    availabilityZone: wire.availability_zone ?? null,
    metadata: wire.metadata,
    /** `migrating`, `completing` ...; null: it is not moved to another back end, or the caller is not told. */
    migrationStatus: wire.migration_status || null,
    /** Properties of the image that the volume was made of, those that are text; empty without one. */
    imageMetadata: textsOf(wire.volume_image_metadata ?? {}),
    /** Completed attachments only: a reserved or attaching one is not in a volume's list. */
    attachments: wire.attachments.map((each) => ({
      id: each.attachment_id,
      server: each.server_id,
      device: each.device ?? null,
    })),
  }));
export type Volume = Readonly<z.output<typeof volume>>;

const attachmentSummary = z
  .object({ id: attachmentId, status: z.string().min(1), instance: serverOrNull, volume_id: volumeId })
  .transform((wire) => ({
    id: wire.id,
    /** Cinder's own word: `reserved`, `attaching`, `attached`, `error_attaching`, `detached` ...; the list is open. */
    status: wire.status,
    server: wire.instance,
    volume: wire.volume_id,
  }));
export type AttachmentSummary = Readonly<z.output<typeof attachmentSummary>>;

/** cinder:db/sqlalchemy/api.py volume_encryption_metadata_get: without a type that encrypts, the key's id alone. */
export const encryptionAnswer = z
  .looseObject({
    encryption_key_id: z.string().nullable(),
    provider: z.string().nullish(),
    control_location: z.enum(['front-end', 'back-end']).nullish(),
    cipher: z.string().nullish(),
    key_size: z.number().int().nullish(),
  })
  .transform((wire) => ({
    /** Names the key in castellan's key manager. */
    keyId: wire.encryption_key_id,
    /** `luks`, `luks2`, `plain`, or the class of an old type; null: the volume is not encrypted. */
    provider: wire.provider ?? null,
    /** Who encrypts: the host or the storage. */
    controlLocation: wire.control_location ?? 'front-end',
    /** As dm-crypt writes it, `aes-xts-plain64`. */
    cipher: wire.cipher ?? null,
    /** In bits. */
    keySize: wire.key_size ?? null,
  }));
export type VolumeEncryption = Readonly<z.output<typeof encryptionAnswer>>;

const link = z.looseObject({ rel: z.string() });

export const volumeAnswer = z.object({ volume }).transform((wire) => wire.volume);
export const volumesAnswer = z
  .object({ volumes: z.array(volume), volumes_links: z.array(link).optional() })
  .transform((wire) => ({
    volumes: wire.volumes,
    more: wire.volumes_links?.some((each) => each.rel === 'next') ?? false,
  }));
export const attachmentsAnswer = z
  .object({ attachments: z.array(attachmentSummary) })
  .transform((wire) => wire.attachments);
/** Of the volume whose attachment was deleted; whoever answers without them has deleted nothing. */
export const remainingAttachmentsAnswer = z.object({ attachments: z.array(z.looseObject({ id: z.string() })) });
export const attachmentSummaryAnswer = z.object({ attachment: attachmentSummary }).transform((wire) => wire.attachment);
/** `connection_info` stays unread here: parseConnectionInfo knows its forms, splitSecrets its secrets. */
export const attachmentAnswer = z
  .object({ attachment: z.looseObject({ connection_info: z.record(z.string(), z.unknown()).nullish() }) })
  .transform((wire, context) => {
    const summary = attachmentSummary.safeParse(wire.attachment);
    if (!summary.success) {
      context.addIssue({ code: 'custom', message: z.prettifyError(summary.error) });
      return z.NEVER;
    }
    return { ...summary.data, connectionInfo: wire.attachment.connection_info ?? {} };
  });
