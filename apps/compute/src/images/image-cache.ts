import { createHash } from 'node:crypto';
import type { ImageSource } from '@novella/contracts';
import { type Bytes, type Clock, type Log, minutes, type Millis, NovellaError } from '@novella/core';
import { unlessAborted } from '../unless-aborted.js';
import type { CacheFiles } from './cache-files.js';

/** An image whose data can be fetched. */
export type Fetchable = ImageSource & { readonly url: string };

/** Opens what an image's URL leads to. Errors: those of libs/glance, image-not-found, image-download-failed. */
export type OpenImage = (source: Fetchable, signal: AbortSignal) => Promise<AsyncIterable<Buffer>>;

export interface ImageCacheLimits {
  /** What the images may take of the disk; those in use may take more. */
  readonly most: Bytes;
  /** An image that nobody has used for so long goes. */
  readonly keepUnused: Millis;
}

export interface ImageCacheIo {
  readonly files: CacheFiles;
  readonly open: OpenImage;
  readonly limits: ImageCacheLimits;
  readonly clock: Clock;
  readonly log: Log;
}

export interface HeldImage {
  readonly path: string;
  /** From here on it may be removed from the cache. */
  release(): void;
}

/** Less than a build may take: it then says what it has waited for. */
const PATIENCE = minutes(9);
const TRIM_EVERY = minutes(10);

/**
 * Images that were fetched to this host. One that is asked for by several builds at once is fetched once; it is in the
 * cache only when it has the size and hash that the image service says of it. A download outlasts those who wait for it,
 * so that what is too large for one try of a build is there for the next.
 */
export class ImageCache {
  readonly #providing = new Map<string, Promise<string>>();
  readonly #removing = new Map<string, Promise<void>>();
  readonly #holders = new Map<string, number>();
  readonly #stop = new AbortController();
  #trimming: Promise<void> = Promise.resolve();

  constructor(private readonly io: ImageCacheIo) {}

  start(): void {
    this.#trimming = this.#loop();
  }

  /** Ends downloads, and leaves nothing of them behind. */
  async stop(): Promise<void> {
    this.#stop.abort(new NovellaError('image-download-failed', 'the compute is stopping'));
    await this.#trimming;
    await Promise.allSettled(this.#providing.values());
  }

  /**
   * The image's file, which stays until it is released. Rejects with the signal's reason when that is aborted first.
   * Errors: image-data-wrong, host-disk-full, and those of `open`.
   */
  async hold(source: Fetchable, signal: AbortSignal): Promise<HeldImage> {
    const name = nameOf(source);
    this.#holders.set(name, (this.#holders.get(name) ?? 0) + 1);
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      const left = (this.#holders.get(name) ?? 1) - 1;
      if (left > 0) this.#holders.set(name, left);
      else this.#holders.delete(name);
    };
    try {
      return { path: await this.#patiently(source, this.#provided(name, source), signal), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Removes what is old, and the least used of what is too much when `room` is to be added. Never what is held. */
  async trim(room = 0): Promise<void> {
    const { files, clock, limits, log } = this.io;
    const oldest = clock.wallTime().getTime() - limits.keepUnused;
    const all = await files.list();
    let taken = all.reduce((sum, file) => sum + file.taken, room);
    for (const file of all.toSorted((a, b) => a.usedAt.getTime() - b.usedAt.getTime())) {
      if (file.usedAt.getTime() >= oldest && taken <= limits.most) return;
      if (this.#holders.has(file.name)) continue;
      // In one turn: who comes from here on waits until it is gone.
      const removal = files.remove(file.name).finally(() => this.#removing.delete(file.name));
      this.#removing.set(file.name, removal);
      await removal;
      taken -= file.taken;
      log.info('an image was removed from the cache', { image: file.name, bytes: file.taken });
    }
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.trim().catch((error: unknown) => this.io.log.warn('the image cache cannot be trimmed', { error }));
      await this.io.clock.sleep(TRIM_EVERY, this.#stop.signal).catch(() => undefined);
    }
  }

  #provided(name: string, source: Fetchable): Promise<string> {
    const underWay = this.#providing.get(name);
    if (underWay !== undefined) return underWay;
    const providing = this.#provide(name, source).finally(() => this.#providing.delete(name));
    // Those who wait hear of its end; it may be that nobody does any more.
    providing.catch(() => undefined);
    this.#providing.set(name, providing);
    return providing;
  }

  async #provide(name: string, source: Fetchable): Promise<string> {
    const { files, clock, log } = this.io;
    await this.#removing.get(name);
    const found = await files.find(name, source.size, clock.wallTime());
    if (found !== null) return found;
    await this.trim(source.size);
    const begun = clock.monotonic();
    try {
      await files.begin(name);
      await this.#receive(name, source);
      const path = await files.keep(name, source.size, clock.wallTime());
      const tookMs = Math.round(clock.monotonic() - begun);
      log.info('an image was fetched', { image: source.id, bytes: source.size, tookMs });
      return path;
    } catch (error) {
      await files.discard(name).catch((left: unknown) => {
        log.error('a part of an image stays in the cache until the next start', { image: source.id, error: left });
      });
      throw error;
    }
  }

  async #receive(name: string, source: Fetchable): Promise<void> {
    const hash = source.hash === null ? null : createHash(source.hash.algorithm);
    let position = 0;
    for await (const chunk of await this.io.open(source, this.#stop.signal)) {
      if (position + chunk.length > source.size) throw wrongData(source, 'it is longer than the image service says');
      hash?.update(chunk);
      if (!isZero(chunk)) await this.io.files.write(name, chunk, position);
      position += chunk.length;
    }
    if (position < source.size) throw wrongData(source, 'it is shorter than the image service says');
    if (hash !== null && hash.digest('hex') !== source.hash?.value) throw wrongData(source, 'its hash is another');
  }

  async #patiently(source: Fetchable, provided: Promise<string>, signal: AbortSignal): Promise<string> {
    const over = new AbortController();
    const tooLong = this.io.clock.sleep(PATIENCE, over.signal).then(() => {
      const facts = { image: source.id, waitedMs: PATIENCE };
      throw new NovellaError('image-download-failed', 'the image is still on its way to the host', facts);
    });
    tooLong.catch(() => undefined);
    try {
      return await unlessAborted(Promise.race([provided, tooLong]), signal);
    } finally {
      over.abort();
    }
  }
}

/** Says all that is known of the data: another image, or other data under the same id, is another file. */
function nameOf({ id, hash, size }: Fetchable): string {
  return hash === null ? `${id}.${size}-bytes` : `${id}.${hash.algorithm}-${hash.value}`;
}

const ZEROS = Buffer.alloc(64 * 1024);
/** Holes of an image take no space here either. */
const isZero = (chunk: Buffer): boolean =>
  chunk.length <= ZEROS.length && chunk.equals(ZEROS.subarray(0, chunk.length));

const wrongData = ({ id, size }: Fetchable, why: string): NovellaError =>
  new NovellaError('image-data-wrong', `the image's data is not the image: ${why}`, { image: id, size });
