import { createHash } from 'node:crypto';
import type { ImageSource } from '@novella/contracts';
import { bytes, type DiskFormat, NovellaError } from '@novella/core';
import type { OpenImage } from '../images/image-cache.js';

type Piece = Buffer | NovellaError;

/** Images as conductors serve them, piece after piece, in memory; a piece that is an error is what the data ends with. */
export class ImagePieces {
  /** The ids of images that were asked for, in order. */
  readonly asked: string[] = [];
  readonly #pieces = new Map<string, readonly Piece[]>();
  /** Runs before each piece. */
  beforeEach: (index: number) => Promise<void> = () => Promise.resolve();

  /** Serves an image of these pieces and answers what a command says of it. */
  serve(id: string, pieces: readonly (string | Buffer)[], diskFormat: DiskFormat = 'raw'): ImageSource {
    const data = pieces.map((piece) => Buffer.from(piece));
    const url = `http://conductor-1:8793/images/${id}`;
    this.#pieces.set(url, data);
    const whole = Buffer.concat(data);
    return {
      id,
      diskFormat,
      size: bytes(whole.length),
      hash: { algorithm: 'sha512', value: createHash('sha512').update(whole).digest('hex') },
      minDiskGib: 0,
      minMemoryMib: 0,
      commandLine: null,
      url,
    };
  }

  /** What comes for the image instead of its data. */
  instead({ url }: ImageSource, pieces: readonly Piece[]): void {
    this.#pieces.set(url ?? '', pieces);
  }

  readonly open: OpenImage = ({ id, url }) => {
    this.asked.push(id);
    const pieces = this.#pieces.get(url);
    if (pieces === undefined) {
      return Promise.reject(new NovellaError('image-download-failed', 'no conductor serves it', { image: id }));
    }
    return Promise.resolve(this.#each(pieces));
  };

  async *#each(pieces: readonly Piece[]): AsyncGenerator<Buffer> {
    for (const [index, piece] of pieces.entries()) {
      await this.beforeEach(index);
      if (piece instanceof NovellaError) throw piece;
      yield piece;
    }
  }
}
