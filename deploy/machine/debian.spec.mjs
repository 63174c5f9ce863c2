import { describe, expect, it } from '@jest/globals';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingPackages, withoutDaemons } from './debian.mjs';

describe('missing packages', () => {
  it('are those that dpkg does not call installed, also when only their configuration is left', () => {
    const statuses = new Map([
      ['cpio', 'installed'],
      ['qemu-utils', 'config-files'],
    ]);
    expect(missingPackages(['cpio', 'qemu-utils', 'virtual'], () => statuses)).toEqual(['qemu-utils', 'virtual']);
  });

  it('are all of them where nothing answers', () => {
    expect(missingPackages(['cpio'], () => new Map())).toEqual(['cpio']);
  });
});

describe('the policy that starts no daemon', () => {
  it('answers 101 while the work runs and is gone after it', async () => {
    await withPath(async (path) => {
      const status = await withoutDaemons(async () => spawnSync(path, ['cinder-api', 'start']).status, path);
      expect(status).toBe(101);
      await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });

  it('is gone when the work has failed', async () => {
    await withPath(async (path) => {
      const failed = withoutDaemons(() => Promise.reject(new Error('apt-get')), path);
      await expect(failed).rejects.toThrow('apt-get');
      await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });

  it('of somebody else stays as it was', async () => {
    await withPath(async (path) => {
      await writeFile(path, '#!/bin/sh\nexit 0\n');
      await chmod(path, 0o755);
      const status = await withoutDaemons(async () => spawnSync(path).status, path);
      expect(status).toBe(0);
      expect(await readFile(path, 'utf8')).toBe('#!/bin/sh\nexit 0\n');
    });
  });

  it('of ours whose process is gone is replaced and removed', async () => {
    await withPath(async (path) => {
      const { pid } = spawnSync('true');
      await writeFile(
        path,
        `#!/bin/sh\n# written by novella, process ${pid}; it goes when that process ends\nexit 0\n`,
      );
      await chmod(path, 0o755);
      const status = await withoutDaemons(async () => spawnSync(path).status, path);
      expect(status).toBe(101);
      await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });
});

async function withPath(use) {
  const folder = await mkdtemp(join(tmpdir(), 'novella-policy-'));
  try {
    await use(join(folder, 'policy-rc.d'));
  } finally {
    await rm(folder, { recursive: true });
  }
}
