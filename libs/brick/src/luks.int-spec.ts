import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { bytes, type ConnectionInfoOf, millis } from '@novella/core';
import { LocalConnector } from './local-connector.js';
import { spawnRunner } from './process-runner.js';

// Needs qemu-img and qemu-io.
const MIB = 2 ** 20;
const clock = { monotonic: () => millis(0), wallTime: () => new Date(0), sleep: () => Promise.resolve() };

it('an empty volume that is to be encrypted gets a header that QEMU opens with its pass phrase', async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'novella-luks-')));
  try {
    const path = join(folder, 'volume');
    await writeFile(path, '');
    await truncate(path, 16 * MIB);
    const connection: ConnectionInfoOf<'local'> = {
      ...{ protocol: 'local', devicePath: path, format: 'raw', accessMode: 'rw', encrypted: true },
    };
    const secret = { luks_passphrase: 'ab'.repeat(32), luks_cipher: 'aes-xts-plain64', luks_key_size: '256' };
    const volume = { connection, secret };
    const connector = new LocalConnector({ roots: [folder], clock, runner: spawnRunner });
    await connector.connect(volume);
    const overhead = await connector.overhead(volume);
    expect(overhead).toBeGreaterThan(MIB);
    expect(await connector.size(volume)).toBe(16 * MIB - overhead);
    expect((await stat(path)).size).toBe(16 * MIB);

    const options = `driver=luks,key-secret=k,file.driver=file,file.filename=${path}`;
    const key = ['--object', `secret,id=k,data=${secret.luks_passphrase}`];
    const said = execFileSync('qemu-io', [...key, '-c', 'write -P 7 0 64k', '--image-opts', options]);
    expect(said.toString()).toContain('wrote 65536/65536');

    // What is written already is left as it is, and grows with its file.
    const written = await readFile(path);
    await connector.connect(volume);
    expect((await readFile(path)).equals(written)).toBe(true);
    await truncate(path, 32 * MIB);
    const wanted = bytes(32 * MIB - overhead);
    expect(await connector.rescan(volume, wanted, new AbortController().signal)).toBe(wanted);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 180_000);
