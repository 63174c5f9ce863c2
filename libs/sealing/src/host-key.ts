import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { link, open, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { NovellaError } from '@novella/core';
import { publicKeyText, type Secret, unseal } from './sealed-box.js';

/** The key that secrets for this host are sealed to. It is made at the host's first start and never leaves the host. */
export class HostKey {
  /** Raw X25519, base64. */
  readonly publicKey: string;
  readonly #privateKey: KeyObject;

  private constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.publicKey = publicKeyText(createPublicKey(privateKey));
  }

  /**
   * Reads `<directory>/host-key`, or makes it, readable by its owner alone. Error host-state-lost when it is there but
   * no X25519 key: removing it makes a new one, and every secret is then asked for again.
   */
  static async open(directory: string): Promise<HostKey> {
    const path = join(directory, 'host-key');
    if (!(await exists(path))) await makeKey(directory, path);
    return new HostKey(readKey(await readFile(path, 'utf8'), path));
  }

  /** Error: secret-unreadable. */
  unseal(sealed: string, boundTo: string): Secret {
    return unseal(this.#privateKey, sealed, boundTo);
  }
}

/**
 * Whole under its name or not there at all: a torn key would lose every secret sealed to it. Of two that make one at the
 * same time the first wins, and both use its key.
 */
async function makeKey(directory: string, path: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('x25519');
  const partial = `${path}.${randomUUID()}`;
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await file.sync();
  } finally {
    await file.close();
  }
  await link(partial, path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  await unlink(partial);
  const folder = await open(directory, 'r');
  await folder.sync().finally(() => folder.close());
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

function readKey(text: string, path: string): KeyObject {
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'x25519') return key;
    throw new Error(`a key of type ${key.asymmetricKeyType ?? 'unknown'}`);
  } catch (cause) {
    throw new NovellaError('host-state-lost', "the host's key cannot be read", { path }, { cause, grade: 'final' });
  }
}
