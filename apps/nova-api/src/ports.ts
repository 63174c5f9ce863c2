import type { Log, Random } from '@novella/core';
import type { ImageService } from '@novella/image';
import type { ApiStore, HostStore } from '@novella/persistence';
import type { NovaApiConfig } from './nova-api.config.js';
import type { VolumeApi } from './volume-api.js';

/** What nova-api is composed from. */
export interface NovaApiPorts {
  readonly config: NovaApiConfig;
  readonly store: NovaApiStore;
  readonly cinder: VolumeApi;
  readonly images: ImageService;
  /** Tells a conductor that there is something to claim; may be lost, never waits. */
  readonly hint: () => void;
  readonly log: Log;
  readonly random: Random;
}
export type NovaApiStore = ApiStore & Pick<HostStore, 'services'>;

/** Under this token Nest injects the ports; a constructor's type says which of them it uses. */
export const PORTS = Symbol('nova-api ports');
