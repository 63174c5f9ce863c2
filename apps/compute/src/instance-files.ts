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

/** What a guest boots from, by the name of its file; null: it is not there. */
export interface BootFiles {
  readonly disk: string | null;
  readonly kernel: string | null;
  readonly ramdisk: string | null;
}

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

  /** Those that are there are whole, and the guest's own by now. */
  async bootFiles(server: ServerId): Promise<BootFiles> {
    const there = async (name: keyof BootFiles): Promise<string | null> => {
      const path = join(this.folder(server), name);
      return (await exists(path)) ? path : null;
    };
    const [disk, kernel, ramdisk] = await Promise.all([there('disk'), there('kernel'), there('ramdisk')]);
    return { disk, kernel, ramdisk };
  }

  /** The guest's own copy of a kernel or ramdisk: it starts from it again when the image is long gone. */
  async ensureBootFile(server: ServerId, name: 'kernel' | 'ramdisk', source: string): Promise<string> {
    return this.#ensure(join(this.folder(server), name), (partial) => this.#copy(source, partial));
  }

  /**
   * The root disk, copied without its holes and grown; under its name only when it is whole and on disk. One that is
   * there already is left as it is: a guest may have written to it.
   */
  async ensureRootDisk(server: ServerId, disk: RootDisk): Promise<string> {
    return this.#ensure(join(this.folder(server), 'disk'), async (partial) => {
      await this.#copy(disk.source, partial);
      if (disk.format === 'raw') await growFile(partial, disk.wantedBytes);
      else if (disk.wantedBytes > disk.imageBytes) {
        const size = String(disk.wantedBytes);
        await this.#run(['qemu-img', 'resize', '-q', '-f', 'qcow2', '--', partial, size], RESIZE_TIMEOUT);
      }
    });
  }

  /** Removes everything of the instance; nothing there is no error. */
  async remove(server: ServerId): Promise<void> {
    await rm(this.folder(server), { recursive: true, force: true });
  }

  async #ensure(path: string, make: (partial: string) => Promise<void>): Promise<string> {
    if (await exists(path)) return path;
    const partial = `${path}.partial`;
    await rm(partial, { force: true });
    await make(partial);
    await syncFile(partial);
    await rename(partial, path);
    return path;
  }

  #copy(source: string, to: string): Promise<void> {
    return this.#run(['cp', '--sparse=always', '--reflink=auto', '--', source, to], COPY_TIMEOUT);
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
