import { createHash, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * OpenSSH's form of public keys: `type base64 comment`, where the base64 holds fields with a length before each
 * (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4). Mirrors nova:nova/crypto.py generate_fingerprint, generate_key_pair.
 */

/** MD5 of the key, as `ssh-keygen -E md5` shows it; null for what is no key that OpenSSH has. */
export function sshFingerprint(publicKey: string): string | null {
  const [, type = '', base64 = ''] = /^(\S+)[ \t]+([A-Za-z0-9+/]+={0,2})(?=\s|$)/.exec(publicKey) ?? [];
  const blob = Buffer.from(base64, 'base64');
  const fields = fieldsOf(blob);
  if (fields?.[0]?.toString('latin1') !== type) return null;
  const isSound = Object.hasOwn(KEY_TYPES, type) && KEY_TYPES[type as keyof typeof KEY_TYPES](fields.slice(1));
  return isSound ? pairs(createHash('md5').update(blob).digest('hex')) : null;
}

const pairs = (hex: string): string => hex.replaceAll(/..(?!$)/g, '$&:');

type Check = (fields: readonly Buffer[]) => boolean;

const isRsa: Check = ([exponent, modulus, ...rest]) => {
  if (exponent === undefined || modulus === undefined || rest.length > 0) return false;
  const [e, n] = [numberOf(exponent), numberOf(modulus)];
  return e !== null && n !== null && e >= 3n && e % 2n === 1n && n % 2n === 1n && e < n && n >= 2n ** 1023n;
};
const isDsa: Check = (fields) => fields.length === 4 && fields.every((field) => (numberOf(field) ?? 0n) > 1n);

const isEd25519: Check = ([key, ...rest]) => key?.length === 32 && rest.length === 0;

/** `P-256`, and the name that the key itself repeats. */
const isOnCurve =
  (crv: string, name: string, bytes: number): Check =>
  ([curve, point, ...rest]) => {
    if (curve?.toString('latin1') !== name || point?.[0] !== 4 || point.length !== 1 + 2 * bytes || rest.length > 0) {
      return false;
    }
    const x = point.subarray(1, 1 + bytes).toString('base64url');
    const y = point.subarray(1 + bytes).toString('base64url');
    try {
      createPublicKey({ key: { kty: 'EC', crv, x, y }, format: 'jwk' });
      return true;
    } catch {
      return false;
    }
  };
/** A key in a hardware token names its application at the end. */
const withApplication =
  (check: Check): Check =>
  (fields) =>
    fields.length > 1 && check(fields.slice(0, -1));

const isP256 = isOnCurve('P-256', 'nistp256', 32);
const KEY_TYPES = {
  'ssh-rsa': isRsa,
  'ssh-dss': isDsa,
  'ssh-ed25519': isEd25519,
  'ecdsa-sha2-nistp256': isP256,
  'ecdsa-sha2-nistp384': isOnCurve('P-384', 'nistp384', 48),
  'ecdsa-sha2-nistp521': isOnCurve('P-521', 'nistp521', 66),
  'sk-ssh-ed25519@openssh.com': withApplication(isEd25519),
  'sk-ecdsa-sha2-nistp256@openssh.com': withApplication(isP256),
} as const satisfies Record<string, Check>;

/** null when the lengths do not add up. */
function fieldsOf(blob: Buffer): Buffer[] | null {
  const fields: Buffer[] = [];
  let at = 0;
  while (at < blob.length) {
    if (at + 4 > blob.length) return null;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return null;
    fields.push(blob.subarray(at + 4, end));
    at = end;
  }
  return fields;
}

/** null for a negative number, which no key has. */
const numberOf = (field: Buffer): bigint | null =>
  field.length === 0 || (field[0] ?? 0) >= 0x80 ? null : BigInt(`0x${field.toString('hex')}`);

const generate = promisify(generateKeyPair);

export interface GeneratedKey {
  /** PEM (PKCS #1), which ssh reads. */
  readonly privateKey: string;
  readonly publicKey: string;
}

/** RSA of 2048 bits, as Nova makes them. It takes a part of a second, in another thread. */
export async function generateSshKey(): Promise<GeneratedKey> {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 });
  return {
    privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    publicKey: `ssh-rsa ${rsaBlob(publicKey).toString('base64')} Generated-by-Nova`,
  };
}

function rsaBlob(key: KeyObject): Buffer {
  const { e = '', n = '' } = key.export({ format: 'jwk' });
  const numbers = [e, n].map((part) => {
    const magnitude = Buffer.from(part, 'base64url');
    return (magnitude[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), magnitude]) : magnitude;
  });
  return Buffer.concat([Buffer.from('ssh-rsa'), ...numbers].flatMap((field) => [lengthOf(field), field]));
}

function lengthOf(field: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(field.length);
  return length;
}
