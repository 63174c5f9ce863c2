import type { CinderClient } from '@novella/cinder';
import type { VolumeApi, VolumeUser } from './volume-api.js';

/** Cinder's client as nova-api needs it: each call in the name of the user who asked. */
export function cinderVolumeApi(client: CinderClient): VolumeApi {
  const as = ({ token, projectId, requestId, globalRequestId }: VolumeUser): CinderClient =>
    client.as({ 'X-Auth-Token': token, 'X-OpenStack-Request-ID': globalRequestId ?? requestId }, projectId);
  return {
    volume: (id, user) => as(user).getVolume(id),
    createAttachment: async (volume, server, user) => (await as(user).createAttachment(volume, server)).id,
    deleteAttachment: (id, user) => as(user).deleteAttachment(id),
  };
}
