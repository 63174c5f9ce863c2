import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestImages } from '@novella/testing';
export const IDS = { io: '6f1f6a2e-0a5e-4a52-9d0e-3c1a5b1d00ff', disk: '6f1f6a2e-0a5e-4a52-9d0e-3c1a5b1d00fe' };
export async function interimImages(guest: GuestImages, folder: string): Promise<string> {
  const dir = join(folder, 'images');
  await cp(guest.imagesDir, dir, { recursive: true });
  const d = JSON.parse(await readFile(join(dir, `${guest.imageId}.json`), 'utf8'));
  d.id = IDS.io;
  d.properties.os_command_line += ' novella.io';
  await writeFile(join(dir, `${d.id}.json`), JSON.stringify(d));
  return dir;
}
