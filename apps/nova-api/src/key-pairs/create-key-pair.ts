import { X509Certificate } from 'node:crypto';
import type { UserId } from '@novella/core';
import type { KeyPair, KeyPairStore } from '@novella/persistence';
import { ApiFault } from '../http/fault.js';
import { MOST_KEY_PAIRS } from '../limits/quotas.js';
import { generateSshKey, sshFingerprint } from './ssh-public-key.js';

/**
 * Takes in a public key, or makes a pair when none is given. Mirrors nova:nova/compute/api.py KeypairAPI.
 * Throws 400 for what is no key, 403 for one too many, 409 for a name that is taken.
 */
export async function createKeyPair(
  store: KeyPairStore,
  userId: UserId,
  wanted: { readonly name: string; readonly type: KeyPair['type']; readonly publicKey: string | undefined },
): Promise<{ keyPair: KeyPair; privateKey: string | null }> {
  const { name, type } = wanted;
  const generated = wanted.publicKey === undefined ? await generate(type) : null;
  const publicKey = wanted.publicKey ?? generated?.publicKey ?? '';
  const fingerprint = type === 'ssh' ? sshFingerprint(publicKey) : certificateFingerprint(publicKey);
  if (fingerprint === null) throw new ApiFault(400, 'Keypair data is invalid: failed to generate fingerprint');
  const keyPair = await store.createKeyPair({ userId, name, type, publicKey, fingerprint }, MOST_KEY_PAIRS);
  if (keyPair === 'too-many') throw new ApiFault(403, 'Quota exceeded, too many key pairs.');
  if (keyPair === 'exists') throw new ApiFault(409, `Key pair '${name}' already exists.`);
  return { keyPair, privateKey: generated?.privateKey ?? null };
}

/** Nova makes certificates with the openssl program, for Windows guests. */
function generate(type: KeyPair['type']): ReturnType<typeof generateSshKey> {
  if (type === 'ssh') return generateSshKey();
  throw new ApiFault(400, 'Keypair data is invalid: certificates are not generated: give one as public_key');
}

/** SHA-1 of the certificate; null for what is none. */
function certificateFingerprint(pem: string): string | null {
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) return null;
  try {
    return new X509Certificate(pem).fingerprint.toLowerCase();
  } catch {
    return null;
  }
}
