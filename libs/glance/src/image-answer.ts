import {
  bytes,
  DISK_FORMATS,
  type ErrorFacts,
  type ImageHash,
  imageHashSchema,
  isUuid,
  NovellaError,
} from '@novella/core';
import type { Image } from '@novella/image';
import { z } from 'zod';

/** What Glance answers about an image: its own fields and the properties that people gave it, side by side. */
const wireImage = z.looseObject({
  id: z.string().refine(isUuid, 'a lower-case dashed uuid'),
  name: z.string().nullish(),
  status: z.string().min(1),
  disk_format: z.string().nullish(),
  container_format: z.string().nullish(),
  size: z.int().nonnegative().nullish(),
  checksum: z.string().nullish(),
  os_hash_algo: z.string().nullish(),
  os_hash_value: z.string().nullish(),
  min_disk: z.int().nonnegative().nullish(),
  min_ram: z.int().nonnegative().nullish(),
  // What people give is text, also what is no text elsewhere.
  kernel_id: z.string().nullish(),
  ramdisk_id: z.string().nullish(),
  os_command_line: z.string().nullish(),
  hw_disk_bus: z.string().nullish(),
  hw_scsi_model: z.string().nullish(),
  block_device_mapping: z.string().nullish(),
  cinder_encryption_key_id: z.string().nullish(),
});
type WireImage = z.output<typeof wireImage>;

const LONGEST_COMMAND_LINE = 2048;
/** Formats of archives and packages: what is in them is no disk. */
const CONTAINERS = ['bare', 'ami', 'aki', 'ari'];

/**
 * Errors: image-service-answer-invalid when it is no image, or not this one; image-not-active; image-refused for one that
 * cannot be booted from here. Mirrors nova:nova/image/glance.py _translate_from_glance, compute/api.py
 * _validate_flavor_image.
 */
export function readImage(id: string, json: unknown): Image {
  const parsed = wireImage.safeParse(json);
  if (!parsed.success) {
    throw new NovellaError('image-service-answer-invalid', `Glance's answer: ${z.prettifyError(parsed.error)}`, {
      image: id,
    });
  }
  const wire = parsed.data;
  if (wire.id !== id) {
    throw new NovellaError('image-service-answer-invalid', "Glance's answer is about another image", { image: id });
  }
  if (wire.status !== 'active') {
    throw new NovellaError('image-not-active', `Image ${id} is not active.`, { image: id, status: wire.status });
  }
  refuseWhatIsNoDisk(wire);
  const diskFormat = DISK_FORMATS.find((format) => format === wire.disk_format);
  if (diskFormat === undefined)
    throw refused(wire, 'its disk format is not served', { diskFormat: wire.disk_format ?? null });
  const size = bytes(wire.size ?? 0);
  if (size === 0 && diskFormat !== 'ami') throw refused(wire, 'it has no data');
  return {
    id,
    name: wire.name ?? '',
    diskFormat,
    size,
    minDiskGib: wire.min_disk ?? 0,
    minMemoryMib: wire.min_ram ?? 0,
    properties: {
      kernelId: imageId(wire, 'kernel_id'),
      ramdiskId: imageId(wire, 'ramdisk_id'),
      commandLine: commandLine(wire),
      diskBus: diskBus(wire),
    },
    remote: { hash: hashOf(wire) },
  };
}

function refuseWhatIsNoDisk(wire: WireImage): void {
  const container = wire.container_format ?? 'bare';
  if (!CONTAINERS.includes(container)) throw refused(wire, 'its container format is not served', { container });
  // A snapshot of a server that boots from a volume: the data is in volumes.
  if (isGiven(wire.block_device_mapping) && wire.block_device_mapping !== '[]') {
    throw refused(wire, 'it is made of volumes, which must be given as block devices');
  }
  if (isGiven(wire.cinder_encryption_key_id)) throw refused(wire, 'it is encrypted');
}

function imageId(wire: WireImage, property: 'kernel_id' | 'ramdisk_id'): string | null {
  const id = wire[property];
  if (!isGiven(id)) return null;
  if (isUuid(id)) return id;
  throw refused(wire, `its ${property} is no image's id`);
}

function commandLine(wire: WireImage): string | null {
  const line = wire.os_command_line;
  if (!isGiven(line)) return null;
  if (line.length <= LONGEST_COMMAND_LINE) return line;
  throw refused(wire, 'its os_command_line is too long', { most: LONGEST_COMMAND_LINE });
}

function diskBus(wire: WireImage): 'virtio' | 'scsi' {
  const bus = isGiven(wire.hw_disk_bus) ? wire.hw_disk_bus : 'virtio';
  if (bus !== 'virtio' && bus !== 'scsi') throw refused(wire, 'its disk bus is not served', { bus: bus.slice(0, 100) });
  const model = isGiven(wire.hw_scsi_model) ? wire.hw_scsi_model : 'virtio-scsi';
  if (bus === 'virtio' || model === 'virtio-scsi') return bus;
  throw refused(wire, 'its SCSI model is not served', { model: model.slice(0, 100) });
}

/** The one that Glance was told to make, where we can make it too; else its older checksum. */
function hashOf({ os_hash_algo, os_hash_value, checksum }: WireImage): ImageHash | null {
  const hash = imageHashSchema.safeParse({ algorithm: os_hash_algo, value: os_hash_value });
  if (hash.success) return hash.data;
  const md5 = imageHashSchema.safeParse({ algorithm: 'md5', value: checksum });
  return md5.success ? md5.data : null;
}

const isGiven = (text: string | null | undefined): text is string => text !== undefined && text !== null && text !== '';

const refused = ({ id }: WireImage, why: string, facts: ErrorFacts = {}): NovellaError =>
  new NovellaError('image-refused', `Image ${id} is unacceptable: ${why}`, { image: id, ...facts });
