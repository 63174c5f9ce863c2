import type { Bytes, DiskFormat, ImageHash } from '@novella/core';

/** Where images come from: a directory of them that each host has, or the image service. */
export interface ImageService {
  /**
   * The image, or null when there is none of that id that whoever asks may see. Errors: image-refused when it cannot be
   * booted from here, whatever its flavor; image-not-active.
   */
  image(id: string): Promise<Image | null>;
}

export interface Image {
  readonly id: string;
  readonly name: string;
  /** Given by whoever put the image there; never probed. `ami` boots by kernel and ramdisk and may have no disk. */
  readonly diskFormat: DiskFormat;
  /** Of its data; 0 for an `ami` without a disk. */
  readonly size: Bytes;
  readonly minDiskGib: number;
  readonly minMemoryMib: number;
  /** Glance's properties that matter here, by Glance's names. */
  readonly properties: {
    readonly kernelId: string | null;
    readonly ramdiskId: string | null;
    readonly commandLine: string | null;
    readonly diskBus: 'virtio' | 'scsi';
  };
  /** null: hosts have the image themselves. Else it must be brought to them, and `hash` (if there is one) is of its data. */
  readonly remote: { readonly hash: ImageHash | null } | null;
}

/** One that the host has. */
export interface LocalImage extends Image {
  /** The file, resolved and inside the directory; null for an `ami` without a disk. */
  readonly path: string | null;
  readonly remote: null;
}
