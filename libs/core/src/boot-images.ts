import { z } from 'zod';
import { isUuid } from './ids.js';
import { bytes, type Bytes } from './units.js';

/**
 * The images that a server boots from, as the image service described them when its owner asked for the server: read in
 * the owner's name then, and fetched in the service's own later. What an image points to meanwhile counts no more.
 */
export const DISK_FORMATS = ['raw', 'qcow2', 'ami', 'aki', 'ari'] as const;
export type DiskFormat = (typeof DISK_FORMATS)[number];

/** Glance's `os_hash_algo`, as far as we compute them; md5 is its older `checksum`. */
export const HASH_ALGORITHMS = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const;

export const imageHashSchema = z.object({
  algorithm: z.enum(HASH_ALGORITHMS),
  value: z.string().regex(/^[0-9a-f]{32,128}$/),
});
export type ImageHash = Readonly<z.output<typeof imageHashSchema>>;

export const bootImageSchema = z.object({
  id: z.string().refine(isUuid, 'a lower-case dashed uuid'),
  diskFormat: z.enum(DISK_FORMATS),
  /** Of its data; 0: it has none. */
  size: z
    .number()
    .int()
    .nonnegative()
    .max(Number.MAX_SAFE_INTEGER)
    .transform((count): Bytes => bytes(count)),
  /** null: the image service knows none, so only the size can be checked. */
  hash: imageHashSchema.nullable(),
  minDiskGib: z.number().int().nonnegative(),
  minMemoryMib: z.number().int().nonnegative(),
  /** For the kernel that it boots by; null: it says none. */
  commandLine: z.string().max(2048).nullable(),
});
export type BootImage = Readonly<z.output<typeof bootImageSchema>>;

export const bootImagesSchema = z.object({
  image: bootImageSchema,
  kernel: bootImageSchema.nullable(),
  ramdisk: bootImageSchema.nullable(),
});
export type BootImages = Readonly<z.output<typeof bootImagesSchema>>;
