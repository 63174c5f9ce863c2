import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { NovellaError } from '@novella/core';

/**
 * Secrets on their way to one host. Each is encrypted with a key of its own, agreed between a fresh X25519 key and the
 * host's (RFC 7748), stretched by HKDF-SHA256 and used once with ChaCha20-Poly1305 (RFC 8439). Whoever stores or carries
 * the result cannot read it, and it opens only for what it was bound to.
 *
 *   version (1 byte) | the fresh public key (32) | ciphertext | tag (16), as base64
 */
export type Secret = Readonly<Record<string, string>>;

const VERSION = 1;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'chacha20-poly1305';
const PURPOSE = 'novella sealed secret 1';

/**
 * `publicKey`: the host's raw X25519 key, base64. `boundTo`: the attachment's id; it must be the same when it is opened.
 * Error: secret-unreadable when the key is none.
 */
export function seal(publicKey: string, secret: Secret, boundTo: string): string {
  const host = readPublicKey(publicKey);
  const fresh = generateKeyPairSync('x25519');
  const freshPublic = rawPublicKey(fresh.publicKey);
  const { key, nonce } = agreedKey(fresh.privateKey, host, freshPublic, Buffer.from(publicKey, 'base64'));
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(boundTo), { plaintextLength: 0 });
  const ciphertext = Buffer.concat([cipher.update(JSON.stringify(secret), 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.from([VERSION]), freshPublic, ciphertext, cipher.getAuthTag()]).toString('base64');
}

/** Error: secret-unreadable when it was sealed to another key, bound to something else, or changed on its way. */
export function unseal(privateKey: KeyObject, sealed: string, boundTo: string): Secret {
  const box = Buffer.from(sealed, 'base64');
  if (box.length < 1 + KEY_BYTES + TAG_BYTES || box[0] !== VERSION) throw unreadable('it is no sealed secret');
  const freshPublic = box.subarray(1, 1 + KEY_BYTES);
  const own = rawPublicKey(createPublicKey(privateKey));
  try {
    const { key, nonce } = agreedKey(privateKey, publicKeyOf(freshPublic), freshPublic, own);
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(boundTo), { plaintextLength: 0 });
    decipher.setAuthTag(box.subarray(-TAG_BYTES));
    const text = Buffer.concat([decipher.update(box.subarray(1 + KEY_BYTES, -TAG_BYTES)), decipher.final()]);
    return JSON.parse(text.toString('utf8')) as Secret;
  } catch (cause) {
    throw unreadable('it was sealed to another key or for another attachment', cause);
  }
}

/** 32 bytes, base64: how a host's key travels in its reports. */
export const publicKeyText = (key: KeyObject): string => rawPublicKey(key).toString('base64');

function agreedKey(own: KeyObject, other: KeyObject, freshPublic: Buffer, hostPublic: Buffer) {
  const shared = agree(own, other);
  const salt = Buffer.concat([freshPublic, hostPublic]);
  const stretched = Buffer.from(hkdfSync('sha256', shared, salt, PURPOSE, KEY_BYTES + NONCE_BYTES));
  return { key: stretched.subarray(0, KEY_BYTES), nonce: stretched.subarray(KEY_BYTES) };
}

/** A key of small order, with which anybody could read along, is refused by the library. */
function agree(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch (cause) {
    throw unreadable('the host has no usable key', cause);
  }
}

function readPublicKey(text: string): KeyObject {
  const raw = Buffer.from(text, 'base64');
  if (raw.length !== KEY_BYTES) throw unreadable('the host has no usable key');
  return publicKeyOf(raw);
}

const publicKeyOf = (raw: Buffer): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: raw.toString('base64url') }, format: 'jwk' });

function rawPublicKey(key: KeyObject): Buffer {
  const { x } = key.export({ format: 'jwk' });
  if (x === undefined) throw unreadable('the host has no usable key');
  return Buffer.from(x, 'base64url');
}

const unreadable = (why: string, cause?: unknown): NovellaError =>
  new NovellaError('secret-unreadable', `the secret cannot be used: ${why}`, {}, { cause });
