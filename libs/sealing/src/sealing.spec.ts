import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type TemporaryDirectory, temporaryDirectory } from '@novella/testing';
import { HostKey } from './host-key.js';
import { seal } from './sealed-box.js';

const ATTACHMENT = '6f1c3a52-6a0e-4a8e-9d53-0a8a3f6f0b11';
const SECRET = { auth_password: 'geheim \u{1f511}', keyring: '[client.cinder]\n\tkey = AQ==\n' };

const directories: TemporaryDirectory[] = [];
afterEach(() => Promise.all(directories.splice(0).map((directory) => directory.remove())));

async function directoryPath(): Promise<string> {
  const directory = await temporaryDirectory();
  directories.push(directory);
  return directory.path;
}

const host = async (): Promise<HostKey> => HostKey.open(await directoryPath());
const unreadable = expect.objectContaining({ code: 'secret-unreadable' }) as unknown;

describe('a secret sealed to a host', () => {
  it('opens there, for the attachment that it was sealed for', async () => {
    const key = await host();
    expect(key.unseal(seal(key.publicKey, SECRET, ATTACHMENT), ATTACHMENT)).toEqual(SECRET);
  });

  it('shows nothing of the secret, and is another text each time', async () => {
    const { publicKey } = await host();
    const sealed = [seal(publicKey, SECRET, ATTACHMENT), seal(publicKey, SECRET, ATTACHMENT)];
    expect(sealed[0]).not.toBe(sealed[1]);
    expect(Buffer.from(sealed[0] ?? '', 'base64').toString('latin1')).not.toContain('key');
  });

  it('does not open on another host (rule 2.5d)', async () => {
    const [mine, other] = [await host(), await host()];
    const sealed = seal(mine.publicKey, SECRET, ATTACHMENT);
    expect(() => other.unseal(sealed, ATTACHMENT)).toThrow(unreadable);
  });

  it('does not open for another attachment', async () => {
    const key = await host();
    const sealed = seal(key.publicKey, SECRET, ATTACHMENT);
    expect(() => key.unseal(sealed, ATTACHMENT.replace('6', '7'))).toThrow(unreadable);
  });

  it('does not open when any byte of it was changed', async () => {
    const key = await host();
    const box = Buffer.from(seal(key.publicKey, SECRET, ATTACHMENT), 'base64');
    for (let index = 0; index < box.length; index += 1) {
      const changed = Buffer.from(box);
      changed.writeUInt8(box.readUInt8(index) ^ 1, index);
      expect(() => key.unseal(changed.toString('base64'), ATTACHMENT)).toThrow(unreadable);
    }
  });

  it.each([
    ['nothing', ''],
    ['no base64', '%%%'],
    ['too short', Buffer.alloc(40, 1).toString('base64')],
    [
      'a fresh key of zeros, which agrees on nothing',
      Buffer.concat([Buffer.from([1]), Buffer.alloc(80)]).toString('base64'),
    ],
  ])('is refused when it is %s', async (_what, sealed) => {
    const key = await host();
    expect(() => key.unseal(sealed, ATTACHMENT)).toThrow(unreadable);
  });

  it.each([
    ['is missing', ''],
    ['agrees on nothing (all zeros)', Buffer.alloc(32).toString('base64')],
    ['is too long', Buffer.alloc(33, 1).toString('base64')],
  ])('is not made when the public key %s', (_what, publicKey) => {
    expect(() => seal(publicKey, SECRET, ATTACHMENT)).toThrow(unreadable);
  });
});

describe("the host's key", () => {
  it('is the same after a restart, and readable by its owner alone', async () => {
    const directory = await directoryPath();
    const sealed = seal((await HostKey.open(directory)).publicKey, SECRET, ATTACHMENT);
    expect((await HostKey.open(directory)).unseal(sealed, ATTACHMENT)).toEqual(SECRET);
    expect((await stat(join(directory, 'host-key'))).mode & 0o777).toBe(0o600);
  });

  it('is one and the same for two that make it at the same time', async () => {
    const directory = await directoryPath();
    const [one, other] = await Promise.all([HostKey.open(directory), HostKey.open(directory)]);
    expect(one.publicKey).toBe(other.publicKey);
  });

  it.each([
    ['is torn', '-----BEGIN PRIVATE KEY-----\nMC4C'],
    ['is empty', ''],
  ])('that %s is not replaced in silence', async (_what, text) => {
    const directory = await directoryPath();
    await writeFile(join(directory, 'host-key'), text);
    await expect(HostKey.open(directory)).rejects.toMatchObject({ code: 'host-state-lost', grade: 'final' });
  });
});
