import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, type TemporaryDirectory, waitUntil } from '@novella/testing';
import { follow } from './follow.js';

describe('a followed file', () => {
  let dir: TemporaryDirectory;
  let file: string;
  let lines: string[];
  beforeEach(async () => {
    dir = await temporaryDirectory();
    file = join(dir.path, 'log');
    lines = [];
    await writeFile(file, 'before\n');
  });
  afterEach(() => dir.remove());
  const start = () => follow(file, (line) => void lines.push(line));

  it('gives each line that comes, as it comes, and none from before', async () => {
    const followed = await start();
    await appendFile(file, 'one\ntw');
    await waitUntil(() => lines.length === 1, { what: 'the first line' });
    await appendFile(file, 'o\n');
    await waitUntil(() => lines.length === 2, { what: 'the second line' });
    await followed.stop();
    expect(lines).toEqual(['one', 'two']);
  });

  it('gives at its end what is there by then, also without a line end', async () => {
    const followed = await start();
    await appendFile(file, 'one\nlast words');
    await followed.stop();
    expect(lines).toEqual(['one', 'last words']);
  });

  it('does not break a character that comes in two parts, nor a line that is longer than what is read at once', async () => {
    const followed = await start();
    const bytes = Buffer.from('ü\n');
    await appendFile(file, bytes.subarray(0, 1));
    await new Promise((resolve) => setTimeout(resolve, 120));
    await appendFile(file, bytes.subarray(1));
    await appendFile(file, `${'x'.repeat(200_000)}\n`);
    await followed.stop();
    expect(lines.map((line) => line.length)).toEqual([1, 200_000]);
    expect(lines[0]).toBe('ü');
  });
});
