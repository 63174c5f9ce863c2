import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, type TemporaryDirectory } from '@novella/testing';
import { type ClusterOptions, parseOptions } from './options.js';
import { prepareStateFolder, Refusal, releaseStateFolder, takeStateFolder } from './state-folder.js';

describe('the state folder of a cluster', () => {
  let dir: TemporaryDirectory;
  beforeEach(async () => {
    dir = await temporaryDirectory();
  });
  afterEach(() => dir.remove());

  function options(...words: string[]): ClusterOptions {
    const all = ['--state', join(dir.path, 'cluster'), '--driver', 'fake', ...words];
    const parsed = parseOptions(all, { isRoot: false, stateHome: undefined });
    if (parsed.kind !== 'run') throw new Error('not to run');
    return parsed.options;
  }

  async function runOnce(...words: string[]) {
    const folder = await takeStateFolder(options(...words));
    await prepareStateFolder(folder, options(...words).fresh);
    return folder;
  }

  it('keeps what an earlier run left, until a fresh one', async () => {
    const first = await runOnce();
    await writeFile(first.passwords, '{}');
    await releaseStateFolder(first);
    const second = await runOnce();
    expect(await readFile(second.passwords, 'utf8')).toBe('{}');
    await releaseStateFolder(second);
    const third = await runOnce('--fresh');
    expect(await readdir(third.broker)).toEqual([]);
  });

  it('with other things in it is refused, also by a fresh cluster, and left as it was', async () => {
    const state = dir.path;
    await writeFile(join(state, 'letters'), 'dear');
    await expect(takeStateFolder({ ...options('--fresh'), state })).rejects.toBeInstanceOf(Refusal);
    expect(await readdir(state)).toEqual(['letters']);
  });

  it('is refused while a cluster runs there, which this very process is', async () => {
    await runOnce();
    await expect(takeStateFolder(options())).rejects.toBeInstanceOf(Refusal);
  });

  it('is taken over from a process that is gone, also when its pid is in use again', async () => {
    const folder = await runOnce();
    const gone = spawn('true');
    await once(gone, 'exit');
    for (const owner of [
      { pid: gone.pid, startTime: '1' },
      { pid: process.pid, startTime: '1' },
    ]) {
      await writeFile(join(folder.path, 'novella-cluster.json'), JSON.stringify({ driver: 'fake', owner }));
      await expect(takeStateFolder(options())).resolves.toMatchObject({ path: folder.path });
      await releaseStateFolder(folder);
    }
  });

  it('with the guests of another driver is refused, but not by a fresh cluster', async () => {
    await releaseStateFolder(await runOnce());
    await expect(takeStateFolder(options('--driver', 'libvirt'))).rejects.toBeInstanceOf(Refusal);
    await expect(takeStateFolder(options('--driver', 'libvirt', '--fresh'))).resolves.toBeDefined();
  });
});
