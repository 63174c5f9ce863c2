import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MOST_CONSOLE_BYTES } from '@novella/contracts';
import { readConsole, safeText } from './console-file.js';
import { NO_MESSAGE, OTHER_SERVER, SERVER, testHost } from './testing/test-host.js';

describe('the console of a guest', () => {
  let root: string;
  let folder: string;
  const write = (output: string | Buffer) => writeFile(join(folder, 'console.log'), output);

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'novella-console-'));
    folder = join(root, 'instance');
    await mkdir(folder);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('is empty before its first output', async () => {
    expect(await readConsole(folder, null)).toBe('');
    expect(await readConsole(folder, 10)).toBe('');
    await write('');
    expect(await readConsole(folder, 10)).toBe('');
  });

  it('is not there for a server that is not on the host', async () => {
    await expect(readConsole(join(root, 'other'), null)).rejects.toMatchObject({ code: 'domain-not-found' });
  });

  it.each([
    [null, 'one\ntwo\nthree\n'],
    [0, ''],
    [1, ''],
    [2, 'three\n'],
    [4, 'one\ntwo\nthree\n'],
    [100, 'one\ntwo\nthree\n'],
    [Number.MAX_SAFE_INTEGER, 'one\ntwo\nthree\n'],
  ])('of three lines asked for %p lines is counted as Nova counts', async (lines, output) => {
    await write('one\ntwo\nthree\n');
    expect(await readConsole(folder, lines)).toBe(output);
  });

  it('is its end when it is longer than may be shown', async () => {
    await write(`${'a'.repeat(200_000)}end`);
    const output = await readConsole(folder, null);
    expect(output).toHaveLength(MOST_CONSOLE_BYTES);
    expect(output.endsWith('aend')).toBe(true);
  });

  it('is read at its end alone, however long it is', async () => {
    const file = await open(join(folder, 'console.log'), 'w');
    await file.write('the end', 2 ** 40);
    await file.close();
    expect((await readConsole(folder, null)).endsWith('the end')).toBe(true);
  });

  it('has what is no UTF-8 replaced, and is never longer for it', async () => {
    await write(Buffer.from([0x6f, 0x6b, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x0a]));
    const output = await readConsole(folder, null);
    expect(output).toMatch(/^ok\ufffd\ufffd\(\ufffd+\n$/);
    await write(Buffer.alloc(200_000, 0xff));
    const replaced = await readConsole(folder, null);
    expect(Buffer.byteLength(replaced)).toBeLessThanOrEqual(MOST_CONSOLE_BYTES);
    expect(replaced).toMatch(/^\ufffd+$/);
  });

  it('does not begin with the rest of a character that the cut went through', () => {
    const euro = Buffer.from('€');
    for (const left of [0, 1, 2]) {
      const output = Buffer.concat([euro.subarray(left), Buffer.from('uro')]);
      expect(safeText(output, { cut: true })).toBe(left === 0 ? '€uro' : 'uro');
    }
    expect(safeText(Buffer.from([0x82, 0xac, 0x75]), { cut: false })).toBe('\ufffd\ufffdu');
  });

  it('is not followed when it is a link, wherever that leads', async () => {
    await writeFile(join(root, 'secret'), 'secret');
    await symlink(join(root, 'secret'), join(folder, 'console.log'));
    await expect(readConsole(folder, null)).rejects.toMatchObject({ code: 'internal' });
    await symlink(folder, join(root, 'linked'));
    await expect(readConsole(join(root, 'linked'), null)).rejects.toMatchObject({ code: 'internal' });
  });

  it('is not waited for when it is a pipe, nor read when it is a folder', async () => {
    execFileSync('mkfifo', [join(folder, 'console.log')]);
    await expect(readConsole(folder, null)).rejects.toMatchObject({ code: 'internal' });
    await rm(join(folder, 'console.log'));
    await mkdir(join(folder, 'console.log'));
    await expect(readConsole(folder, null)).rejects.toMatchObject({ code: 'internal' });
  });

  it('leaves nothing open', async () => {
    const opened = () => execFileSync('ls', [`/proc/${process.pid}/fd`], { encoding: 'utf8' }).split('\n').length;
    await write('one');
    const before = opened();
    for (let n = 0; n < 20; n += 1) await readConsole(folder, null);
    for (let n = 0; n < 20; n += 1) await readConsole(join(root, 'other'), null).catch(() => undefined);
    expect(opened()).toBeLessThan(before + 10);
  });
});

it('is answered to a call, also while the hypervisor does not answer', async () => {
  const host = await testHost();
  await host.build([]);
  await writeFile(host.files.consolePath(SERVER), 'login: ');
  host.fake.setReachable(false);
  const ask = (server: typeof SERVER) => host.handlers.console_output({ server, lines: null }, NO_MESSAGE);
  expect(await ask(SERVER)).toEqual({ output: 'login: ' });
  await expect(ask(OTHER_SERVER)).rejects.toMatchObject({ code: 'domain-not-found' });
  host.fake.setReachable(true);
  await host.delete([]);
  await expect(ask(SERVER)).rejects.toMatchObject({ code: 'domain-not-found' });
  await host.remove();
});
