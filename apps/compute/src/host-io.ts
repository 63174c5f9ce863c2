import type { Connectors, VolumeSecret } from '@novella/brick';
import type { Log, Millis } from '@novella/core';
import type { ImageDirectory } from '@novella/image';
import type { VirtDriver } from '@novella/virt';
import type { ImageCache } from './images/image-cache.js';
import type { InstanceFiles } from './instance-files.js';
import type { Journal } from './journal.js';

/** What the flows act on: this host, and nothing else. */
export interface HostIo {
  readonly virt: VirtDriver;
  readonly connectors: Connectors;
  readonly hostKey: SecretReader;
  /** Images that the host has by itself. */
  readonly images: Pick<ImageDirectory, 'image'>;
  /** Images that are fetched from conductors. */
  readonly imageCache: Pick<ImageCache, 'hold'>;
  readonly files: InstanceFiles;
  readonly journal: Journal;
  /** How long a guest that is asked to shut down may take before it loses its power. */
  readonly shutdownGrace: Millis;
  readonly log: Log;
}

/** What this host alone can read. libs/sealing has it. */
export interface SecretReader {
  /** Error: secret-unreadable. */
  unseal(sealed: string, boundTo: string): VolumeSecret;
}

/**
 * Runs one effect of a command after checking that no newer command has come meanwhile. Error: command-stale, and
 * nothing was done.
 */
export type Step = <T>(effect: () => Promise<T>) => Promise<T>;
