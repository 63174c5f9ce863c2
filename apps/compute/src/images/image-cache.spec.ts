import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, type ErrorCode, minutes, NovellaError, seconds } from '@novella/core';
import { type VirtualClock, virtualClock, waitUntil } from '@novella/testing';
import { ImagePieces } from '../testing/image-pieces.js';
import { quietLog } from '../testing/test-host.js';
import { CacheFiles } from './cache-files.js';
import { type Fetchable, ImageCache } from './image-cache.js';

const ONE = '11111111-2222-4333-8444-000000000001';
const TWO = '11111111-2222-4333-8444-000000000002';
const NEVER = new AbortController().signal;
const BLOCK = 4096;
const broken = new NovellaError('image-download-failed', 'cut off by the test');

let folder: string;
let clock: VirtualClock;
let pieces: ImagePieces;
let cache: ImageCache;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'novella-image-cache-'));
  clock = virtualClock();
  pieces = new ImagePieces();
  cache = await open();
});
afterEach(async () => {
  await cache.stop();
  await rm(folder, { recursive: true, force: true });
});

async function open(most = 100 * BLOCK, files?: CacheFiles): Promise<ImageCache> {
  const limits = { most: bytes(most), keepUnused: minutes(60) };
  return new ImageCache({
    files: files ?? (await CacheFiles.open(folder)),
    open: pieces.open,
    limits,
    clock,
    log: quietLog,
  });
}
const serve = (...args: Parameters<ImagePieces['serve']>): Fetchable => pieces.serve(...args) as Fetchable;
const kept = () => readdir(folder);
async function codeOf(call: Promise<unknown>): Promise<ErrorCode> {
  const thrown: unknown = await call.then(
    () => new Error('the call did not fail'),
    (error: unknown) => error,
  );
  if (thrown instanceof NovellaError) return thrown.code;
  throw thrown;
}
/** Holds it and lets it go. */
const use = async (image: Fetchable): Promise<string> => {
  const held = await cache.hold(image, NEVER);
  held.release();
  return held.path;
};

describe('an image', () => {
  it('is fetched piece by piece, and is there the next time, also for the next process', async () => {
    const image = serve(ONE, ['the ', 'root ', 'disk']);
    expect(await readFile(await use(image), 'utf8')).toBe('the root disk');
    await use(image);
    cache = await open();
    await use(image);
    expect(pieces.asked).toEqual([ONE]);
    expect(await kept()).toEqual([`${ONE}.sha512-${image.hash?.value ?? ''}`]);
  });

  it('takes no space for its holes, also at its end', async () => {
    const image = serve(ONE, ['begin', Buffer.alloc(65_536), 'end', Buffer.alloc(65_536)]);
    const found = await stat(await use(image));
    expect(found.size).toBe(image.size);
    expect(found.blocks * 512).toBeLessThanOrEqual(4 * BLOCK);
  });

  it('is fetched once for all who wait for it at the same time', async () => {
    const image = serve(ONE, ['data']);
    const held = await Promise.all([1, 2, 3].map(() => cache.hold({ ...image }, NEVER)));
    expect(new Set(held.map(({ path }) => path)).size).toBe(1);
    expect(pieces.asked).toEqual([ONE]);
  });

  it('that is another under the same id is fetched too', async () => {
    await use(serve(ONE, ['old']));
    expect(await readFile(await use(serve(ONE, ['new'])), 'utf8')).toBe('new');
  });

  it('is fetched anew when its file is not as long as it was', async () => {
    const image = serve(ONE, ['data']);
    await truncate(await use(image), 2);
    expect(await readFile(await use(image), 'utf8')).toBe('data');
    expect(pieces.asked).toEqual([ONE, ONE]);
  });

  it('without a hash is known by its size', async () => {
    const image = { ...serve(ONE, ['data']), hash: null };
    expect(await readFile(await use(image), 'utf8')).toBe('data');
    expect(await kept()).toEqual([`${ONE}.4-bytes`]);
  });
});

describe('a download that fails', () => {
  const whole = ['the ', 'root ', 'disk'] as const;
  const b = (text: string) => Buffer.from(text);

  it.each<[string, (Buffer | NovellaError)[], ErrorCode]>([
    ['at once', [broken], 'image-download-failed'],
    ['in the middle', [b('the '), broken], 'image-download-failed'],
    ['after its last piece', [b('the '), b('root '), b('disk'), broken], 'image-download-failed'],
    ['by an end that is too early', [b('the '), b('root ')], 'image-data-wrong'],
    ['by nothing at all', [], 'image-data-wrong'],
    ['by more than there should be', [b('the '), b('root '), b('disk'), b('s')], 'image-data-wrong'],
    ['by more than there should be in one piece', [b('the root disks')], 'image-data-wrong'],
    ['by other data of the same size', [b('the root disc')], 'image-data-wrong'],
  ])('%s leaves nothing behind, and the next begins anew', async (_what, instead, code) => {
    const image = serve(ONE, whole);
    pieces.instead(image, instead);
    expect(await codeOf(cache.hold(image, NEVER))).toBe(code);
    expect(await kept()).toEqual([]);
    serve(ONE, whole);
    expect(await readFile(await use(image), 'utf8')).toBe('the root disk');
  });

  it('of which no hash is known is refused by its size alone when it ends too early', async () => {
    const image = { ...serve(ONE, ['the ', 'root ', 'disk']), hash: null };
    pieces.instead(image, [b('the '), b('root ')]);
    expect(await codeOf(cache.hold(image, NEVER))).toBe('image-data-wrong');
    expect(await kept()).toEqual([]);
  });

  it('is given up before it has written more than the image’s size', async () => {
    const image = serve(ONE, ['data']);
    let read = 0;
    pieces.beforeEach = () => Promise.resolve(void (read += 1));
    pieces.instead(
      image,
      Array.from({ length: 1000 }, () => b('data')),
    );
    expect(await codeOf(cache.hold(image, NEVER))).toBe('image-data-wrong');
    expect(read).toBe(2);
  });

  it('fails for all who wait for it', async () => {
    const image = serve(ONE, whole);
    pieces.instead(image, [broken]);
    const codes = [1, 2, 3].map(() => codeOf(cache.hold(image, NEVER)));
    expect(await Promise.all(codes)).toEqual(Array(3).fill('image-download-failed'));
  });

  it('is said by its own error although its part cannot be removed, and the next start removes that', async () => {
    const files = await CacheFiles.open(folder);
    files.discard = () => Promise.reject(new Error('broken by the test'));
    cache = await open(100 * BLOCK, files);
    const image = serve(ONE, whole);
    pieces.instead(image, [b('the '), broken]);
    expect(await codeOf(cache.hold(image, NEVER))).toBe('image-download-failed');
    expect(await kept()).toEqual([expect.stringMatching(/\.partial$/)]);
    await writeFile(join(folder, `${TWO}.4-bytes.partial`), 'a half');
    cache = await open();
    expect(await kept()).toEqual([]);
  });
});

describe('who waits', () => {
  /** A download that stands before its second piece. */
  function held() {
    let release = (): void => undefined;
    let reached = (): void => undefined;
    const standing = new Promise<void>((resolve) => (reached = resolve));
    const going = new Promise<void>((resolve) => (release = resolve));
    pieces.beforeEach = (index) => {
      if (index !== 1) return Promise.resolve();
      reached();
      return going;
    };
    return { standing, release };
  }

  it('hears of the end of the wait at once, and the image is there when it comes again', async () => {
    const image = serve(ONE, ['one', 'two']);
    const { standing, release } = held();
    const givenUp = new AbortController();
    const waiting = cache.hold(image, givenUp.signal);
    await standing;
    const reason = new NovellaError('command-stale', 'a newer command has come');
    givenUp.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    release();
    await use(image);
    expect(pieces.asked).toEqual([ONE]);
  });

  it('waits no longer than a build may take, and then says for what', async () => {
    const image = serve(ONE, ['one', 'two']);
    const { standing, release } = held();
    const code = codeOf(cache.hold(image, NEVER));
    await standing;
    await clock.advance(minutes(9));
    expect(await code).toBe('image-download-failed');
    release();
    await use(image);
    expect(pieces.asked).toEqual([ONE]);
  });

  it('is not waited for by a process that ends, which leaves nothing half done', async () => {
    const image = serve(ONE, ['one', 'two']);
    const { standing, release } = held();
    const waiting = codeOf(cache.hold(image, NEVER));
    await standing;
    const stopped = cache.stop();
    pieces.instead(image, []);
    release();
    await stopped;
    await waiting.catch(() => undefined);
    expect((await kept()).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
});

describe('the space of the cache', () => {
  const block = (id: string, letter: string) => serve(id, [letter.repeat(BLOCK)]);
  const ids = async () => (await kept()).map((name) => name.slice(0, 36)).toSorted();
  const THREE = '11111111-2222-4333-8444-000000000003';

  it('is made by those that were not used for longest', async () => {
    cache = await open(2 * BLOCK);
    const [one, two, three] = [block(ONE, '1'), block(TWO, '2'), block(THREE, '3')];
    for (const image of [one, two, one, three]) {
      await use(image);
      await clock.advance(seconds(1));
    }
    expect(await ids()).toEqual([ONE, THREE]);
  });

  it('is not made by those that are held, however much they take, until all let go', async () => {
    cache = await open(BLOCK);
    const first = await cache.hold(block(ONE, '1'), NEVER);
    const second = await cache.hold(block(ONE, '1'), NEVER);
    await clock.advance(seconds(1));
    await use(block(TWO, '2'));
    first.release();
    first.release();
    await cache.trim();
    expect(await ids()).toEqual([ONE]);
    second.release();
    await use(block(TWO, '2'));
    expect(await ids()).toEqual([TWO]);
  });

  it('is given back by what nobody has used for long, looked at every ten minutes', async () => {
    cache.start();
    await use(block(ONE, '1'));
    for (let passed = 0; passed < 70; passed += 10) {
      if (passed === 40) await use(block(TWO, '2'));
      // It has looked, and sleeps until it looks again.
      await waitUntil(() => clock.sleeping === 1);
      await clock.advance(minutes(10));
    }
    await waitUntil(() => clock.sleeping === 1);
    expect(await ids()).toEqual([TWO]);
  });

  it('is not given by an image that is asked for while it goes: it is fetched again', async () => {
    const files = await CacheFiles.open(folder);
    cache = await open(0, files);
    const image = block(ONE, '1');
    await use(image);
    const remove = files.remove.bind(files);
    let asked: Promise<string> | null = null;
    files.remove = (name) => {
      asked = Promise.resolve().then(() => use(image));
      // Time enough to find it, for who would not wait.
      return new Promise((resolve) => setTimeout(resolve, 50)).then(() => remove(name));
    };
    await cache.trim();
    expect(await readFile(await asked!, 'utf8')).toBe('1'.repeat(BLOCK));
    expect(pieces.asked).toEqual([ONE, ONE]);
  });

  it('lets an image in that is larger than all of it', async () => {
    cache = await open(1);
    expect((await stat(await use(block(ONE, '1')))).size).toBe(BLOCK);
  });
});
