import type { Connectors } from '@novella/brick';
import type { Log } from '@novella/core';
import type { ImageService } from '@novella/image';
import type { VirtDriver } from '@novella/virt';
import type { InstanceFiles } from './instance-files.js';
import type { Journal } from './journal.js';

/** What the flows act on: this host, and nothing else. */
export interface HostIo {
  readonly virt: VirtDriver;
  readonly connectors: Connectors;
  readonly images: ImageService;
  readonly files: InstanceFiles;
  readonly journal: Journal;
  readonly log: Log;
}

/**
 * Runs one effect of a command after checking that no newer command has come meanwhile. Error: command-stale, and
 * nothing was done.
 */
export type Step = <T>(effect: () => Promise<T>) => Promise<T>;
