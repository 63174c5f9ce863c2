import type { CinderAuth, CinderClient } from '@novella/cinder';
import type { Keystone } from '@novella/keystone';
import { ApiFault } from './http/fault.js';
import type { VolumeApi, VolumeUser } from './volume-api.js';

/** Our own tokens, as X-Service-Token wants them. */
type OwnTokens = Pick<Keystone, 'ownToken' | 'renewedToken'>;

/**
 * Cinder's client as nova-api needs it: each call in the name of the user who asked, and of our own that we pass it on,
 * without which Cinder deletes no attachment of a server. `own` is null where there is no Keystone.
 */
export function cinderVolumeApi(client: CinderClient, own: OwnTokens | null): VolumeApi {
  const as = (user: VolumeUser): CinderClient => client.as(authOf(user, own));
  return {
    volume: async (id, user) => as(user).getVolume(id),
    createAttachment: async (volume, server, user) => (await as(user).createAttachment(volume, server)).id,
    deleteAttachment: async (id, user) => as(user).deleteAttachment(id),
  };
}

const SERVICE_TOKEN = 'X-Service-Token';

function authOf({ token, projectId, requestId, globalRequestId }: VolumeUser, own: OwnTokens | null): CinderAuth {
  if (projectId === null) throw new ApiFault(403, 'Volumes can only be used in a project.');
  const headers = { 'X-Auth-Token': token, 'X-OpenStack-Request-ID': globalRequestId ?? requestId };
  const passedOnBy = ({ id }: { readonly id: string }) => ({
    project: projectId,
    headers: { ...headers, [SERVICE_TOKEN]: id },
  });
  if (own === null) {
    return {
      credentials: () => Promise.resolve({ project: projectId, headers }),
      renewed: () => Promise.resolve(null),
    };
  }
  return {
    credentials: async () => passedOnBy(await own.ownToken()),
    // The user's own token cannot be renewed; ours can.
    renewed: async (refused) => passedOnBy(await own.renewedToken(refused.headers[SERVICE_TOKEN] ?? '')),
  };
}
