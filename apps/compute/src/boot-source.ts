import type { BuildInstance, ImageSource, ImageSources } from '@novella/contracts';
import { type Bytes, bytes, gib, gibToBytes, NovellaError, type ServerId } from '@novella/core';
import { type ImageDirectory, type LocalImage, readQcow2Header } from '@novella/image';
import type { GuestSpec } from '@novella/virt';
import type { Fetchable, HeldImage, ImageCache } from './images/image-cache.js';
import type { BootFiles, InstanceFiles, RootDisk } from './instance-files.js';

export interface BootSource {
  readonly kernel: GuestSpec['kernel'];
  /** null: the guest boots from a volume or by its kernel alone. */
  readonly rootDisk: RootDisk | null;
}

/** An image that is on this host. */
export type HostImage = Pick<LocalImage, 'id' | 'diskFormat' | 'path' | 'size' | 'minDiskGib' | 'minMemoryMib'> & {
  readonly properties: Pick<LocalImage['properties'], 'commandLine'>;
};

/** The images a build names, as they are now. */
export interface BootImages {
  readonly image: HostImage | null;
  readonly kernel: HostImage | null;
  readonly ramdisk: HostImage | null;
  /** What the image's disk shows a guest; 0 without a disk, and when the guest has it already. */
  readonly imageBytes: Bytes;
}

/** As Nova's libvirt driver boots a kernel whose image says nothing else. */
const DEFAULT_COMMAND_LINE = 'console=tty0 console=ttyS0';

/** From the host's own directory. Errors: image-not-found, image-refused. */
export async function readBootImages(
  images: Pick<ImageDirectory, 'image'>,
  imageRef: string | null,
): Promise<BootImages> {
  const image = await named(images, imageRef);
  const kernel = await named(images, image?.properties.kernelId ?? null);
  const ramdisk = await named(images, image?.properties.ramdiskId ?? null);
  return { image, kernel, ramdisk, imageBytes: await virtualSize(image) };
}

export interface FetchedImages {
  readonly images: BootImages;
  /** From here on the cache may let go of them. */
  release(): void;
}

/**
 * Fetches what is not here yet; what the guest has already is not asked for again. Errors: image-refused, and those of the
 * cache.
 */
export async function fetchBootImages(
  { cache, files }: { readonly cache: Pick<ImageCache, 'hold'>; readonly files: InstanceFiles },
  server: ServerId,
  sources: ImageSources,
  signal: AbortSignal,
): Promise<FetchedImages> {
  const own = await files.bootFiles(server);
  const held: HeldImage[] = [];
  const release = (): void => held.forEach((image) => image.release());
  const pathOf = async (source: ImageSource, name: keyof BootFiles): Promise<string | null> => {
    if (own[name] !== null || !isFetchable(source)) return own[name];
    const image = await cache.hold(source, signal);
    held.push(image);
    return image.path;
  };
  const fetched = async (source: ImageSource | null, name: keyof BootFiles): Promise<HostImage | null> => {
    if (source === null) return null;
    const { commandLine, ...facts } = source;
    return { ...facts, path: await pathOf(source, name), properties: { commandLine } };
  };
  try {
    const image = await fetched(sources.image, 'disk');
    const kernel = await fetched(sources.kernel, 'kernel');
    const ramdisk = await fetched(sources.ramdisk, 'ramdisk');
    const imageBytes = own.disk === null ? await virtualSize(image) : bytes(0);
    return { images: { image, kernel, ramdisk, imageBytes }, release };
  } catch (error) {
    release();
    throw error;
  }
}

const isFetchable = (source: ImageSource): source is Fetchable => source.url !== null;

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

function kernelOf(image: HostImage, kernel: HostImage | null, ramdisk: HostImage | null): GuestSpec['kernel'] {
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
  image: HostImage,
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

async function named(images: Pick<ImageDirectory, 'image'>, id: string | null): Promise<LocalImage | null> {
  if (id === null) return null;
  const image = await images.image(id);
  if (image === null) throw new NovellaError('image-not-found', 'there is no such image on this host', { image: id });
  return image;
}

async function virtualSize(image: HostImage | null): Promise<Bytes> {
  if (image === null || image.path === null) return bytes(0);
  return image.diskFormat === 'qcow2' ? (await readQcow2Header(image.path)).virtualSize : image.size;
}

const tooSmall = (what: string, facts: Record<string, string | number>): NovellaError =>
  new NovellaError('flavor-too-small', `the flavor's ${what} is too small for the image`, facts);
