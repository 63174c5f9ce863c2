import { type Log, NovellaError } from '@novella/core';
import { createGlanceClient } from '@novella/glance';
import { ImageDirectory } from '@novella/image';
import type { Keystone } from '@novella/keystone';
import { glanceImageApi } from './glance-image-api.js';
import type { ImageApi } from './image-api.js';

export interface ImageSettings {
  readonly glanceEndpoint?: string;
  readonly imagesDir?: string;
}

export interface OpenImages {
  readonly images: ImageApi;
  close(): Promise<void>;
}

const IMAGES_DIR = '/var/lib/novella/images';

/**
 * Where images come from, the first that there is: the Glance that is set, the directory that is set, the Glance of the
 * catalog, the usual directory. Glance is asked in users' names, so it needs no name of its own.
 */
export function openImages(
  { glanceEndpoint, imagesDir }: ImageSettings,
  keystone: Pick<Keystone, 'endpoint'> | null,
  log: Log,
): OpenImages {
  const directory = new ImageDirectory(imagesDir ?? IMAGES_DIR);
  const inCatalog = keystone === null || imagesDir !== undefined ? null : () => keystone.endpoint('image');
  const endpoint = glanceEndpoint ?? inCatalog;
  if (endpoint === null) return { images: directory, close: () => Promise.resolve() };
  const client = createGlanceClient({ endpoint, auth: () => Promise.resolve({}), log });
  const glance = glanceImageApi(client);
  const images: ImageApi =
    typeof endpoint === 'string'
      ? glance
      : { image: async (id, user) => ((await isThere(endpoint)) ? glance : directory).image(id, user) };
  return { images, close: () => client.close() };
}

/** Keystone away is no word that there is none. */
async function isThere(endpoint: () => Promise<string>): Promise<boolean> {
  try {
    await endpoint();
    return true;
  } catch (error) {
    if (error instanceof NovellaError && error.code === 'endpoint-not-found') return false;
    throw error;
  }
}
