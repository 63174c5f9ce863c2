import type { RbdCluster, RbdImages, RbdLook } from '@novella/brick';
import { NovellaError } from '@novella/core';

/** A Ceph cluster in memory: images by `pool/image`, in bytes. */
export class RbdImagesInMemory implements RbdImages {
  readonly sizes = new Map<string, number>();
  /** With which key each look was made; null: with none. */
  readonly keys: (string | null)[] = [];

  /** Error: there is no such image. */
  size(path: string): number {
    const size = this.sizes.get(path);
    if (size === undefined) throw new Error(`no image ${path}`);
    return size;
  }

  look({ key }: RbdCluster, { pool, image, atLeast }: RbdLook): ReturnType<RbdImages['look']> {
    this.keys.push(key);
    const path = `${pool}/${image}`;
    const was = this.sizes.get(path);
    if (was === undefined) {
      return Promise.reject(new NovellaError('host-device-missing', 'there is no such image', { path }));
    }
    const size = Math.max(was, atLeast ?? 0);
    this.sizes.set(path, size);
    return Promise.resolve({ size, head: Buffer.alloc(0) });
  }
}
