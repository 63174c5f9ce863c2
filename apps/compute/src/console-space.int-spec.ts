import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFile, mkdir, mkdtemp, open, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ProcessRunner, spawnRunner } from '@novella/brick';
import type { LogFacts } from '@novella/core';
import { virtualClock, waitUntil } from '@novella/testing';
import { readConsole } from './console-file.js';
import { CONSOLE_END_KEPT, ConsoleSpace, MOST_CONSOLE_SPACE } from './console-space.js';
import { InstanceFiles } from './instance-files.js';
import { OTHER_SERVER, quietLog, SERVER } from './testing/test-host.js';

// Needs `fallocate` of util-linux and a file system that can make holes.
describe('the space that consoles take', () => {
  let stateDir: string;
  let files: InstanceFiles;
  let warned: (LogFacts | undefined)[];
  const clock = virtualClock();
  const log = { ...quietLog, warn: (_message: string, facts?: LogFacts) => void warned.push(facts) };
  const space = (runner: ProcessRunner = spawnRunner) => new ConsoleSpace({ files, runner, clock, log });
  const taken = async () => (await stat(files.consolePath(SERVER))).blocks * 512;

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'novella-space-'));
    files = new InstanceFiles(stateDir, spawnRunner);
    await files.makeFolder(SERVER);
    warned = [];
  });
  afterEach(() => rm(stateDir, { recursive: true, force: true }));

  const print = (mib: number) => appendFile(files.consolePath(SERVER), Buffer.alloc(mib * 2 ** 20, 'x'));

  it('is left alone up to the limit', async () => {
    await print(15);
    await space().trim();
    expect(await taken()).toBe(15 * 2 ** 20);
  });

  it('becomes a hole but for its end, of which nothing is lost, and a writer goes on where it was', async () => {
    await writeFile(files.consolePath(SERVER), '');
    const qemu = await open(files.consolePath(SERVER), 'r+');
    for (let mib = 0; mib < 20; mib += 1) await qemu.write(Buffer.alloc(2 ** 20, 'x'));
    await qemu.write('login: ');
    await space().trim();
    const { size } = await stat(files.consolePath(SERVER));
    expect(size).toBe(20 * 2 ** 20 + 7);
    expect(await taken()).toBeLessThan(CONSOLE_END_KEPT + 2 ** 18);
    await qemu.write('root\n');
    await qemu.close();
    expect((await readConsole(files.folder(SERVER), null)).endsWith('xxlogin: root\n')).toBe(true);
    expect((await readFile(files.consolePath(SERVER))).subarray(-CONSOLE_END_KEPT).includes(0)).toBe(false);
  });

  it('stays bounded for a guest that prints for ever', async () => {
    for (let round = 0; round < 5; round += 1) {
      await print(17);
      await space().trim();
      expect(await taken()).toBeLessThanOrEqual(MOST_CONSOLE_SPACE);
    }
  });

  it('is looked at again and again until it is stopped', async () => {
    await print(17);
    const looks = space();
    looks.start();
    await waitUntil(async () => clock.sleeping > 0 && (await taken()) < MOST_CONSOLE_SPACE);
    await print(17);
    await clock.advanceToNext();
    await waitUntil(async () => (await taken()) < MOST_CONSOLE_SPACE);
    await looks.stop();
    expect(clock.sleeping).toBe(0);
  });

  it('is said once when it cannot be trimmed, and does not keep others from it', async () => {
    await print(17);
    await files.makeFolder(OTHER_SERVER);
    await symlink('/etc/hostname', files.consolePath(OTHER_SERVER));
    const looks = space();
    await looks.trim();
    await looks.trim();
    expect(warned).toMatchObject([{ server: OTHER_SERVER, cause: { code: 'internal' } }]);
    expect(await taken()).toBeLessThan(MOST_CONSOLE_SPACE);
  });

  it('is said once where holes cannot be made', async () => {
    await print(17);
    const looks = space({ run: () => Promise.resolve({ code: 1, stdout: '', stderr: 'Operation not supported' }) });
    await looks.trim();
    await looks.trim();
    expect(warned).toMatchObject([{ server: SERVER, cause: { facts: { stderr: 'Operation not supported' } } }]);
  });

  it('is looked at only in the folders of servers, and when there are some', async () => {
    await mkdir(join(files.directory, 'lost+found'));
    await space().trim();
    await rm(files.directory, { recursive: true });
    await space().trim();
    expect(warned).toEqual([]);
  });
});
