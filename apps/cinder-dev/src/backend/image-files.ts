import { readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { bytes, type Bytes, isUuid } from '@novella/core';
import { z } from 'zod';
import { virtualSize } from './qemu-img.js';

const description = z.looseObject({
  id: z.string(),
  name: z.string(),
  disk_format: z.enum(['raw', 'qcow2']),
  file: z.string().min(1),
  min_disk: z.int().nonnegative().default(0),
  min_ram: z.int().nonnegative().default(0),
  properties: z.record(z.string(), z.unknown()).default({}),
});

export interface ImageFile {
  readonly path: string;
  readonly format: 'raw' | 'qcow2';
  /** A volume of it has at least so much, and at least so many GiB. */
  readonly size: Bytes;
  readonly minDiskGib: number;
  /** As Cinder keeps it with the volume: all texts. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Images as files of one folder, each with Glance's description beside it as `<id>.json`. */
export class ImageFiles {
  constructor(private readonly directory: string | null) {}

  /** null for what is no image that a volume can be made of, whatever the reason. */
  async find(id: string): Promise<ImageFile | null> {
    if (this.directory === null || !isUuid(id)) return null;
    return read(this.directory, id).catch(() => null);
  }
}

/** Throws for an image that is not there, is not described well, lies outside or takes its content from elsewhere. */
async function read(directory: string, id: string): Promise<ImageFile> {
  const folder = await realpath(directory);
  const described = description.parse(JSON.parse(await readFile(join(folder, `${id}.json`), 'utf8')));
  const { file, name, disk_format: format, min_disk, min_ram, properties } = described;
  const path = await realpath(join(folder, file));
  if (!path.startsWith(folder + sep)) throw new Error(`${file} lies outside of the folder`);
  const texts = Object.entries(properties).map(([key, value]) => [key, String(value)]);
  return {
    path,
    format,
    size: bytes(await virtualSize(path, format)),
    minDiskGib: min_disk,
    metadata: {
      ...(Object.fromEntries(texts) as Record<string, string>),
      image_id: id,
      image_name: name,
      disk_format: format,
      min_disk: String(min_disk),
      min_ram: String(min_ram),
    },
  };
}
