import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PrivateGlance } from './private-glance.js';
import { PrivateKeystone } from './private-keystone.js';
import { waitUntil } from './wait-until.js';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');

const START_LIMIT_MS = 240_000;
const ALICE = 'alice:one';
const BOB = 'bob:two';

describe('a private Glance that believes tokens', () => {
  let glance: PrivateGlance;
  beforeAll(async () => {
    glance = await PrivateGlance.start();
  }, START_LIMIT_MS);
  afterAll(() => glance.stop());

  it('shows an image to its project alone, and its data is in its store', async () => {
    const id = await glance.upload(ALICE, { name: 'one', hw_disk_bus: 'scsi', min_ram: 64 }, Buffer.from('data'));
    expect(await glance.call(ALICE, 'GET', `/v2/images/${id}`)).toMatchObject({
      status: 'active',
      size: 4,
      owner: 'one',
      os_hash_algo: 'sha512',
      hw_disk_bus: 'scsi',
    });
    await expect(glance.call(BOB, 'GET', `/v2/images/${id}`)).rejects.toThrow('404');
    expect(await glance.call('admin:service', 'GET', `/v2/images/${id}`)).toMatchObject({ id });
    expect(await readFile(glance.dataPath(id), 'utf8')).toBe('data');
    await glance.setProperty('admin:one', id, 'visibility', 'public');
    expect(await glance.call(BOB, 'GET', `/v2/images/${id}`)).toMatchObject({ id });
  });

  it('refuses who has no token', async () => {
    await expect(glance.call('', 'GET', '/v2/images')).rejects.toThrow('401');
  });
});

it(
  'ends, and its folder goes, when the process that started it is killed',
  async () => {
    const program = `
      const { PrivateGlance } = await import('${join(CHECKOUT, 'libs/testing/src/private-glance.ts')}');
      const glance = await PrivateGlance.start();
      console.log(glance.url, glance.folder);
      setInterval(() => undefined, 60_000);`;
    const sources = join(CHECKOUT, 'test/bad-input/typescript.mjs');
    const args = ['--import', sources, '--input-type=module', '--eval', program];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: CHECKOUT });
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const [url = '', folder = ''] = line.split(' ');
    expect((await fetch(url)).status).toBe(401);
    child.kill('SIGKILL');
    await waitUntil(
      async () =>
        !existsSync(folder) &&
        (await fetch(url).then(
          () => false,
          () => true,
        )),
    );
  },
  START_LIMIT_MS,
);

it(
  'takes tokens from a Keystone',
  async () => {
    const keystone = await PrivateKeystone.start();
    try {
      const project = await keystone.createProject('service');
      const user = await keystone.createUserIn(project, 'glance', 'admin', 'service');
      const glance = await PrivateGlance.start({ keystone: { url: keystone.url, user, project } });
      try {
        const demo = await keystone.createProject('demo');
        const alice = await keystone.token(await keystone.createUserIn(demo, 'alice', 'member'), { project: demo });
        const id = await glance.upload(alice, {}, Buffer.from('data'));
        expect(await glance.call(alice, 'GET', `/v2/images/${id}`)).toMatchObject({ owner: demo.id });
        await expect(glance.call(ALICE, 'GET', `/v2/images/${id}`)).rejects.toThrow('401');
        // Clients look for its versions before they show a token.
        expect((await fetch(glance.url)).status).toBe(300);
      } finally {
        await glance.stop();
      }
    } finally {
      await keystone.stop();
    }
  },
  START_LIMIT_MS,
);
