import { createCinderClient, noAuth } from '@novella/cinder';
import { type Clock, type Log, type ProjectId, seconds } from '@novella/core';
import { createKeystone } from '@novella/keystone';
import { openStackAccess } from '@novella/service-kit';
import { cinderVolumeApi } from './cinder-volume-api.js';
import type { Authenticator } from './http/authenticator.js';
import { keystoneAuthenticator } from './http/keystone-authenticator.js';
import { noauth2 } from './http/noauth2.js';
import type { ImageApi } from './image-api.js';
import type { NovaApiAppConfig } from './nova-api-app.config.js';
import { openImages } from './open-images.js';
import type { VolumeApi } from './volume-api.js';

/** OpenStack's other services, as the settings say. */
export interface OpenStack {
  readonly authenticator: Authenticator;
  readonly cinder: VolumeApi;
  readonly images: ImageApi;
  close(): Promise<void>;
}

/** Cinder is asked in the name of users alone, so its client has no credentials of its own. */
const NOBODY = noAuth('nobody', 'none' as ProjectId);
/** What we are called in the catalog, and in access rules. */
const SERVICE_TYPE = 'compute';

export function openOpenStack(
  config: Readonly<NovaApiAppConfig>,
  io: { readonly clock: Clock; readonly log: Log },
): OpenStack {
  const access = openStackAccess(config);
  if (access.kind === 'noauth2') {
    const client = createCinderClient({ endpoint: access.cinderEndpoint, auth: NOBODY, log: io.log });
    const ofImages = openImages(config, null, io.log);
    return {
      authenticator: noauth2,
      cinder: cinderVolumeApi(client, null),
      images: ofImages.images,
      async close() {
        await Promise.all([client.close(), ofImages.close()]);
      },
    };
  }
  const keystone = createKeystone({ ...access.keystone, ...io });
  const checker = keystone.tokenChecker({
    serviceType: SERVICE_TYPE,
    serviceTokenRoles: config.serviceTokenRoles,
    serviceTokenRolesRequired: config.serviceTokenRolesRequired,
    tokenCacheTime: seconds(config.tokenCacheTimeS),
  });
  const endpoint = access.cinderEndpoint ?? (() => keystone.endpoint('block-storage'));
  const client = createCinderClient({ endpoint, auth: NOBODY, log: io.log });
  const ofImages = openImages(config, keystone, io.log);
  const wwwAuthenticateUri = config.wwwAuthenticateUri ?? access.keystone.authUrl;
  return {
    authenticator: keystoneAuthenticator({ checker, keystone, log: io.log }, wwwAuthenticateUri),
    cinder: cinderVolumeApi(client, keystone),
    images: ofImages.images,
    async close() {
      await Promise.all([client.close(), ofImages.close()]);
      await keystone.close();
    },
  };
}
