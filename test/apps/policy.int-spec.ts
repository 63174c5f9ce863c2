import 'reflect-metadata';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { temporaryDirectory, type TemporaryDirectory, waitUntil } from '@novella/testing';
import { Program, untilReason } from './program.js';

/** nova-api as a process, with a policy and without a database: what a rule allows ends in 503, what it does not in 403. */
const SETTINGS = {
  NOVELLA_BROKER_URLS: 'amqp://nova:nova@127.0.0.1:1/',
  NOVELLA_DATABASE_URL: 'postgres://nova:nova@127.0.0.1:1/nova',
  NOVELLA_CINDER_ENDPOINT: 'http://127.0.0.1:1/v3',
  NOVELLA_AUTH_STRATEGY: 'noauth2',
  NOVELLA_API_PORT: '0',
  NOVELLA_SHUTDOWN_GRACE_S: '0',
};
const main = 'apps/nova-api/src/main.ts';

let directory: TemporaryDirectory;
const file = (name: string): string => join(directory.path, name);
beforeAll(async () => {
  directory = await temporaryDirectory();
  mkdirSync(file('policy.d'));
});
afterAll(() => directory.remove());

describe('nova-api with policy files', () => {
  it('ends with 2 and names file and line of all that is wrong with them', async () => {
    writeFileSync(file('wrong.yaml'), 'context_is_admin: role:admin\nadmin_api: role:admin and\n');
    writeFileSync(file('policy.d/wrong.yaml'), 'admin_api:\n');
    const program = new Program(main, {
      ...SETTINGS,
      NOVELLA_POLICY_FILE: file('wrong.yaml'),
      NOVELLA_POLICY_DIRS: file('policy.d'),
    });
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.stderr).toContain(`NOVELLA_POLICY_FILE=${file('wrong.yaml')}:2: `);
    expect(program.stderr).toContain(`NOVELLA_POLICY_DIRS=${file('policy.d/wrong.yaml')}:1: `);
    expect(program.log).toEqual([]);
  });

  it('ends with 2 where the file is not there', async () => {
    const program = new Program(main, { ...SETTINGS, NOVELLA_POLICY_FILE: file('absent.yaml') });
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.stderr).toContain(`NOVELLA_POLICY_FILE=${file('absent.yaml')}: `);
  });

  it('follows them, and stays with the rules of before where they become wrong', async () => {
    const rule = (check: string) =>
      writeFileSync(file('policy.yaml'), `"os_compute_api:os-services:list": "${check}"\n`);
    rule('!');
    const program = new Program(main, { ...SETTINGS, NOVELLA_POLICY_FILE: file('policy.yaml') });
    try {
      const { api, health } = (await program.says('serving')) as unknown as { api: string; health: string };
      const listing = async () =>
        (await fetch(`${api}/os-services`, { headers: { 'x-auth-token': 'admin:p' } })).status;
      const until = (status: number) =>
        waitUntil(async () => (await listing()) === status, { what: `${status} for the list of services` });
      await until(403);
      rule('role:admin');
      await until(503);
      rule('role:admin and');
      await untilReason(health, 'policy', /policy\.yaml:1/);
      expect(await listing()).toBe(503);
      rule('!');
      await until(403);
      await untilReason(health, 'policy', null);
    } finally {
      await program.signal('SIGTERM');
    }
  });
});
