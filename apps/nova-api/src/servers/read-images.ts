import type { BootImage, BootImages } from '@novella/core';
import { NovellaError } from '@novella/core';
import type { Image } from '@novella/image';
import { ApiFault } from '../http/fault.js';
import type { ImageApi, ImageUser } from '../image-api.js';

/** The images that a server would boot from, as its owner may see them; `image` null: there is none. */
export interface RequestedImages {
  readonly image: Image | null;
  readonly kernel: Image | null;
  readonly ramdisk: Image | null;
}

export const NO_IMAGES: RequestedImages = { image: null, kernel: null, ramdisk: null };

/**
 * Reads the image, and the kernel and ramdisk that it names, in the user's name: what hosts later fetch with the
 * service's credentials must be what the user may have. Mirrors nova:nova/compute/api.py _handle_kernel_and_ramdisk.
 */
export async function readImages(images: ImageApi, imageRef: string, user: ImageUser): Promise<RequestedImages> {
  const read = (id: string): Promise<Image | null> => images.image(id, user).catch(notAuthorized(id));
  const image = await read(imageRef);
  // Hosts that have the image themselves have its kernel too, and look for it when they need it.
  if (image === null || image.remote === null) return { ...NO_IMAGES, image };
  const part = async (id: string | null): Promise<Image | null> => {
    if (id === null) return null;
    return (await read(id)) ?? imageNotFound(id);
  };
  const { kernelId, ramdiskId } = image.properties;
  const [kernel, ramdisk] = await Promise.all([part(kernelId), part(ramdiskId)]);
  return { image, kernel, ramdisk };
}

export function imageNotFound(id: string): never {
  throw new ApiFault(400, `Image ${id} could not be found.`);
}

/** What is kept of them with the server; null when hosts have them themselves. */
export function bootImagesOf({ image, kernel, ramdisk }: RequestedImages): BootImages | null {
  if (image === null || image.remote === null) return null;
  return {
    image: bootImage(image),
    kernel: kernel === null ? null : bootImage(kernel),
    ramdisk: ramdisk === null ? null : bootImage(ramdisk),
  };
}

const bootImage = ({ id, diskFormat, size, remote, minDiskGib, minMemoryMib, properties }: Image): BootImage => ({
  id,
  diskFormat,
  size,
  hash: remote?.hash ?? null,
  minDiskGib,
  minMemoryMib,
  commandLine: properties.commandLine,
});

const notAuthorized =
  (id: string) =>
  (error: unknown): never => {
    if (!(error instanceof NovellaError) || error.code !== 'image-service-unauthorized') throw error;
    throw new ApiFault(400, `Not authorized for image ${id}.`, { cause: error });
  };
