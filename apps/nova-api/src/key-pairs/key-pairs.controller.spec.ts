import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { UserId } from '@novella/core';
import { MOST_KEY_PAIRS } from '../limits/quotas.js';
import { CERTIFICATE, SSH_KEYS } from '../testing/public-keys.js';
import { ADMIN, OTHER_PROJECT, startNovaApi, STRANGER, type TestApi, USER } from '../testing/start-nova-api.js';

const { ed25519 } = SSH_KEYS;
const PATH = '/v2.1/os-keypairs';

let api: TestApi;
beforeEach(async () => {
  api = await startNovaApi();
});
afterEach(() => api.close());

interface Options {
  version?: string;
  as?: string;
}
const create = (fields: object, { version = '2.90', as = USER }: Options = {}) =>
  api.ask('POST', PATH, { version, as, body: { keypair: fields } });
const imported = (name: string, options: Options = {}) => create({ name, public_key: ed25519.key }, options);
const names = async (query = '', { version = '2.90', as = USER }: Options = {}) =>
  (await api.ask('GET', `${PATH}${query}`, { version, as })).json.keypairs.map(({ keypair }) => keypair.name);

const SUMMARY = ['fingerprint', 'name', 'public_key'];
const NEW = [...SUMMARY, 'user_id'];
const SHOWN = [...NEW, 'created_at', 'deleted', 'deleted_at', 'id', 'updated_at'];

describe('POST /os-keypairs', () => {
  it.each<[string, number, string[]]>([
    ['2.1', 200, NEW],
    ['2.2', 201, [...NEW, 'type']],
    ['2.92', 201, [...NEW, 'type']],
  ])('takes in a public key at %s with %i and exactly %j', async (version, code, keys) => {
    const answer = await imported('laptop', { version });
    expect(answer.code).toBe(code);
    expect(Object.keys(answer.json.keypair).toSorted()).toEqual(keys.toSorted());
    expect(answer.json.keypair).toMatchObject({
      name: 'laptop',
      public_key: ed25519.key,
      fingerprint: ed25519.fingerprint,
      user_id: 'alice',
    });
  });

  it('makes a pair before 2.92, and keeps no private key', async () => {
    const { code, json } = await create({ name: 'made' });
    expect(code).toBe(201);
    expect(json.keypair.private_key).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/);
    expect(json.keypair.public_key).toMatch(/^ssh-rsa /);
    const shown = (await api.ask('GET', `${PATH}/made`, { version: '2.90' })).json.keypair;
    expect(shown).not.toHaveProperty('private_key');
    expect(shown.fingerprint).toBe(json.keypair.fingerprint);
    expect(JSON.stringify([api.told, api.logged])).not.toContain('PRIVATE KEY');
  });

  it('takes in a certificate, with its SHA-1', async () => {
    const { code, json } = await create({ name: 'windows', type: 'x509', public_key: CERTIFICATE.key });
    expect(code).toBe(201);
    expect(json.keypair).toMatchObject({ type: 'x509', fingerprint: CERTIFICATE.fingerprint });
  });

  it.each<[string, number, object]>([
    ['2.1', 400, { name: 'k', type: 'ssh', public_key: ed25519.key }],
    ['2.2', 201, { name: 'k', type: 'ssh', public_key: ed25519.key }],
    ['2.9', 400, { name: 'k', user_id: 'alice', public_key: ed25519.key }],
    ['2.10', 201, { name: 'k', user_id: 'alice', public_key: ed25519.key }],
    ['2.91', 201, { name: 'k' }],
    ['2.92', 400, { name: 'k' }],
    ['2.91', 400, { name: 'me@home.net', public_key: ed25519.key }],
    ['2.92', 201, { name: 'me@home.net', public_key: ed25519.key }],
  ])('at %s answers %i to %j', async (version, code, fields) => {
    expect((await create(fields, { version })).code).toBe(code);
  });

  it.each<[string, object]>([
    ['no name', { name: undefined }],
    ['an empty name', { name: '' }],
    ['a name of 256 letters', { name: 'x'.repeat(256) }],
    ['a name with a slash', { name: 'a/b' }],
    ['a name with a blank at its end', { name: 'a ' }],
    ['a name that is a number', { name: 1 }],
    ['a key that is none', { public_key: 'ssh-rsa AAAA' }],
    ['a key that is null', { public_key: null }],
    ['an empty key', { public_key: '' }],
    ['a key with NUL', { public_key: 'ssh-ed25519 \u0000' }],
    ['a type that nobody knows', { type: 'pgp' }],
    ['a certificate that is none', { type: 'x509' }],
    ['a certificate that is cut off', { type: 'x509', public_key: CERTIFICATE.key.slice(0, 200) }],
    ['a certificate to be made', { type: 'x509', public_key: undefined }],
    ['a user that is no text', { user_id: 1 }],
    ['a key that nobody knows', { color: 'red' }],
  ])('refuses %s with 400 and keeps nothing', async (_, fields) => {
    const answer = await create({ name: 'laptop', public_key: ed25519.key, ...fields });
    expect([answer.code, answer.json.badRequest.code]).toEqual([400, 400]);
    expect(await names()).toEqual([]);
  });

  it.each(['{}', '[]', 'null', '{"keypair": []}', '{"keypair": null}', '"x"', ''])(
    'refuses the body %s',
    async (body) => {
      expect((await api.ask('POST', PATH, { body })).code).toBe(400);
    },
  );

  it('is 409 for a name that the user has, and takes it for another user', async () => {
    await imported('laptop');
    expect((await imported('laptop')).json.conflictingRequest.code).toBe(409);
    expect((await imported('laptop', { as: STRANGER })).code).toBe(201);
  });

  it('is 403 for one key pair too many', async () => {
    for (let n = 0; n < MOST_KEY_PAIRS; n += 1) {
      const keyPair = {
        userId: 'alice' as UserId,
        name: `k${n}`,
        type: 'ssh',
        publicKey: 'x',
        fingerprint: 'x',
      } as const;
      await api.store.createKeyPair(keyPair, MOST_KEY_PAIRS);
    }
    expect((await imported('one-more')).code).toBe(403);
  });
});

describe('GET /os-keypairs', () => {
  it.each<[string, string[]]>([
    ['2.1', SUMMARY],
    ['2.2', [...SUMMARY, 'type']],
  ])('lists at %s each with exactly %j', async (version, keys) => {
    await imported('laptop');
    const { keypairs } = (await api.ask('GET', PATH, { version })).json;
    expect(keypairs.map(({ keypair }) => Object.keys(keypair).toSorted())).toEqual([keys.toSorted()]);
  });

  it('pages from 2.35, by name', async () => {
    for (const name of ['b', 'c', 'a']) await imported(name);
    const { json } = await api.ask('GET', `${PATH}?limit=2`, { version: '2.35' });
    expect(json.keypairs.map(({ keypair }) => keypair.name)).toEqual(['a', 'b']);
    expect(json.keypairs_links?.[0]?.href).toBe('http://localhost:80/v2.1/os-keypairs?limit=2&marker=b');
    expect(await names('?limit=2&marker=b', { version: '2.35' })).toEqual(['c']);
    expect(await names('?limit=2&marker=b', { version: '2.34' })).toEqual(['a', 'b', 'c']);
    expect(await names('?limit=0', { version: '2.35' })).toEqual([]);
  });

  it.each([
    ['2.34', '?limit=x', 200],
    ['2.35', '?limit=x', 400],
    ['2.35', '?limit=-1', 400],
    ['2.34', '?marker=none', 200],
    ['2.35', '?marker=none', 400],
    ['2.74', '?color=red', 200],
    ['2.75', '?color=red', 400],
    ['2.9', '?user_id=bob', 200],
    ['2.10', '?user_id=bob', 403],
    ['2.10', '?user_id=alice', 200],
  ])('at %s answers %s with %i', async (version, query, code) => {
    expect((await api.ask('GET', `${PATH}${query}`, { version })).code).toBe(code);
  });
});

describe('one key pair', () => {
  it.each<[string, string[]]>([
    ['2.1', SHOWN],
    ['2.2', [...SHOWN, 'type']],
  ])('is shown at %s with exactly %j', async (version, keys) => {
    await imported('laptop');
    const { keypair } = (await api.ask('GET', `${PATH}/laptop`, { version })).json;
    expect(Object.keys(keypair).toSorted()).toEqual(keys.toSorted());
    expect(keypair).toMatchObject({ user_id: 'alice', id: 1, deleted: false, deleted_at: null, updated_at: null });
    expect(keypair.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  });

  it.each([
    ['2.1', 202],
    ['2.2', 204],
  ])('is deleted at %s with %i, once', async (version, code) => {
    await imported('laptop');
    expect((await api.ask('DELETE', `${PATH}/laptop`, { version })).code).toBe(code);
    expect((await api.ask('DELETE', `${PATH}/laptop`, { version })).code).toBe(404);
  });

  it('of another user is 404', async () => {
    await imported('laptop');
    for (const as of [STRANGER, ADMIN]) {
      expect((await api.ask('GET', `${PATH}/laptop`, { as })).code).toBe(404);
      expect((await api.ask('DELETE', `${PATH}/laptop`, { as })).code).toBe(404);
    }
    expect(await names()).toEqual(['laptop']);
  });

  it('of a user in another project is the same', async () => {
    await imported('laptop');
    expect((await api.ask('GET', `${PATH}/laptop`, { as: `alice:${OTHER_PROJECT}` })).code).toBe(200);
  });

  it('of another user is an administrator’s from 2.10, and 403 for others', async () => {
    const made = await create(
      { name: 'given', public_key: ed25519.key, user_id: 'alice' },
      { version: '2.10', as: ADMIN },
    );
    expect(made.json.keypair.user_id).toBe('alice');
    expect(await names('', { version: '2.10' })).toEqual(['given']);
    expect(await names('?user_id=alice', { version: '2.10', as: ADMIN })).toEqual(['given']);
    const ask = (method: 'GET' | 'DELETE', as: string, version = '2.10') =>
      api.ask(method, `${PATH}/given?user_id=alice`, { as, version });
    expect((await ask('GET', ADMIN)).code).toBe(200);
    expect((await ask('GET', ADMIN, '2.9')).code).toBe(404);
    expect((await ask('GET', STRANGER)).code).toBe(403);
    expect((await ask('DELETE', STRANGER)).code).toBe(403);
    expect((await create({ name: 'k', public_key: ed25519.key, user_id: 'alice' }, { as: STRANGER })).code).toBe(403);
    expect((await ask('DELETE', ADMIN)).code).toBe(204);
  });

  it.each(['nope', '%00', '..%2f'])('named %s is 404', async (name) => {
    expect((await api.ask('GET', `${PATH}/${name}`)).code).toBe(404);
  });

  it.each([
    ['2.74', 200],
    ['2.75', 400],
  ])('at %s with an unknown query key is %i', async (version, code) => {
    await imported('laptop');
    expect((await api.ask('GET', `${PATH}/laptop?color=red`, { version })).code).toBe(code);
  });
});
