import { describe, expect, it } from '@jest/globals';
import type { VolumeEncryption } from '@novella/cinder';
import { type ErrorCode, toErrorRecord } from '@novella/core';
import { VOLUME } from '@novella/testing';
import { luksSecret } from './volume-encryption.js';

const FIXED_KEY_ID = '00000000-0000-0000-0000-000000000000';
const LUKS: VolumeEncryption = {
  keyId: FIXED_KEY_ID,
  provider: 'luks',
  controlLocation: 'front-end',
  cipher: 'aes-xts-plain64',
  keySize: 256,
};

describe('what opens an encrypted volume', () => {
  it("is the fixed key's digits, as Nova has them, and the cipher that it may have to be made with", () => {
    expect(luksSecret(VOLUME, LUKS, 'AB12')).toEqual({
      luks_passphrase: 'ab12',
      luks_cipher: 'aes-xts-plain64',
      luks_key_size: '256',
    });
    expect(luksSecret(VOLUME, { ...LUKS, cipher: null, keySize: null }, 'ab12')).toEqual({ luks_passphrase: 'ab12' });
  });

  it.each(['LuksEncryptor', 'os_brick.encryptors.luks.LuksEncryptor', 'nova.volume.encryptors.luks.LuksEncryptor'])(
    'is the same for a volume of an old type: %s',
    (provider) => {
      expect(luksSecret(VOLUME, { ...LUKS, provider }, 'ab12')).toMatchObject({ luks_passphrase: 'ab12' });
    },
  );

  it.each<[string, Partial<VolumeEncryption>]>([
    ['the storage encrypts', { controlLocation: 'back-end' }],
    ['the type encrypts nothing', { provider: 'os_brick.encryptors.nop.NoopEncryptor' }],
    ['there is no such type', { provider: null }],
  ])('is nothing where %s', (_, given) => {
    expect(luksSecret(VOLUME, { ...LUKS, ...given }, null)).toBeNull();
  });

  it.each<[string, Partial<VolumeEncryption>, string | null, ErrorCode]>([
    ['LUKS 2', { provider: 'luks2' }, 'ab12', 'encryption-unsupported'],
    ['plain dm-crypt', { provider: 'plain' }, 'ab12', 'encryption-unsupported'],
    ['a class that nobody knows', { provider: 'my.Encryptor' }, 'ab12', 'encryption-unsupported'],
    ['a key in Barbican', { keyId: '8d6f6cb4-0000-4000-8000-000000000001' }, 'ab12', 'key-manager-unsupported'],
    ['no key', { keyId: null }, 'ab12', 'volume-key-missing'],
    ['the fixed key, which nobody has told us', {}, null, 'volume-key-missing'],
  ])('cannot be found for %s', (_, given, fixedKey, code) => {
    let error: unknown;
    try {
      luksSecret(VOLUME, { ...LUKS, ...given }, fixedKey);
    } catch (thrown) {
      error = thrown;
    }
    expect(toErrorRecord(error)).toMatchObject({ code, facts: { volume: VOLUME } });
  });
});
