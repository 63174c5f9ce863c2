import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { type PrivateLibvirtd, startPrivateLibvirtd } from './private-libvirtd.js';

jest.setTimeout(120_000);
const run = promisify(execFile);
const started: PrivateLibvirtd[] = [];
const folders: string[] = [];

async function start(dir?: string): Promise<PrivateLibvirtd> {
  const libvirtd = await startPrivateLibvirtd(dir === undefined ? {} : { dir });
  started.push(libvirtd);
  return libvirtd;
}

const virsh = async (libvirtd: PrivateLibvirtd, ...args: string[]): Promise<string> => {
  const uri = `qemu+unix:///system?socket=${libvirtd.socketPath}`;
  return (await run('virsh', ['-q', '-c', uri, ...args])).stdout.trim();
};

async function defineGuest(libvirtd: PrivateLibvirtd, name: string): Promise<void> {
  const path = join(libvirtd.dir, `${name}.xml`);
  await writeFile(
    path,
    `<domain type='qemu'><name>${name}</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><memballoon model='none'/></devices></domain>`,
  );
  await virsh(libvirtd, 'define', path);
}

/** Programs on this machine whose command line has `text`, whatever namespace they are in. */
async function processesWith(text: string): Promise<string[]> {
  const { stdout } = await run('ps', ['-eo', 'args']);
  return stdout.split('\n').filter((line) => line.includes(text) && !line.startsWith('ps '));
}

afterAll(async () => {
  for (const libvirtd of started) await libvirtd.stop();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

describe('startPrivateLibvirtd', () => {
  it('runs two beside each other that do not see one another', async () => {
    const [one, other] = [await start(), await start()];
    await defineGuest(one, 'only-in-one');
    expect(await virsh(one, 'list', '--all', '--name')).toBe('only-in-one');
    expect(await virsh(other, 'list', '--all', '--name')).toBe('');
  });

  it('keeps a guest running over a restart of libvirtd', async () => {
    const libvirtd = await start();
    await defineGuest(libvirtd, 'goes-on');
    await virsh(libvirtd, 'start', 'goes-on');
    await libvirtd.restart();
    expect(await virsh(libvirtd, 'domstate', 'goes-on')).toBe('running');
  });

  it('ends its guests and removes its folder when it is stopped', async () => {
    const libvirtd = await start();
    await defineGuest(libvirtd, 'ends-with-it');
    await virsh(libvirtd, 'start', 'ends-with-it');
    expect(await processesWith('guest=ends-with-it,')).toHaveLength(1);
    await libvirtd.stop();
    expect(await processesWith('guest=ends-with-it,')).toEqual([]);
    expect(existsSync(libvirtd.dir)).toBe(false);
  });

  it('finds the definitions again when it is started in the same folder', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'novella-libvirtd-kept-'));
    folders.push(dir);
    const first = await start(dir);
    await defineGuest(first, 'kept');
    await first.stop();
    expect(await virsh(await start(dir), 'list', '--all', '--name')).toBe('kept');
  });

  it('ends when the process that started it is killed', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'novella-libvirtd-orphan-'));
    folders.push(dir);
    const script = `import { startPrivateLibvirtd } from ${JSON.stringify(join(import.meta.dirname, 'private-libvirtd.ts'))};
await startPrivateLibvirtd({ dir: process.argv[1] }); console.log('up'); setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve, reject) => {
      owner.stdout.once('data', resolve);
      owner.once('exit', (code) => reject(new Error(`the owner ended with ${code ?? 'no status'}`)));
    });
    expect(await processesWith(dir)).not.toEqual([]);
    owner.kill('SIGKILL');
    for (let waited = 0; waited < 200 && (await processesWith(dir)).length > 0; waited += 1) await sleep(50);
    expect(await processesWith(dir)).toEqual([]);
  });
});
