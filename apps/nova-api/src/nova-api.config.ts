import type { Millis } from '@novella/core';
import type { LinkConfig } from './http/links.js';

export interface NovaApiConfig extends LinkConfig {
  /** The largest page; Nova's [api] max_limit. */
  readonly maxLimit: number;
  /** Larger bodies get 413; oslo's default is 114688 bytes. */
  readonly maxBodyBytes: number;
  /** Answer `adminPass` on create, as Nova's [api] enable_instance_password. */
  readonly enableInstancePassword: boolean;
  /** How long an accepted attachment may wait for Cinder's answer before the engine undoes it. */
  readonly confirmWithin: Millis;
}
