import type { GlanceClient } from '@novella/glance';
import type { ImageApi } from './image-api.js';

/** Glance's client as nova-api needs it: each call in the name of the user who asked. */
export const glanceImageApi = (client: GlanceClient): ImageApi => ({
  image: (id, { token, requestId, globalRequestId }) =>
    client.as({ 'X-Auth-Token': token, 'X-OpenStack-Request-ID': globalRequestId ?? requestId }).image(id),
});
