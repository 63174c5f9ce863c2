import { stat } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { millis, seconds } from '@novella/core';
import { spawnRunner } from './process-runner.js';

const node = process.execPath;

describe('spawnRunner', () => {
  it('answers code, stdout and stderr of a program, whatever the code is', async () => {
    const script = "process.stdout.write('out'); process.stderr.write('err'); process.exitCode = 3";
    expect(await spawnRunner.run([node, '-e', script], { timeout: seconds(60) })).toEqual({
      code: 3,
      stdout: 'out',
      stderr: 'err',
    });
  });

  it('hands arguments over as they are, never through a shell', async () => {
    const script = 'process.stdout.write(process.argv[1])';
    const { stdout } = await spawnRunner.run([node, '-e', script, '$(id); *'], { timeout: seconds(60) });
    expect(stdout).toBe('$(id); *');
  });

  it('gives a program its input as a file that has no name, and leaves none behind', async () => {
    const script = `
      const { readFileSync, readlinkSync, fstatSync } = require('node:fs');
      const text = readFileSync('/dev/fd/0', 'utf8') + readFileSync(0, 'utf8');
      const { nlink, mode } = fstatSync(0);
      process.stdout.write(JSON.stringify({ text, nlink, mode: mode & 0o777, path: readlinkSync('/proc/self/fd/0') }));`;
    const { stdout } = await spawnRunner.run([node, '-e', script], { timeout: seconds(60), input: 'geheim ' });
    const { path, ...seen } = JSON.parse(stdout) as { path: string };
    expect(seen).toEqual({ text: 'geheim geheim ', nlink: 0, mode: 0o600 });
    await expect(stat(path.replace(' (deleted)', ''))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('gives a program nothing to read without an input', async () => {
    const script = "process.stdout.write(JSON.stringify(require('node:fs').readFileSync(0, 'utf8')))";
    expect((await spawnRunner.run([node, '-e', script], { timeout: seconds(60) })).stdout).toBe('""');
  });

  it('fails when there is no such program', async () => {
    await expect(spawnRunner.run(['/nowhere/losetup'], { timeout: seconds(60) })).rejects.toMatchObject({
      code: 'internal',
    });
  });

  it('kills a program that runs for too long', async () => {
    await expect(
      spawnRunner.run([node, '-e', 'setInterval(() => undefined, 1000)'], { timeout: millis(300) }),
    ).rejects.toMatchObject({ code: 'internal', facts: { signal: 'SIGKILL' } });
  });

  it('fails when a program writes without end', async () => {
    await expect(
      spawnRunner.run([node, '-e', "const more = () => process.stdout.write('x'.repeat(65536), more); more()"], {
        timeout: seconds(60),
      }),
    ).rejects.toMatchObject({ code: 'internal' });
  });
});
