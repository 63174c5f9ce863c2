import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestImages, PrivateGlance } from '@novella/testing';
import { writeBootDisk } from '../../../libs/virt/src/conformance/boot-disk.js';
import type { Identity } from './identity.js';

/** What the stories' servers are made with. */
export const FLAVOR = { id: 'guest', ram: 128, vcpus: 1, disk: 1 };

/** Ids of images that everybody may use. Guests that say what disks they have: on virtio-blk, on virtio-scsi. */
export interface Images {
  readonly virtio: string;
  readonly scsi: string;
  /** On virtio-blk; it also writes to its disks and compares. */
  readonly io: string;
  /** A raw disk that boots by itself, which only PCs can be given so. */
  readonly disk: string | null;
}

/** What an operator makes for users once the services run, by their APIs. */
export async function createFlavor(computeUrl: string, identity: Identity): Promise<void> {
  const answer = await fetch(`${computeUrl}/flavors`, {
    method: 'POST',
    headers: { 'X-Auth-Token': await tokenOf(identity), 'Content-Type': 'application/json' },
    body: JSON.stringify({ flavor: { name: FLAVOR.id, ...FLAVOR } }),
  });
  if (!answer.ok) throw new Error(`the flavor was not made: ${answer.status} ${await answer.text()}`);
}

export async function uploadImages(
  glance: PrivateGlance,
  guest: GuestImages,
  identity: Identity,
  folder: string,
): Promise<Images> {
  const token = await tokenOf(identity);
  const upload = async (name: string, format: string, data: Uint8Array, more: Record<string, string> = {}) => {
    const described = { name, disk_format: format, container_format: format, visibility: 'public', ...more };
    return glance.upload(token, described, data);
  };
  const [kernel, ramdisk] = await Promise.all([
    upload('guest-kernel', 'aki', await readFile(guest.kernelPath)),
    upload('guest-ramdisk', 'ari', await readFile(guest.initrdPath)),
  ]);
  const words = await commandLine(guest);
  const bootable = (name: string, bus: string, line: string) =>
    upload(name, 'ami', NOTHING, {
      ...{ kernel_id: kernel, ramdisk_id: ramdisk },
      ...{ hw_disk_bus: bus, os_command_line: line },
    });
  const disk = join(folder, 'bootable.raw');
  const hasBootDisk = process.arch === 'x64';
  if (hasBootDisk) await writeBootDisk(disk, 'volume');
  const [virtio, scsi, io, bootDisk] = await Promise.all([
    bootable('guest', 'virtio', words),
    bootable('guest-scsi', 'scsi', words),
    bootable('guest-io', 'virtio', `${words} novella.io`),
    hasBootDisk ? upload('guest-disk', 'raw', await readFile(disk), { container_format: 'bare' }) : null,
  ]);
  return { virtio, scsi, io, disk: bootDisk };
}

/** Of an image that is only a kernel and a ramdisk: Glance wants some data all the same. */
const NOTHING = new Uint8Array(512);

async function commandLine({ imagesDir, imageId }: GuestImages): Promise<string> {
  const described = JSON.parse(await readFile(join(imagesDir, `${imageId}.json`), 'utf8')) as Described;
  return described.properties.os_command_line;
}

interface Described {
  readonly properties: { readonly os_command_line: string };
}

const tokenOf = ({ keystone, admin: { user, project } }: Identity): Promise<string> =>
  keystone.token(user, { project });
