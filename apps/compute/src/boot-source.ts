import type { BuildInstance } from '@novella/contracts';
import { type Bytes, bytes, gib, gibToBytes, NovellaError } from '@novella/core';
import { type Image, type ImageService, readQcow2Header } from '@novella/image';
import type { GuestSpec } from '@novella/virt';
import type { RootDisk } from './instance-files.js';

export interface BootSource {
  readonly kernel: GuestSpec['kernel'];
  /** null: the guest boots from a volume or by its kernel alone. */
  readonly rootDisk: RootDisk | null;
}

/** The images a build names, as they are now. */
export interface BootImages {
  readonly image: Image | null;
  readonly kernel: Image | null;
  readonly ramdisk: Image | null;
  /** What the image's disk shows a guest; 0 without a disk. */
  readonly imageBytes: Bytes;
}

/** As Nova's libvirt driver boots a kernel whose image says nothing else. */
const DEFAULT_COMMAND_LINE = 'console=tty0 console=ttyS0';

/** Errors: image-not-found, image-refused. */
export async function readBootImages(images: ImageService, imageRef: string | null): Promise<BootImages> {
  const image = await named(images, imageRef);
  const kernel = await named(images, image?.properties.kernelId ?? null);
  const ramdisk = await named(images, image?.properties.ramdiskId ?? null);
  return { image, kernel, ramdisk, imageBytes: await virtualSize(image) };
}

/** Pure: what the guest boots from. Errors: image-refused, flavor-too-small. */
export function decideBootSource(
  { image, kernel, ramdisk, imageBytes }: BootImages,
  flavor: Pick<BuildInstance, 'rootGib' | 'memoryMib' | 'bootVolume'>,
): BootSource {
  if (image === null) return { kernel: null, rootDisk: null };
  if (image.minMemoryMib > flavor.memoryMib) {
    throw tooSmall('memory', { image: image.id, neededMib: image.minMemoryMib, givenMib: flavor.memoryMib });
  }
  return { kernel: kernelOf(image, kernel, ramdisk), rootDisk: rootDiskOf(image, imageBytes, flavor) };
}

function kernelOf(image: Image, kernel: Image | null, ramdisk: Image | null): GuestSpec['kernel'] {
  if (kernel === null && ramdisk === null) return null;
  const kernelPath = kernel?.path ?? null;
  const initrdPath = ramdisk?.path ?? null;
  if (kernelPath === null || initrdPath === null) {
    throw new NovellaError('image-refused', 'a kernel boots only with a ramdisk, and both need a file', {
      image: image.id,
    });
  }
  return { kernelPath, initrdPath, commandLine: image.properties.commandLine ?? DEFAULT_COMMAND_LINE };
}

function rootDiskOf(
  image: Image,
  imageBytes: Bytes,
  { rootGib, bootVolume }: Pick<BuildInstance, 'rootGib' | 'bootVolume'>,
): RootDisk | null {
  if (image.diskFormat === 'aki' || image.diskFormat === 'ari') {
    throw new NovellaError('image-refused', 'a kernel or ramdisk is no image to boot from', { image: image.id });
  }
  if (image.path === null || bootVolume !== null) return null;
  // A flavor without a size for the root disk gives it the image's own.
  const wantedBytes = rootGib === 0 ? imageBytes : gibToBytes(gib(rootGib));
  if (imageBytes > wantedBytes || (rootGib > 0 && image.minDiskGib > rootGib)) {
    throw tooSmall('root disk', { image: image.id, imageBytes, minDiskGib: image.minDiskGib, givenGib: rootGib });
  }
  return { source: image.path, format: image.diskFormat === 'qcow2' ? 'qcow2' : 'raw', imageBytes, wantedBytes };
}

async function named(images: ImageService, id: string | null): Promise<Image | null> {
  if (id === null) return null;
  const image = await images.image(id);
  if (image === null) throw new NovellaError('image-not-found', 'there is no such image on this host', { image: id });
  return image;
}

async function virtualSize(image: Image | null): Promise<Bytes> {
  if (image === null || image.path === null) return bytes(0);
  return image.diskFormat === 'qcow2' ? (await readQcow2Header(image.path)).virtualSize : image.size;
}

const tooSmall = (what: string, facts: Record<string, string | number>): NovellaError =>
  new NovellaError('flavor-too-small', `the flavor's ${what} is too small for the image`, facts);
