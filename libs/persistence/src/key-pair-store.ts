import type { UserId } from '@novella/core';

/** A public key under a name that its user chose. Mirrors nova:nova/objects/keypair.py. */
export interface KeyPair {
  readonly id: number;
  readonly userId: UserId;
  readonly name: string;
  readonly type: 'ssh' | 'x509';
  /** A line of authorized_keys, or a certificate in PEM. */
  readonly publicKey: string;
  /** Bytes in hex with colons between them: MD5 of an ssh key, SHA-1 of a certificate. */
  readonly fingerprint: string;
  readonly createdAt: Date;
}
export type NewKeyPair = Omit<KeyPair, 'id' | 'createdAt'>;

/** Names belong to a user, whatever the project; two users may have the same. */
export interface KeyPairStore {
  /** `too-many`: the user has `most` already; `exists`: one of that name. Both write nothing. */
  createKeyPair(keyPair: NewKeyPair, most: number): Promise<KeyPair | 'exists' | 'too-many'>;
  /** Of one user, by name (as bytes), after the one named `marker`. */
  keyPairs(
    userId: UserId,
    page: { readonly limit: number; readonly marker: string | null },
  ): Promise<KeyPair[] | 'unknown-marker'>;
  keyPair(userId: UserId, name: string): Promise<KeyPair | null>;
  deleteKeyPair(userId: UserId, name: string): Promise<'deleted' | 'not-found'>;
}
