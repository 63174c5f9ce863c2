import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  type Clock,
  type HostName,
  isHostName,
  isUuid,
  type Millis,
  type OperationId,
  parseOperationId,
} from '@novella/core';

/** What a link is for: one image, for one host, that builds by one operation. */
export interface ImageLink {
  readonly image: string;
  readonly host: HostName;
  readonly operation: OperationId;
}

export interface ImageLinksOptions {
  /** Where hosts reach this conductor, or any of those with the same key: `http://conductor-1:8793`. */
  readonly url: string;
  /** At least 32 bytes that nobody else knows. */
  readonly key: Buffer;
  /** How long a link may be used to begin a download. */
  readonly lifetime: Millis;
  readonly clock: Pick<Clock, 'wallTime'>;
}

/** Why a link is not followed. */
export type BadLink = 'malformed' | 'forged' | 'expired';

/**
 * Links to images that only their conductors can make. A host knows no more than this: it has no credential for the image
 * service, and a link opens one image until it expires.
 *
 *   /images/<image>?host=<host>&operation=<operation>&expires=<seconds since 1970>&signature=<HMAC-SHA-256, base64url>
 */
export class ImageLinks {
  constructor(private readonly options: ImageLinksOptions) {}

  link(to: ImageLink): string {
    const { url, lifetime } = this.options;
    const expires = Math.ceil((this.#now() + lifetime) / 1000);
    const query = new URLSearchParams({
      host: to.host,
      operation: to.operation,
      expires: String(expires),
      signature: this.#signature(to, expires).toString('base64url'),
    });
    return `${url}/images/${to.image}?${query.toString()}`;
  }

  /** `path`: with its query, as it was asked for. */
  read(path: string): ImageLink | BadLink {
    const parsed = parse(path);
    if (parsed === null) return 'malformed';
    const { to, expires, signature } = parsed;
    const right = this.#signature(to, expires);
    // Lengths are no secret; the rest takes the same time wherever it differs.
    if (signature.length !== right.length || !timingSafeEqual(signature, right)) return 'forged';
    return expires * 1000 < this.#now() ? 'expired' : to;
  }

  /** No part may hold a line break, so no two links are signed alike. */
  #signature({ image, host, operation }: ImageLink, expires: number): Buffer {
    return createHmac('sha256', this.options.key).update(`GET\n${image}\n${host}\n${operation}\n${expires}`).digest();
  }

  #now(): number {
    return this.options.clock.wallTime().getTime();
  }
}

const NAMES = ['expires', 'host', 'operation', 'signature'];

function parse(path: string): { to: ImageLink; expires: number; signature: Buffer } | null {
  const [, image, query] = /^\/images\/([^/?]+)\?(.*)$/.exec(path) ?? [];
  if (image === undefined || query === undefined || !isUuid(image)) return null;
  const asked = new URLSearchParams(query);
  // Each once, and nothing else: what is not signed must not be there to be believed.
  if ([...asked.keys()].toSorted().join() !== NAMES.join()) return null;
  const host = asked.get('host') ?? '';
  const operation = parseOperationId(asked.get('operation') ?? '');
  const expires = asked.get('expires') ?? '';
  if (!isHostName(host) || operation === null || !/^\d{1,12}$/.test(expires)) return null;
  const signature = Buffer.from(asked.get('signature') ?? '', 'base64url');
  return { to: { image, host, operation }, expires: Number(expires), signature };
}
