import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

const BUILD = join('deploy', 'guest', 'build.mjs');
/** The first build downloads two packages (28 MB). */
const BUILD_LIMIT_MS = 600_000;

const guest = z.object({
  /** An image directory as libs/image reads it. */
  imagesDir: z.string(),
  /** Boots the guest, with its disks on virtio-blk. */
  imageId: z.uuid(),
  /** The same, with its disks on virtio-scsi. */
  scsiImageId: z.uuid(),
  kernelPath: z.string(),
  initrdPath: z.string(),
});
export type GuestImages = z.output<typeof guest>;

/** The guest that says on its console what disks it sees; made by deploy/guest/build.mjs when it is not there yet. */
export async function guestImages(): Promise<GuestImages> {
  const script = join(checkout(import.meta.dirname), BUILD);
  const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: BUILD_LIMIT_MS });
  return guest.parse(JSON.parse(stdout));
}

/** The folder above `from` that holds the build script: this file also runs from where it was compiled to. */
function checkout(from: string): string {
  if (existsSync(join(from, BUILD))) return from;
  if (dirname(from) === from) throw new Error(`${BUILD} is in no folder above ${import.meta.dirname}`);
  return checkout(dirname(from));
}
