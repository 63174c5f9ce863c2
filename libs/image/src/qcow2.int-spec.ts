import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readQcow2Header } from './qcow2.js';

// Needs qemu-img: the headers are those that QEMU itself writes.
describe('headers written by qemu-img', () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'novella-qcow2-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const create = (...args: string[]) =>
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...args], { cwd: folder });

  it.each(['0.10', '1.1'])('reads the virtual size at compatibility level %s', async (compat) => {
    create('-o', `compat=${compat}`, 'disk', '3G');
    const version = compat === '1.1' ? 3 : 2;
    expect(await readQcow2Header(join(folder, 'disk'))).toEqual({ virtualSize: 3 * 2 ** 30, version, snapshots: 0 });
  });

  it('counts the snapshots that qemu-img has made', async () => {
    create('disk', '1G');
    execFileSync('qemu-img', ['snapshot', '-c', 'one', 'disk'], { cwd: folder });
    expect(await readQcow2Header(join(folder, 'disk'))).toMatchObject({ snapshots: 1 });
  });

  it('does not follow a link, nor wait for a pipe', async () => {
    create('disk', '1G');
    await symlink('disk', join(folder, 'link'));
    await expect(readQcow2Header(join(folder, 'link'))).rejects.toThrow('ELOOP');
    execFileSync('mkfifo', ['pipe'], { cwd: folder });
    await expect(readQcow2Header(join(folder, 'pipe'))).rejects.toThrow();
  });

  it('refuses an image with a backing file', async () => {
    create('base', '1G');
    create('-b', 'base', '-F', 'qcow2', 'disk');
    await expect(readQcow2Header(join(folder, 'disk'))).rejects.toMatchObject({ code: 'image-refused' });
  });

  it('refuses an image with a data file', async () => {
    create('-o', 'data_file=data.raw', 'disk', '1G');
    await expect(readQcow2Header(join(folder, 'disk'))).rejects.toMatchObject({ code: 'image-refused' });
  });
});
