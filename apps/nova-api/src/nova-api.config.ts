import type { Millis } from '@novella/core';
import type { LinkConfig } from './http/links.js';
import type { HttpSettings } from './http-settings.js';

export interface NovaApiConfig extends LinkConfig {
  /** The largest page; Nova's [api] max_limit. */
  readonly maxLimit: number;
  /** What a client may send and how long it may take; the defaults unless given. */
  readonly http?: HttpSettings;
  /** Answer `adminPass` on create, as Nova's [api] enable_instance_password. */
  readonly enableInstancePassword: boolean;
  /** How long an accepted attachment may wait for Cinder's answer before the engine undoes it. */
  readonly confirmWithin: Millis;
}
