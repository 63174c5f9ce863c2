import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { StateLock } from './state-lock.js';

// Needs `flock` of util-linux, and processes that can be killed.
const sources = join(import.meta.dirname, '../../..');

/** Lets Node run our sources as they are: `@novella/x` and `.js` lead to TypeScript. */
const resolver = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  const libs = ${JSON.stringify(pathToFileURL(join(sources, 'libs')).href)};
  registerHooks({ resolve: (name, context, next) => {
    if (name.startsWith('@novella/')) return next(libs + '/' + name.slice(9) + '/src/index.ts', context);
    const ours = name.startsWith('.') && !context.parentURL.includes('/node_modules/');
    return next(ours ? name.replace(/\\.js$/, '.ts') : name, context);
  }});
`)}`;

const owner = (folder: string) => `
  const { StateLock } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'state-lock.ts')).href)});
  await StateLock.take(${JSON.stringify(folder)}, () => undefined);
  process.stdout.write('held');
  setInterval(() => undefined, 1000);
`;

describe('StateLock', () => {
  let folder: string;
  const owners: ChildProcess[] = [];
  const locks: StateLock[] = [];

  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'novella-lock-'))));
  afterEach(async () => {
    for (const child of owners.splice(0)) child.kill('SIGKILL');
    for (const lock of locks.splice(0)) await lock.release();
    await rm(folder, { recursive: true, force: true });
  });

  const take = async (onLost: () => void = () => undefined) => {
    const lock = await StateLock.take(folder, onLost);
    locks.push(lock);
    return lock;
  };

  /** Another process that holds the lock. */
  const startOwner = async () => {
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        '--experimental-transform-types',
        '--import',
        resolver,
        '--input-type=module',
        '-e',
        owner(folder),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    owners.push(child);
    const [first] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as unknown[];
    if (!Buffer.isBuffer(first)) throw new Error('the other process did not start');
    return child;
  };

  const takeSoon = async () => {
    for (let tries = 0; tries < 300; tries += 1) {
      try {
        return await take();
      } catch {
        await sleep(50);
      }
    }
    throw new Error('the lock was not released');
  };

  it('refuses a second holder in the same process, until it is released', async () => {
    const first = await take();
    await expect(take()).rejects.toMatchObject({ code: 'internal', grade: 'final' });
    await first.release();
    await expect(take()).resolves.toBeInstanceOf(StateLock);
  });

  it('refuses a second process, and is free after kill -9 of the first', async () => {
    const child = await startOwner();
    await expect(take()).rejects.toMatchObject({ code: 'internal', grade: 'final' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await expect(takeSoon()).resolves.toBeInstanceOf(StateLock);
  }, 60_000);

  it('stays held while the process is stopped', async () => {
    const child = await startOwner();
    child.kill('SIGSTOP');
    await expect(take()).rejects.toMatchObject({ code: 'internal' });
  }, 60_000);

  it('tells its owner when the process that holds it for us is killed', async () => {
    let tell = (): void => undefined;
    const lost = new Promise<void>((resolve) => (tell = resolve));
    const lock = await take(() => tell());
    process.kill(lock.pid!, 'SIGKILL');
    await expect(lost).resolves.toBeUndefined();
  });

  it('does not tell so when it is released', async () => {
    let lost = 0;
    const lock = await take(() => (lost += 1));
    await lock.release();
    await sleep(50);
    expect(lost).toBe(0);
  });

  it('fails when the directory is not there', async () => {
    await expect(StateLock.take(join(folder, 'gone'), () => undefined)).rejects.toMatchObject({ code: 'internal' });
  });
});
