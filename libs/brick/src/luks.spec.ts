import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { luksOverhead, isLuks } from './luks.js';
import { formatIfEmpty, qemuCipher } from './luks-format.js';
import type { ProcessRunner, RunOptions } from './process-runner.js';
import { luksHeader } from './testing/headers.js';

const OVERHEAD = 8192;
const SECRET = { luks_passphrase: 'ab12', luks_cipher: 'aes-xts-plain64', luks_key_size: '256' };

describe('the LUKS header of a volume', () => {
  let folder: string;
  let path: string;
  let ran: { argv: readonly string[]; options: RunOptions }[];
  /** How qemu-img ends. */
  let qemuImg: { code: number; stderr: string };
  /** Stands for QEMU: a header whose places for keys are full of ones. */
  const made = Buffer.concat([luksHeader(OVERHEAD), Buffer.alloc(OVERHEAD - 592, 1)]);
  const runner: ProcessRunner = {
    run: async (argv, options) => {
      ran.push({ argv, options });
      if (qemuImg.code === 0) await writeFile(argv.at(-2) ?? '', made);
      return { stdout: '', ...qemuImg };
    },
  };
  const format = (): Promise<void> => formatIfEmpty(runner, path, SECRET);
  const refused = expect.objectContaining({ code: 'image-refused' }) as unknown;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'novella-luks-'));
    path = join(folder, 'volume');
    ran = [];
    qemuImg = { code: 0, stderr: '' };
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('says where the payload begins', async () => {
    await writeFile(path, luksHeader(2_068_480));
    expect([await isLuks(path), await luksOverhead(path)]).toEqual([true, 2_068_480]);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(4096)],
    ['a header that was cut off', luksHeader(4096).subarray(0, 500)],
  ])('is none: %s', async (_, content) => {
    await writeFile(path, content);
    expect(await isLuks(path)).toBe(false);
    await expect(luksOverhead(path)).rejects.toEqual(refused);
  });

  it('is not taken for one of version 2', async () => {
    await writeFile(path, luksHeader(4096, 2));
    await expect(isLuks(path)).rejects.toEqual(refused);
  });

  it('is written to an empty volume, with the cipher that was asked for and the pass phrase in no argument', async () => {
    await writeFile(path, Buffer.alloc(65_536));
    await format();
    const content = await readFile(path);
    expect(content.subarray(0, OVERHEAD).equals(made)).toBe(true);
    expect(content.subarray(OVERHEAD).equals(Buffer.alloc(65_536 - OVERHEAD))).toBe(true);
    expect(ran[0]?.argv.slice(0, 9)).toEqual([
      ...['qemu-img', 'create', '-q', '-f', 'luks', '--object', 'secret,id=passphrase,file=/dev/fd/0'],
      ...['-o', 'key-secret=passphrase,cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64'],
    ]);
    expect(ran[0]?.options.input).toBe('ab12');
    expect(ran[0]?.argv.join(' ')).not.toContain('ab12');
  });

  it('is written to a volume on which its writing was cut off', async () => {
    const cutOff = Buffer.alloc(65_536);
    cutOff.write('novella: a LUKS header is being written\n');
    await writeFile(path, cutOff.fill(1, 5000, 6000));
    await format();
    expect((await readFile(path)).subarray(0, OVERHEAD).equals(made)).toBe(true);
  });

  it.each([
    ['at its beginning', 0],
    ['where a file system has its own', 1024],
    ['after 64 KiB', 65_536],
  ])('is not written over other content: %s', async (_, at) => {
    const content = Buffer.alloc(131_072);
    content.write('data', at);
    await writeFile(path, content);
    await expect(format()).rejects.toEqual(refused);
    expect((await readFile(path)).equals(content)).toBe(true);
    expect(ran).toEqual([]);
  });

  it('is not written to a volume that has no room for it', async () => {
    await writeFile(path, Buffer.alloc(OVERHEAD - 1));
    await expect(format()).rejects.toEqual(refused);
    expect((await readFile(path)).equals(Buffer.alloc(OVERHEAD - 1))).toBe(true);
  });

  it('is made by QEMU in another try when the machine was too busy for its first', async () => {
    await writeFile(path, Buffer.alloc(65_536));
    let tries = 0;
    const busy: ProcessRunner = {
      run: (argv, options) => {
        tries += 1;
        const stderr = 'qemu-img: header: Unable to get accurate CPU usage';
        return tries < 3 ? Promise.resolve({ code: 1, stdout: '', stderr }) : runner.run(argv, options);
      },
    };
    await formatIfEmpty(busy, path, SECRET);
    expect(await isLuks(path)).toBe(true);
    qemuImg = { code: 1, stderr: 'Unable to get accurate CPU usage' };
    await writeFile(path, Buffer.alloc(65_536));
    await expect(format()).rejects.toMatchObject({ code: 'internal' });
  });

  it('is refused with a cipher that QEMU does not know, and the volume stays empty', async () => {
    await writeFile(path, Buffer.alloc(65_536));
    qemuImg = { code: 1, stderr: "Invalid parameter 'rot-13'" };
    await expect(format()).rejects.toMatchObject({ code: 'encryption-unsupported' });
    expect((await readFile(path)).equals(Buffer.alloc(65_536))).toBe(true);
  });
});

describe("a cipher in QEMU's words", () => {
  it.each([
    [
      { luks_cipher: 'aes-cbc-essiv:sha256', luks_key_size: '128' },
      'cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256',
    ],
    [{}, 'cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64'],
  ])('%j', (secret, words) => {
    expect(qemuCipher(secret)).toBe(words);
  });

  it.each([{ luks_cipher: 'aes' }, { luks_cipher: 'aes-xts-plain64,file=/etc/passwd' }, { luks_key_size: '256,x=y' }])(
    'is not understood: %j',
    (secret) => {
      expect(() => qemuCipher(secret)).toThrow(expect.objectContaining({ code: 'encryption-unsupported' }));
    },
  );
});
