import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { completed, definitions, passwordHash, usersFor } from './definitions.mjs';

const hosts = ['compute-1', 'rack.2'];
const passwords = completed({}, usersFor(hosts));
const made = definitions({ hosts, passwords });

const rightsOf = (user) => made.permissions.find((one) => one.user === user);
const topicsOf = (user) => made.topic_permissions.find((one) => one.user === user);
const allows = (pattern, name) => new RegExp(pattern).test(name);
const REPLY = `reply_${'a'.repeat(32)}`;

describe('the definitions', () => {
  it('hold a user for nova-api, for the conductors and for each host, and no password', () => {
    expect(made.users.map(({ name }) => name)).toEqual([
      'nova-api',
      'conductor',
      'compute-compute-1',
      'compute-rack.2',
    ]);
    for (const password of Object.values(passwords)) expect(JSON.stringify(made)).not.toContain(password);
  });

  it('let a host make its own queue and name, and nothing else', () => {
    const { configure } = rightsOf('compute-compute-1');
    expect(['compute.compute-1', 'compute.compute-1.lock'].every((name) => allows(configure, name))).toBe(true);
    const others = ['nova', 'conductor', 'compute.compute-2', 'compute.compute-10', REPLY, 'nova_dead_letter', ''];
    expect(others.filter((name) => allows(configure, name))).toEqual([]);
  });

  it('let a host send to the conductors, to who asked it and to itself, and never to the default exchange', () => {
    const { write } = rightsOf('compute-compute-1');
    expect(['amq.default', 'conductor', 'compute.rack.2'].filter((name) => allows(write, name))).toEqual([]);
    const { write: keys } = topicsOf('compute-compute-1');
    expect(['conductor', REPLY, 'compute.compute-1'].every((key) => allows(keys, key))).toBe(true);
    const others = ['compute.rack.2', 'conductor.x', 'reply_short', 'nova_dead_letter', 'compute', 'compute.#'];
    expect(others.filter((key) => allows(keys, key))).toEqual([]);
    const alike = ['compute.compute-10', 'compute.compute-1.x', 'x.compute.compute-1', 'compute.compute-1.lock'];
    expect(alike.filter((key) => allows(keys, key))).toEqual([]);
  });

  it('let a host read its own commands alone, by its queue and by the keys that it can bind', () => {
    const { read } = rightsOf('compute-compute-1');
    expect(['compute.rack.2', 'conductor', REPLY, 'nova_dead_letter'].filter((name) => allows(read, name))).toEqual([]);
    const { read: keys } = topicsOf('compute-compute-1');
    expect(allows(keys, 'compute.compute-1')).toBe(true);
    expect(['compute.rack.2', 'conductor', 'compute.#', '#', '*.*'].filter((key) => allows(keys, key))).toEqual([]);
  });

  it("take a dot in a host's name for a dot", () => {
    expect(allows(rightsOf('compute-rack.2').configure, 'compute.rack.2')).toBe(true);
    expect(allows(rightsOf('compute-rack.2').configure, 'compute.rackx2')).toBe(false);
    expect(allows(topicsOf('compute-rack.2').write, 'compute.rack.2')).toBe(true);
    expect(allows(topicsOf('compute-rack.2').write, 'compute.rackx2')).toBe(false);
  });

  it('leave the delivery limit away when it is 0', () => {
    const limits = (deliveryLimit) =>
      definitions({ hosts, passwords, deliveryLimit }).policies.map(({ definition }) => definition['delivery-limit']);
    expect(limits(0)).toEqual([undefined, undefined]);
    expect(limits(7)).toEqual([7, undefined]);
  });

  it.each(['a b', '', '-a', 'a.lock', 'a|.*'])('refuse %j as a host', (host) => {
    expect(() => definitions({ hosts: [host], passwords })).toThrow('no host name');
  });

  it('refuse a user without a password', () => {
    expect(() => definitions({ hosts, passwords: {} })).toThrow('nova-api');
  });
});

it("a password's hash is the salt and the digest of both", () => {
  const hash = Buffer.from(passwordHash('geheim', Buffer.from([1, 2, 3, 4])), 'base64');
  expect([...hash.subarray(0, 4)]).toEqual([1, 2, 3, 4]);
  const digest = createHash('sha256')
    .update(Buffer.from([1, 2, 3, 4]))
    .update('geheim')
    .digest();
  expect(hash.subarray(4).equals(digest)).toBe(true);
});

describe('the command', () => {
  let folder;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'novella-definitions-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...args) =>
    spawnSync(process.execPath, [fileURLToPath(new URL('definitions.mjs', import.meta.url)), ...args], {
      encoding: 'utf8',
    });

  it('makes passwords once, keeps them for its owner alone, and adds those of new hosts', () => {
    const file = join(folder, 'passwords.json');
    expect(run('--hosts', 'compute-1', '--passwords', file).status).toBe(0);
    const first = JSON.parse(readFileSync(file, 'utf8'));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const second = run('--hosts', 'compute-1,compute-2', '--passwords', file);
    expect(JSON.parse(second.stdout).users).toHaveLength(4);
    const now = JSON.parse(readFileSync(file, 'utf8'));
    expect(now).toMatchObject(first);
    expect(now['compute-compute-2']).toMatch(/^.{32}$/);
  });

  it.each([
    ['no hosts', ['--passwords', 'p']],
    ['no file for passwords', ['--hosts', 'a']],
    ['a wrong limit', ['--hosts', 'a', '--passwords', 'p', '--delivery-limit', 'x']],
    ['an unknown option', ['--host', 'a']],
  ])('refuses %s with 2 and writes nothing', (_what, args) => {
    const { status, stdout, stderr } = run(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('definitions:');
  });

  it('does not touch a file of passwords that it cannot read', () => {
    const file = join(folder, 'torn.json');
    writeFileSync(file, '{');
    expect(run('--hosts', 'a', '--passwords', file).status).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe('{');
  });
});
