import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostName } from '@novella/core';
import { rememberHostName } from './host-name.js';

describe('the name of the host in its state directory', () => {
  let folder: string;
  const remember = (name: string) => rememberHostName(folder, name as HostName);
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'novella-host-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is written at the first start, and is the same at the next', async () => {
    await remember('compute-1');
    expect(await readFile(join(folder, 'host'), 'utf8')).toBe('compute-1\n');
    await remember('compute-1');
    expect(await readdir(folder)).toEqual(['host']);
  });

  it.each(['compute-2', 'compute-11', 'compute-', 'Compute-1'])('refuses the name %s afterwards', async (other) => {
    await remember('compute-1');
    await expect(remember(other)).rejects.toMatchObject({ code: 'host-renamed', grade: 'final' });
    expect(await readFile(join(folder, 'host'), 'utf8')).toBe('compute-1\n');
  });

  it('takes no half-written name for one', async () => {
    await writeFile(join(folder, 'host.next'), 'comp');
    await remember('compute-1');
    await remember('compute-1');
    expect(await readdir(folder)).toEqual(['host']);
  });

  it('fails when it cannot be read or written', async () => {
    await expect(rememberHostName(join(folder, 'gone'), 'compute-1' as HostName)).rejects.toThrow('ENOENT');
  });
});
