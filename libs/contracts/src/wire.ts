import {
  type AttachmentId,
  type Bytes,
  bytes,
  connectionInfoSchema,
  ERRORS,
  type ErrorCode,
  isHostName,
  isUuid,
  type OperationId,
  type ServerId,
  type VolumeId,
} from '@novella/core';
import { z } from 'zod';

/** The pieces that messages are made of. Each parses to the core type, so that a handler never re-checks. */
const uuid = z.string().refine(isUuid, 'a lower-case dashed uuid');
export const serverId = uuid.transform((id) => id as ServerId);
export const volumeId = uuid.transform((id) => id as VolumeId);
export const attachmentId = uuid.transform((id) => id as AttachmentId);
export const operationId = uuid.transform((id) => id as OperationId);
export const hostName = z.string().refine(isHostName, 'a host name');
export const byteCount = z
  .number()
  .int()
  .nonnegative()
  .max(Number.MAX_SAFE_INTEGER)
  .transform((count): Bytes => bytes(count));

/**
 * Names one try of one operation. `fence` grows with every dispatch in the whole deployment, so a host that remembers
 * the highest it has acted on for a server or volume can tell a stale command from a fresh one.
 */
export const commandToken = z.object({
  operation: operationId,
  attempt: z.number().int().positive(),
  generation: z.number().int().nonnegative(),
  fence: z.number().int().positive(),
});
export type CommandToken = z.output<typeof commandToken>;

export const diskBus = z.enum(['virtio', 'scsi']);
export type DiskBus = z.output<typeof diskBus>;

/** Base64 of what libs/sealing makes: bound to one host's key and one attachment. Safe to store and to log. */
export const sealedSecret = z.base64().max(16_384);

/** One volume as the hypervisor shall present it. */
export const volumeDisk = z.object({
  volume: volumeId,
  attachment: attachmentId,
  connection: connectionInfoSchema,
  /** The target's name in the domain: `vdb`, `sda`; without `/dev/`. */
  device: z.string().regex(/^(vd|sd)[a-z]{1,3}$/),
  bus: diskBus,
  shareable: z.boolean(),
  /** What the host needs besides to reach the volume, readable by that host alone; null when there is nothing. */
  sealedSecret: sealedSecret.nullable(),
});
export type VolumeDisk = z.output<typeof volumeDisk>;

/** What was read back of one volume's sizes; `guestBytes` is null while no guest runs. */
export const measuredDisk = z.object({
  volume: volumeId,
  hostBytes: byteCount,
  guestBytes: byteCount.nullable(),
  /** Bytes of the device that no guest sees (a LUKS header), not counted in the others; left out when there are none. */
  overheadBytes: byteCount.optional(),
});
export type MeasuredDisk = z.output<typeof measuredDisk>;

export const errorRecord = z.object({
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  grade: z.enum(['unsure', 'infeasible', 'final']),
  message: z.string(),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});
