import type { Image } from '@novella/image';
import type { VolumeUser } from './volume-api.js';

/**
 * What nova-api asks of images, in the user's name: that decides whether the user may use one. A directory of images
 * shows all to all. Errors: image-refused, image-not-active; image-service-unauthorized, image-service-unreachable,
 * image-service-answer-invalid.
 */
export interface ImageApi {
  /** null when there is none that the user may see. */
  image(id: string, user: ImageUser): Promise<Image | null>;
}

export type ImageUser = Pick<VolumeUser, 'token' | 'requestId' | 'globalRequestId'>;
