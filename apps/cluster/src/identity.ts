import { readFile } from 'node:fs/promises';
import { createKeystone } from '@novella/keystone';
import { systemClock } from '@novella/service-kit';
import type { KeystoneOptions } from './options.js';
import { Refusal } from './state-folder.js';

/** Who is believed in the cluster. */
export interface Identity {
  /** The settings of nova-api and the conductors. */
  readonly environment: Readonly<Record<string, string>>;
  /** Of an administrator: the cluster itself asks for its hosts. */
  token(): Promise<string>;
  close(): Promise<void>;
}

/** cinder-dev's volumes belong to it; who calls says so in the URL, as with Cinder before 3.67. */
export const PROJECT = 'd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0';
/** noauth2: an administrator of that project. */
export const TOKEN = `admin:${PROJECT}`;

export const everybody: Identity = {
  environment: { NOVELLA_AUTH_STRATEGY: 'noauth2' },
  token: () => Promise.resolve(TOKEN),
  close: () => Promise.resolve(),
};

const DOMAIN = 'Default';
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Rejects with Refusal when the password cannot be read or Keystone does not take it. */
export async function identityOf(keystone: KeystoneOptions | null): Promise<Identity> {
  if (keystone === null) return everybody;
  const { url, username, project, passwordFile } = keystone;
  const password = await readFile(passwordFile, 'utf8').then(
    (text) => text.replace(/\r?\n$/, ''),
    (error: unknown) => {
      throw new Refusal(`--keystone-password-file ${passwordFile} cannot be read: ${String(error)}`);
    },
  );
  const client = createKeystone({
    authUrl: url,
    credentials: { kind: 'password', username, userDomain: DOMAIN, password, project, projectDomain: DOMAIN },
    endpoints: { interfaces: ['internal', 'public'], region: null },
    clock: systemClock,
    log: silent,
  });
  const identity: Identity = {
    environment: {
      NOVELLA_AUTH_STRATEGY: 'keystone',
      NOVELLA_KEYSTONE_AUTH_URL: url,
      NOVELLA_KEYSTONE_USERNAME: username,
      NOVELLA_KEYSTONE_PASSWORD: password,
      NOVELLA_KEYSTONE_PROJECT: project,
    },
    token: async () => (await client.ownToken()).id,
    close: () => client.close(),
  };
  try {
    await identity.token();
  } catch (error) {
    await identity.close();
    throw new Refusal(`--keystone ${url}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return identity;
}
