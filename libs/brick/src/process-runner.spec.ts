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
