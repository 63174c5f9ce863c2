import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guestImages } from '@novella/testing';
import type { ClusterOptions } from './options.js';
import type { StateFolder } from './state-folder.js';

/** For guests in memory: an image that nobody boots, under ids of its own. */
const NOTHING = {
  image: '6f1f6a2e-0a5e-4a52-9d0e-3c1a5b1d0f01',
  kernel: '6f1f6a2e-0a5e-4a52-9d0e-3c1a5b1d0f02',
  ramdisk: '6f1f6a2e-0a5e-4a52-9d0e-3c1a5b1d0f03',
} as const;

/**
 * Puts an image into the cluster's image folder and answers its id: the guest that tells on its console what disks it
 * sees, or for the fake driver one without content. Images that a user has put there stay.
 */
export async function provideImage({ images }: StateFolder, { driver }: ClusterOptions): Promise<string> {
  if (driver === 'libvirt') {
    const guest = await guestImages();
    await cp(guest.imagesDir, images, { recursive: true });
    return guest.imageId;
  }
  await writeFile(join(images, 'nothing'), '');
  await describe(images, { id: NOTHING.kernel, name: 'nothing-kernel', disk_format: 'aki', file: 'nothing' });
  await describe(images, { id: NOTHING.ramdisk, name: 'nothing-ramdisk', disk_format: 'ari', file: 'nothing' });
  const properties = { kernel_id: NOTHING.kernel, ramdisk_id: NOTHING.ramdisk };
  await describe(images, { id: NOTHING.image, name: 'nothing', disk_format: 'ami', properties });
  return NOTHING.image;
}

const describe = (folder: string, image: { readonly id: string } & Readonly<Record<string, unknown>>) =>
  writeFile(join(folder, `${image.id}.json`), `${JSON.stringify(image, null, 2)}\n`);
