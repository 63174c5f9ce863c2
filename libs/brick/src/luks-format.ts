import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NovellaError, seconds } from '@novella/core';
import type { VolumeSecret } from './connector.js';
import { beginning, luksOverhead } from './luks.js';
import type { ProcessRunner } from './process-runner.js';

/** The header's page; what follows it up to the payload are the places for keys. */
const PAGE = 4096;
/** More than a header is long, and than what partitions and file systems leave free before their own. */
const LOOKED_AT = 4 * 2 ** 20;
/** Stands where the header will be while the rest of it is written. */
const UNDER_WAY = Buffer.concat([Buffer.from('novella: a LUKS header is being written\n')], PAGE);
/** QEMU measures the machine's speed first, for two seconds. */
const FORMAT_TIMEOUT = seconds(120);
/** On a machine that is busy with others it may find that it had no time at all. */
const NO_MEASUREMENT = /accurate CPU usage/;
const ATTEMPTS = 10;

/**
 * Writes a LUKS header to a volume that is empty: Cinder leaves that to Nova for volumes that it did not fill itself
 * (bug 1739442). Differs from Nova, which writes over whatever is no LUKS: what is neither LUKS nor empty is left alone.
 * The header's own page comes last, so that one that was cut off is written again. Errors: image-refused;
 * encryption-unsupported for a cipher that QEMU does not have.
 */
export async function formatIfEmpty(runner: ProcessRunner, path: string, secret: VolumeSecret): Promise<void> {
  const found = await beginning(path, LOOKED_AT);
  if (!isZero(found) && !found.subarray(0, PAGE).equals(UNDER_WAY)) {
    throw new NovellaError('image-refused', 'the volume is to be encrypted, but has other content', { path });
  }
  await writeHeader(path, await newHeader(runner, secret));
}

const isZero = (content: Buffer): boolean => content.every((byte) => byte === 0);

async function writeHeader(path: string, header: Buffer): Promise<void> {
  const device = await open(path, 'r+');
  try {
    if ((await device.stat()).isFile() && (await device.stat()).size < header.length) {
      throw new NovellaError('image-refused', 'the volume is smaller than a LUKS header', { path });
    }
    for (const [at, part] of [
      [0, UNDER_WAY],
      [PAGE, header.subarray(PAGE)],
      [0, header.subarray(0, PAGE)],
    ] as const) {
      await device.write(part, 0, part.length, at);
      await device.datasync();
    }
  } finally {
    await device.close();
  }
}

/** A header knows nothing of the size of what follows it, so it is made on a file that has nothing else. */
async function newHeader(runner: ProcessRunner, secret: VolumeSecret): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'novella-luks-'));
  const path = join(folder, 'header');
  try {
    const argv = [
      ...(['qemu-img', 'create', '-q', '-f', 'luks', '--object', 'secret,id=passphrase,file=/dev/fd/0'] as const),
      ...['-o', `key-secret=passphrase,${qemuCipher(secret)}`, '--', path, '0'],
    ] as const;
    const input = secret['luks_passphrase'] ?? '';
    for (let attempt = 1; ; attempt += 1) {
      const { code, stderr } = await runner.run(argv, { timeout: FORMAT_TIMEOUT, input });
      if (code === 0) return await beginning(path, await luksOverhead(path));
      const isBusy = NO_MEASUREMENT.test(stderr);
      if (isBusy && attempt < ATTEMPTS) continue;
      const cause = new Error(`qemu-img create ended with ${code}: ${stderr.slice(0, 500)}`);
      throw new NovellaError(isBusy ? 'internal' : 'encryption-unsupported', 'QEMU made no LUKS header', {}, { cause });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** dm-crypt's words in QEMU's: cinder:image/image_utils.py decode_cipher. `aes-xts-plain64` with 256 unless told. */
export function qemuCipher({
  luks_cipher: spec = 'aes-xts-plain64',
  luks_key_size: bits = '256',
}: VolumeSecret): string {
  const [, name, mode, generator, hash] = /^([a-z0-9]+)-([a-z0-9]+)-([a-z0-9]+)(?::([a-z0-9]+))?$/.exec(spec) ?? [];
  if (name === undefined || !/^\d+$/.test(bits)) {
    throw new NovellaError('encryption-unsupported', 'the cipher of the volume is not understood', {
      cipher: spec,
      bits,
    });
  }
  const parts = [`cipher-alg=${name}-${bits}`, `cipher-mode=${mode}`, `ivgen-alg=${generator}`];
  return [...parts, ...(hash === undefined ? [] : [`ivgen-hash-alg=${hash}`])].join(',');
}
