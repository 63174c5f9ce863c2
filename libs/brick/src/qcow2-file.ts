import { type Bytes, bytes, NovellaError, seconds } from '@novella/core';
import { readQcow2Header } from '@novella/image';
import type { ProcessRunner } from './process-runner.js';

/** Growing a qcow2 file without preallocation writes a table and its header. */
const RESIZE_TIMEOUT = seconds(30);
const SECTOR = 512;

/** The virtual size of a qcow2 volume. Error: image-refused when its header is not what a volume's may be. */
export async function qcow2Size(path: string): Promise<Bytes> {
  return (await readQcow2Header(path)).virtualSize;
}

/**
 * Makes a qcow2 file that nobody has open at least `wanted` large. That nobody has is for QEMU's own image lock to say:
 * `qemu-img` takes it, and never makes an image smaller unless it is told to shrink it. Answers the size read back.
 * Errors: guest-busy, disk-cannot-grow, image-refused.
 */
export async function growQcow2(runner: ProcessRunner, path: string, wanted: Bytes): Promise<Bytes> {
  const { virtualSize: before, version, snapshots } = await readQcow2Header(path);
  if (before >= wanted) return before;
  const facts = { path, wanted, measured: before };
  if (version === 2 && snapshots > 0) {
    throw new NovellaError('disk-cannot-grow', 'a qcow2 file of version 2 with snapshots cannot grow', facts);
  }
  const size = bytes(Math.ceil(wanted / SECTOR) * SECTOR);
  const argv = ['qemu-img', 'resize', '-q', '-f', 'qcow2', '--', path, String(size)] as const;
  const { code, stderr } = await runner.run(argv, { timeout: RESIZE_TIMEOUT });
  const measured = await qcow2Size(path);
  if (measured >= wanted) return measured;
  const cause = new Error(`qemu-img resize ended with ${code}: ${stderr.slice(0, 500)}`);
  if (/Failed to get .*lock/.test(stderr)) {
    throw new NovellaError('guest-busy', 'another process has the volume open', facts, { cause });
  }
  throw new NovellaError('disk-cannot-grow', 'the qcow2 file of the volume did not grow', facts, { cause });
}
