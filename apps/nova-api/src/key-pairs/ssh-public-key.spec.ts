import { createPrivateKey, createPublicKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { SSH_KEYS } from '../testing/public-keys.js';
import { generateSshKey, sshFingerprint } from './ssh-public-key.js';

const { ed25519, rsa, ecdsa256 } = SSH_KEYS;
const base64Of = (key: string): string => key.split(' ')[1] ?? '';
/** The key with one of its bytes changed. */
function withByte(key: string, at: number, value: number): string {
  const [type = '', base64 = ''] = key.split(' ');
  const blob = Buffer.from(base64, 'base64');
  blob[at < 0 ? blob.length + at : at] = value;
  return `${type} ${blob.toString('base64')}`;
}

describe('sshFingerprint', () => {
  it.each(Object.entries(SSH_KEYS))('of a key of %s is what ssh-keygen shows', (_, { key, fingerprint }) => {
    expect(sshFingerprint(key)).toBe(fingerprint);
  });

  it('does not look at the comment, nor at what follows on other lines', () => {
    const bare = `ssh-ed25519 ${base64Of(ed25519.key)}`;
    for (const key of [bare, `${bare}\n`, `${bare} a b c`, `${bare}\nmore`, bare.replace(' ', '\t')]) {
      expect(sshFingerprint(key)).toBe(ed25519.fingerprint);
    }
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['a word', 'ssh-ed25519'],
    ['no base64', 'ssh-ed25519 !!!! me'],
    ['a blank before', ` ${ed25519.key}`],
    ['another type than it says', ed25519.key.replace('ssh-ed25519', 'ssh-rsa')],
    ['a type that nobody knows', `ssh-x ${Buffer.from('\0\0\0\x05ssh-x').toString('base64')}`],
    ['a type by the name of a method', `toString ${Buffer.from('\0\0\0\x08toString').toString('base64')}`],
    ['bytes cut off', `ssh-ed25519 ${base64Of(ed25519.key).slice(0, -4)}`],
    [
      'bytes at its end',
      `ssh-ed25519 ${Buffer.concat([Buffer.from(base64Of(ed25519.key), 'base64'), Buffer.alloc(4)]).toString('base64')}`,
    ],
    ['a length beyond its end', withByte(ed25519.key, 0, 0xff)],
    ['a point that is not on its curve', withByte(ecdsa256.key, -1, 0)],
    ['a point in another form', withByte(ecdsa256.key, -65, 2)],
    ['an even RSA exponent', withByte(rsa.key, 17, 2)],
    ['an even RSA modulus', withByte(rsa.key, -1, 2)],
    ['a negative number', withByte(rsa.key, 15, 0x80)],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY----- abc'],
    ['only padding', 'ssh-rsa ===='],
  ])('is null for %s', (_, key) => {
    expect(sshFingerprint(key)).toBeNull();
  });
});

describe('generateSshKey', () => {
  it('makes an RSA pair of 2048 bits whose halves belong together', async () => {
    const { privateKey, publicKey } = await generateSshKey();
    expect(privateKey).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/);
    expect(publicKey).toMatch(/^ssh-rsa AAAAB3NzaC1yc2E\S+ Generated-by-Nova$/);
    expect(sshFingerprint(publicKey)).not.toBeNull();
    const { n = '' } = createPublicKey(createPrivateKey(privateKey)).export({ format: 'jwk' });
    const modulus = Buffer.from(n, 'base64url');
    expect(modulus).toHaveLength(256);
    expect(Buffer.from(base64Of(publicKey), 'base64').subarray(-256)).toEqual(modulus);
  });
});
