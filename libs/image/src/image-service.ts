import type { Bytes } from '@novella/core';

/** Where images come from: a directory of them now, Glance later. */
export interface ImageService {
  /** The image, or null when there is none of that id. Error: image-refused when its description is wrong. */
  image(id: string): Promise<Image | null>;
}

export interface Image {
  readonly id: string;
  readonly name: string;
  /** Given by whoever put the image there; never probed. `ami` boots by kernel and ramdisk and may have no disk. */
  readonly diskFormat: 'raw' | 'qcow2' | 'ami' | 'aki' | 'ari';
  /** The file, resolved and inside the directory; null for an `ami` without a disk. */
  readonly path: string | null;
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
}
