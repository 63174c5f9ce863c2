import type { KeyPair } from '@novella/persistence';
import { has } from '../http/microversion.js';
import type { ApiCall } from '../http/request-context.js';
import { microsecondsWithoutZone } from '../http/timestamps.js';

/** Mirrors nova:nova/api/openstack/compute/views/keypairs.py. */
type At = Pick<ApiCall, 'microversion'>;

export const keyPairSummaryView = (keyPair: KeyPair, { microversion }: At) => ({
  name: keyPair.name,
  public_key: keyPair.publicKey,
  fingerprint: keyPair.fingerprint,
  ...(has(microversion, 'keypairs.type') ? { type: keyPair.type } : {}),
});

/** `privateKey`: of a key pair that was generated; it is told once and kept nowhere. */
export const newKeyPairView = (keyPair: KeyPair, privateKey: string | null, call: At) => ({
  ...keyPairSummaryView(keyPair, call),
  user_id: keyPair.userId,
  ...(privateKey === null ? {} : { private_key: privateKey }),
});

export const keyPairView = (keyPair: KeyPair, call: At) => ({
  ...keyPairSummaryView(keyPair, call),
  user_id: keyPair.userId,
  id: keyPair.id,
  created_at: microsecondsWithoutZone(keyPair.createdAt),
  updated_at: null,
  deleted: false,
  deleted_at: null,
});
