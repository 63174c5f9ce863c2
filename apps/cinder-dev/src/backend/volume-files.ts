import { execFile } from 'node:child_process';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gib, gibToBytes } from '@novella/core';
import { type VolumeFormat } from '../state/records.js';
import { type ImageFile } from './image-files.js';
import { qemuImg, virtualSize } from './qemu-img.js';

/**
 * The storage: a sparse raw file per volume, or a qcow2 file. With `useLoop` a host is given a loop device on a raw
 * file, which shows a new size only after it was re-read, as a SAN's device does. Every method may be called again.
 */
export interface VolumeFile {
  readonly id: string;
  readonly format: VolumeFormat;
}

export class VolumeFiles {
  /** Volumes whose loop device this process made. */
  private readonly loops = new Set<string>();

  private constructor(
    private readonly directory: string,
    private readonly useLoop: boolean,
  ) {}

  static async open(dataDir: string, useLoop: boolean): Promise<VolumeFiles> {
    const directory = join(dataDir, 'files');
    await mkdir(directory, { recursive: true });
    return new VolumeFiles(directory, useLoop);
  }

  /** Empty, or with the content of an image. What an earlier call has left is written anew. */
  async create({ id, format }: VolumeFile, sizeGib: number, image: ImageFile | null): Promise<void> {
    const path = this.pathOf(id);
    if (image !== null) {
      await qemuImg('convert', '-f', image.format, '-O', format, image.path, path);
      await this.growFile({ id, format }, sizeGib, 'r+');
    } else if (format === 'qcow2') {
      await qemuImg('create', '-q', '-f', 'qcow2', path, `${sizeGib}G`);
      await sync(path);
    } else {
      await this.growFile({ id, format }, sizeGib, 'a');
    }
  }

  /** Never makes the file smaller: QEMU may have grown it already. A qcow2 file must not be open elsewhere. */
  async grow(volume: VolumeFile, sizeGib: number): Promise<void> {
    await this.growFile(volume, sizeGib, 'r+');
    for (const device of await this.loopsOf(volume.id)) await losetup('--set-capacity', device);
  }

  async remove(volumeId: string): Promise<void> {
    await this.disconnect(volumeId);
    await rm(this.pathOf(volumeId), { force: true });
  }

  /**
   * The path that a host opens. With `wanted`, the device that the host was given before: made again if it is gone,
   * refused if something else has taken its place.
   */
  async connect({ id: volumeId, format }: VolumeFile, wanted?: string): Promise<string> {
    const path = this.pathOf(volumeId);
    await stat(path);
    if (!this.useLoop || format === 'qcow2') return path;
    const [present] = await this.loopsOf(volumeId);
    if (present !== undefined) return present;
    this.loops.add(volumeId);
    if (wanted === undefined) return losetup('--find', '--show', path);
    await losetup(wanted, path);
    return wanted;
  }

  /** Lets the loop device go; a device that a guest still has open goes when it is closed. */
  async disconnect(volumeId: string): Promise<void> {
    for (const device of await this.loopsOf(volumeId)) await losetup('--detach', device);
    this.loops.delete(volumeId);
  }

  async close(): Promise<void> {
    for (const volumeId of this.loops) await this.disconnect(volumeId);
  }

  private async growFile({ id, format }: VolumeFile, sizeGib: number, flags: 'a' | 'r+'): Promise<void> {
    const wanted = gibToBytes(gib(sizeGib));
    const path = this.pathOf(id);
    if (format === 'qcow2') {
      if ((await virtualSize(path, format)) < wanted) await qemuImg('resize', '-q', '-f', format, path, `${wanted}`);
      await sync(path);
      return;
    }
    const file = await open(path, flags, 0o600);
    try {
      if ((await file.stat()).size < wanted) await file.truncate(wanted);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  private async loopsOf(volumeId: string): Promise<string[]> {
    if (!this.useLoop) return [];
    const names = await losetup('--noheadings', '--output', 'NAME', '--associated', this.pathOf(volumeId));
    return names.split('\n').filter((name) => name !== '');
  }

  private pathOf(volumeId: string): string {
    return join(this.directory, `volume-${volumeId}`);
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

const execute = promisify(execFile);
async function losetup(...options: string[]): Promise<string> {
  const { stdout } = await execute('losetup', options, { timeout: 30_000 });
  return stdout.trim();
}
