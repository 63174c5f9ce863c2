import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConnectionInfoOf, NovellaError } from '@novella/core';
import type { ReachableVolume } from './connector.js';

type Auth = NonNullable<ConnectionInfoOf<'rbd'>['auth']>;

/**
 * The user's key, base64: the one that came with the volume, else that of the host's own keyring,
 * `<cephDir>/<cluster>.client.<user>.keyring`, as os-brick's rbd connector looks for it. Errors: volume-key-missing;
 * connection-info-invalid when what came with the volume is no key.
 */
export async function cephxKey(
  { connection, secret }: ReachableVolume<ConnectionInfoOf<'rbd'>>,
  auth: Auth,
  cephDir: string,
): Promise<string> {
  const came = secret?.['keyring'];
  if (came !== undefined) {
    const key = keyIn(came, auth.username);
    if (key !== null) return key;
    throw new NovellaError('connection-info-invalid', 'the keyring that came with the volume has no key of its user', {
      username: auth.username,
    });
  }
  const path = join(cephDir, `${connection.cluster}.client.${auth.username}.keyring`);
  const facts = { path, username: auth.username };
  const keyring = await readFile(path, 'utf8').catch((cause: unknown) => {
    const message = 'neither came a key of the Ceph user with the volume, nor has the host a keyring of it';
    throw new NovellaError('volume-key-missing', message, facts, { cause });
  });
  const key = keyIn(keyring, auth.username);
  if (key === null) throw new NovellaError('volume-key-missing', "the host's keyring has no key of its user", facts);
  return key;
}

const KEY = /^[A-Za-z0-9+/]{16,}={0,2}$/;

/** Of a keyring (sections of users, `key = <base64>`), or of a text that is the key alone. */
function keyIn(text: string, username: string): string | null {
  if (KEY.test(text.trim())) return text.trim();
  let user: string | null = null;
  for (const line of text.split('\n')) {
    const section = /^\s*\[(.+)\]\s*$/.exec(line);
    if (section !== null) user = section[1] ?? null;
    const key = /^\s*key\s*=\s*"?([^\s"]+)"?\s*$/.exec(line)?.[1];
    if (key !== undefined && user === `client.${username}` && KEY.test(key)) return key;
  }
  return null;
}
