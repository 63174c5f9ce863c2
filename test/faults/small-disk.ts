import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, open, rm, rmdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MIB = 2 ** 20;
/** Reads from us until we are gone, however we went, and then unmounts. */
const GUARD = 'cat > /dev/null; umount -l "$0"; rmdir "$0"';

/** A file system of a few MiB of a test's own, in memory, that can be filled up. Needs root. */
export class SmallDisk {
  private constructor(
    readonly path: string,
    private readonly guard: ChildProcess,
  ) {}

  static async mount(mebibytes: number): Promise<SmallDisk> {
    const path = await mkdtemp(join(tmpdir(), 'novella-small-disk-'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0755`, 'tmpfs', path]);
    await chmod(path, 0o755);
    const guard = spawn('sh', ['-c', GUARD, path], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    guard.stdin.on('error', () => undefined);
    return new SmallDisk(path, guard);
  }

  /** No byte is left. */
  async fill(): Promise<void> {
    const file = await open(this.filler, 'a');
    const chunk = Buffer.alloc(MIB / 4);
    try {
      // A write takes what there is room for; the next one then finds none.
      for (;;) await file.write(chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      await file.close();
    }
  }

  /** There is room again. */
  async free(): Promise<void> {
    await rm(this.filler, { force: true });
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  /** Also while somebody still has a file open there. */
  async unmount(): Promise<void> {
    const ended = new Promise((resolve) => this.guard.once('exit', resolve));
    this.guard.stdin?.end();
    await ended;
    await rmdir(this.path).catch(() => undefined);
  }

  private get filler(): string {
    return join(this.path, 'filler');
  }
}
