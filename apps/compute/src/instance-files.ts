import { constants } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { growFile, type ProcessRunner } from '@novella/brick';
import { type Bytes, minutes, NovellaError, type ServerId } from '@novella/core';

export interface RootDisk {
  /** The image's file, checked before. */
  readonly source: string;
  readonly format: 'raw' | 'qcow2';
  /** What the image's disk has, and what the guest shall see: at least as much. */
  readonly imageBytes: Bytes;
  readonly wantedBytes: Bytes;
}

export const CONSOLE_FILE = 'console.log';

/** Copying an image ends before a build's deadline of 600 s. */
const COPY_TIMEOUT = minutes(8);
const RESIZE_TIMEOUT = minutes(1);

/** What an instance has on this host's own disk: `<state directory>/instances/<server>/`. */
export class InstanceFiles {
  constructor(
    private readonly stateDir: string,
    private readonly runner: ProcessRunner,
  ) {}

  /** What holds the folders, each named by its server. */
  get directory(): string {
    return join(this.stateDir, 'instances');
  }

  folder(server: ServerId): string {
    return join(this.directory, server);
  }

  consolePath(server: ServerId): string {
    return join(this.folder(server), CONSOLE_FILE);
  }

  /** Answers whether the folder was made now. */
  async makeFolder(server: ServerId): Promise<'made' | 'was-there'> {
    const made = await mkdir(this.folder(server), { recursive: true });
    return made === undefined ? 'was-there' : 'made';
  }

  /**
   * The root disk, copied without its holes and grown; under its name only when it is whole and on disk. One that is
   * there already is left as it is: a guest may have written to it.
   */
  async ensureRootDisk(server: ServerId, disk: RootDisk): Promise<string> {
    const path = join(this.folder(server), 'disk');
    if (await exists(path)) return path;
    const partial = `${path}.partial`;
    await rm(partial, { force: true });
    await this.#run(['cp', '--sparse=always', '--reflink=auto', '--', disk.source, partial], COPY_TIMEOUT);
    if (disk.format === 'raw') await growFile(partial, disk.wantedBytes);
    else if (disk.wantedBytes > disk.imageBytes) {
      const size = String(disk.wantedBytes);
      await this.#run(['qemu-img', 'resize', '-q', '-f', 'qcow2', '--', partial, size], RESIZE_TIMEOUT);
    }
    await syncFile(partial);
    await rename(partial, path);
    return path;
  }

  /** Removes everything of the instance; nothing there is no error. */
  async remove(server: ServerId): Promise<void> {
    await rm(this.folder(server), { recursive: true, force: true });
  }

  async #run(argv: readonly [string, ...string[]], timeout: typeof COPY_TIMEOUT): Promise<void> {
    const { code, stderr } = await this.runner.run(argv, { timeout });
    if (code === 0) return;
    throw new NovellaError('internal', `${argv[0]} failed`, { program: argv[0], code, stderr: stderr.slice(0, 500) });
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, constants.O_RDWR);
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
