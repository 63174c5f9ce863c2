import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { waitUntil } from './wait-until.js';

const LOADER = join(import.meta.dirname, '..', '..', '..', 'test', 'bad-input', 'typescript.mjs');

/** Programs on this machine whose command line has `text`, whatever namespace they are in. */
async function processesWith(text: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
  return stdout.split('\n').filter((line) => line.includes(text));
}

it('a private Ceph ends, and its folder goes, when the process that started it is killed', async () => {
  const script = `import { startPrivateCeph } from ${JSON.stringify(join(import.meta.dirname, 'private-ceph.ts'))};
const ceph = await startPrivateCeph({ user: 'somebody', pools: ['one'] });
await ceph.rbd('create', 'one/image', '--size', '1M', '--id', 'somebody', '--keyring', ceph.client.keyringPath);
console.log(JSON.stringify({ dir: ceph.dir, images: await ceph.rbd('ls', 'one') })); setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--import', LOADER, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve, reject) => {
    owner.stdout.setEncoding('utf8').once('data', resolve);
    owner.once('exit', (code) => reject(new Error(`the owner ended with ${code ?? 'no status'}`)));
  });
  const { dir, images } = JSON.parse(line) as { dir: string; images: string };
  expect(images).toBe('image');
  expect((await processesWith(dir)).length).toBeGreaterThanOrEqual(2);
  owner.kill('SIGKILL');
  await waitUntil(async () => (await processesWith(dir)).length === 0, { what: 'all of it to end' });
  expect(existsSync(dir)).toBe(false);
}, 180_000);
