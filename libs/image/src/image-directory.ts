import { readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { bytes, bytesFromBigint, DISK_FORMATS, isUuid, NovellaError } from '@novella/core';
import { z } from 'zod';
import type { ImageService, LocalImage } from './image-service.js';
import { readQcow2Header } from './qcow2.js';

/** `<id>.json` beside the images: Glance's own names, as `openstack image show -f json` prints them. */
const description = z.object({
  id: z.string().refine(isUuid, 'a lower-case dashed uuid'),
  name: z.string().max(255),
  disk_format: z.enum(DISK_FORMATS),
  /** Relative to the directory; only an `ami`, which boots by kernel and ramdisk, can do without. */
  file: z.string().min(1).optional(),
  min_disk: z.int().nonnegative().default(0),
  min_ram: z.int().nonnegative().default(0),
  properties: z
    .looseObject({
      kernel_id: z.string().refine(isUuid, 'a lower-case dashed uuid').nullish(),
      ramdisk_id: z.string().refine(isUuid, 'a lower-case dashed uuid').nullish(),
      os_command_line: z.string().max(2048).nullish(),
      hw_disk_bus: z.enum(['virtio', 'scsi']).nullish(),
    })
    .default({}),
});
type Description = z.output<typeof description>;

/**
 * Images as files of one directory, each with a description. The description is read at every call, so that an image
 * can be added while the process runs.
 */
export class ImageDirectory implements ImageService {
  constructor(private readonly directory: string) {}

  async image(id: string): Promise<LocalImage | null> {
    if (!isUuid(id)) return null;
    const text = await readFile(join(this.directory, `${id}.json`), 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw new NovellaError('image-refused', 'the description cannot be read', { image: id }, { cause: error });
    });
    if (text === null) return null;
    const described = parseDescription(id, text);
    const { path, size } = await this.#file(described);
    if (path !== null && described.disk_format === 'qcow2') await readQcow2Header(path);
    return {
      id,
      name: described.name,
      diskFormat: described.disk_format,
      path,
      size,
      minDiskGib: described.min_disk,
      minMemoryMib: described.min_ram,
      properties: {
        kernelId: described.properties.kernel_id ?? null,
        ramdiskId: described.properties.ramdisk_id ?? null,
        commandLine: described.properties.os_command_line ?? null,
        diskBus: described.properties.hw_disk_bus ?? 'virtio',
      },
      remote: null,
    };
  }

  async #file({ id, file, disk_format }: Description): Promise<Pick<LocalImage, 'path' | 'size'>> {
    if (file === undefined) {
      if (disk_format === 'ami') return { path: null, size: bytes(0) };
      throw new NovellaError('image-refused', `an image of format ${disk_format} needs a file`, { image: id });
    }
    const folder = await realpath(this.directory);
    const path = await realpath(join(folder, file)).catch((cause: unknown) => {
      throw new NovellaError('image-refused', 'the file of the image is not there', { image: id, file }, { cause });
    });
    const found = await stat(path, { bigint: true });
    if (path.startsWith(folder + sep) && found.isFile()) return { path, size: bytesFromBigint(found.size) };
    throw new NovellaError('image-refused', 'the image must be a file inside the directory', { image: id, file });
  }
}

function parseDescription(id: string, text: string): Description {
  const refuse = (message: string, cause?: unknown) =>
    new NovellaError('image-refused', message, { image: id }, { cause });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw refuse('the description is no JSON', cause);
  }
  const parsed = description.safeParse(json);
  if (!parsed.success) throw refuse(`the description is wrong: ${z.prettifyError(parsed.error)}`);
  if (parsed.data.id !== id) throw refuse('the description is of another image');
  return parsed.data;
}

const isMissing = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
