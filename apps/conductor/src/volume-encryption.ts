import type { VolumeEncryption } from '@novella/cinder';
import { NovellaError, type VolumeId } from '@novella/core';

/**
 * What opens an encrypted volume, as Nova finds it out: nova:virt/libvirt/driver.py _attach_encryptor. QEMU opens LUKS
 * (version 1) by itself; the other formats want dm-crypt on the host, which we do not do.
 */

/** Castellan's ConfKeyManager has one key for all volumes, and this name for it. */
const FIXED_KEY_ID = '00000000-0000-0000-0000-000000000000';
/** os-brick:os_brick/encryptors/__init__.py: the format, or the class that it replaced. */
const LUKS: readonly string[] = [
  'luks',
  'LuksEncryptor',
  'os_brick.encryptors.luks.LuksEncryptor',
  'nova.volume.encryptors.luks.LuksEncryptor',
];
const NO_ENCRYPTION: readonly string[] = [
  'NoOpEncryptor',
  'os_brick.encryptors.nop.NoopEncryptor',
  'nova.volume.encryptors.nop.NoopEncryptor',
];

/**
 * What the host needs to open the volume, for it alone to read; null when the storage encrypts by itself, and hosts see
 * nothing of it. `fixedKey`: castellan's fixed_key, hexadecimal. Errors: encryption-unsupported for another format;
 * key-manager-unsupported for a key that castellan has elsewhere (Barbican); volume-key-missing.
 */
export function luksSecret(
  volume: VolumeId,
  { provider, controlLocation, keyId, cipher, keySize }: VolumeEncryption,
  fixedKey: string | null,
): Readonly<Record<string, string>> | null {
  if (controlLocation === 'back-end' || provider === null || NO_ENCRYPTION.includes(provider)) return null;
  if (!LUKS.includes(provider)) {
    const message = 'only volumes that are encrypted with LUKS can be opened';
    throw new NovellaError('encryption-unsupported', message, { volume, provider });
  }
  if (keyId === null) throw new NovellaError('volume-key-missing', 'Cinder names no key of the volume', { volume });
  if (keyId !== FIXED_KEY_ID) {
    const message = 'the key of the volume is in a key manager that is not asked, such as Barbican';
    throw new NovellaError('key-manager-unsupported', message, { volume, keyId });
  }
  if (fixedKey === null) {
    const message = "the volume is encrypted with castellan's fixed key, which NOVELLA_FIXED_KEY does not say";
    throw new NovellaError('volume-key-missing', message, { volume });
  }
  return {
    // The key's bytes as hexadecimal digits are the pass phrase.
    luks_passphrase: fixedKey.toLowerCase(),
    ...(cipher === null ? {} : { luks_cipher: cipher }),
    ...(keySize === null ? {} : { luks_key_size: String(keySize) }),
  };
}
