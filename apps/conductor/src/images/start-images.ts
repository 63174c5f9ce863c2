import { randomBytes } from 'node:crypto';
import type { Clock, Log } from '@novella/core';
import { createGlanceClient, type GlanceAuth, type GlanceOptions } from '@novella/glance';
import { DEADLINES } from '../operations/retry.js';
import { ImageLinks } from './image-links.js';
import { startImageServer } from './image-server.js';

export interface ImagesOptions {
  readonly glanceEndpoint: GlanceOptions['endpoint'];
  /** The service's credentials. */
  readonly auth: GlanceAuth;
  readonly listen: string;
  readonly port: number;
  /** How hosts reach `listen` and `port`; made of them unless given. */
  readonly url?: string;
  /** Shared by all conductors behind one URL; a new one for each process unless given. */
  readonly key?: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Images {
  readonly links: ImageLinks;
  close(): Promise<void>;
}

const KEY_BYTES = 32;

/** The image service's images for hosts: a server, and the links to it that commands carry. */
export async function startImages(options: ImagesOptions): Promise<Images> {
  const { glanceEndpoint: endpoint, auth, listen, port, clock, log } = options;
  const glance = createGlanceClient({ endpoint, auth, log });
  const key = options.key === undefined ? randomBytes(KEY_BYTES) : Buffer.from(options.key);
  const linksTo = (url: string): ImageLinks =>
    new ImageLinks({ url: url.replace(/\/+$/, ''), key, lifetime: DEADLINES.build_instance, clock });
  // Who reads links needs no URL, and with port 0 there is none yet.
  const server = await startImageServer({ glance, links: linksTo(''), log }, { listen, port }).catch(
    async (error: unknown) => {
      await glance.close();
      throw error;
    },
  );
  const url = options.url ?? `http://${listen.includes(':') ? `[${listen}]` : listen}:${server.port}`;
  log.info('images are served to hosts', { url });
  return {
    links: linksTo(url),
    async close() {
      await server.close();
      await glance.close();
    },
  };
}
