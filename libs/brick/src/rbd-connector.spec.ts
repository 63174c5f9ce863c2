import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bytes, type ConnectionInfoOf, type ErrorCode, millis, NovellaError, seconds } from '@novella/core';
import type { VolumeSecret } from './connector.js';
import type { ProcessResult, ProcessRunner, RunOptions } from './process-runner.js';
import { RbdConnector } from './rbd-connector.js';

const GIB = 2 ** 30;
const KEY = 'AQBg2wxrRvy9OBAA+iQ0jS7cM63tldhy75VYnw==';
const OTHER_KEY = 'AQBn2wxrO8llBxAAEVQyTtVIhBmI0RZsBKQf0A==';
const never = new AbortController().signal;

const connection: ConnectionInfoOf<'rbd'> = {
  protocol: 'rbd',
  format: 'raw',
  pool: 'volumes',
  image: 'volume-1',
  monitors: [
    { host: '10.0.0.1', port: 6789 },
    { host: 'fd00::2', port: 6790 },
  ],
  cluster: 'ceph',
  auth: { username: 'cinder', secretUuid: null },
  discard: true,
  accessMode: 'rw',
  encrypted: false,
};
const keyring = (user: string, key: string): string => `[client.${user}]\n\tkey = ${key}\n\tcaps mon = "profile rbd"\n`;
const withCode = (code: ErrorCode) => expect.objectContaining({ code });
const ok = (stdout: string): ProcessResult => ({ code: 0, stdout, stderr: '' });
const info = (size: number): ProcessResult => ok(JSON.stringify({ name: 'volume-1', size, order: 22 }));

describe('RbdConnector', () => {
  let cephDir: string;
  let ran: { argv: readonly string[]; options: RunOptions }[];
  /** What `rbd` answers, one after the other; the last one again and again. */
  let answers: (ProcessResult | Error)[];
  let slept: number;

  const runner: ProcessRunner = {
    run: (argv, options) => {
      ran.push({ argv, options });
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer ?? ok(''));
    },
  };
  const clock = {
    monotonic: () => millis(slept),
    wallTime: () => new Date(0),
    sleep: (delay: number) => Promise.resolve(void (slept += delay)),
  };
  const connector = () => new RbdConnector({ runner, clock, cephDir });
  const volume = (secret: VolumeSecret | null = { keyring: KEY }, more: Partial<typeof connection> = {}) => ({
    connection: { ...connection, ...more },
    secret,
  });

  beforeEach(async () => {
    cephDir = await mkdtemp(join(tmpdir(), 'novella-ceph-'));
    ran = [];
    slept = 0;
    answers = [info(GIB)];
  });
  afterEach(() => rm(cephDir, { recursive: true, force: true }));

  it('hands the image and its key over to the hypervisor, after a look at it', async () => {
    expect(await connector().connect(volume())).toEqual({
      device: {
        kind: 'network',
        path: 'volumes/volume-1',
        monitors: connection.monitors,
        auth: { username: 'cinder', secretUuid: null },
        discard: true,
      },
      keys: [{ purpose: 'cephx', value: Buffer.from(KEY, 'base64') }],
    });
    expect(ran).toHaveLength(1);
  });

  it("asks the volume's monitors as its user, the key in no argument", async () => {
    expect(await connector().size(volume())).toBe(GIB);
    expect(ran).toEqual([
      {
        argv: [
          'rbd',
          ...['--conf', '/dev/null', '--mon_host', '10.0.0.1:6789,[fd00::2]:6790'],
          ...['--id', 'cinder', '--keyfile', '/dev/fd/0'],
          ...['--client_mount_timeout', '15', '--rados_osd_op_timeout', '15'],
          ...['--pool', 'volumes', '--image', 'volume-1', 'info', '--format', 'json'],
        ],
        options: { timeout: seconds(30), input: KEY },
      },
    ]);
  });

  it("goes by the host's own configuration of the cluster, where there is one", async () => {
    await writeFile(join(cephDir, 'backup.conf'), '');
    await connector().size(volume({ keyring: KEY }, { cluster: 'backup' }));
    expect(ran[0]?.argv.slice(1, 3)).toEqual(['--conf', join(cephDir, 'backup.conf')]);
  });

  it('needs no key for a cluster that lets everybody in', async () => {
    expect((await connector().connect(volume(null, { auth: null }))).keys).toEqual([]);
    expect(ran[0]?.argv).not.toContain('--id');
    expect(ran[0]?.options).toEqual({ timeout: seconds(30) });
  });

  describe('takes the key', () => {
    it.each<[string, string]>([
      ['alone', `${KEY}\n`],
      ['in a keyring', keyring('cinder', KEY)],
      ['in a keyring of several users', keyring('other', OTHER_KEY) + keyring('cinder', KEY)],
      ['in quotes', `[client.cinder]\nkey="${KEY}"`],
    ])('that came with the volume %s', async (_, text) => {
      await writeFile(join(cephDir, 'ceph.client.cinder.keyring'), keyring('cinder', OTHER_KEY));
      await connector().size(volume({ keyring: text }));
      expect(ran[0]?.options.input).toBe(KEY);
    });

    it("of the host's keyring when none came", async () => {
      await writeFile(join(cephDir, 'ceph.client.cinder.keyring'), keyring('cinder', KEY));
      await connector().size(volume(null));
      expect(ran[0]?.options.input).toBe(KEY);
    });
  });

  it.each<[string, VolumeSecret | null, string | null, ErrorCode]>([
    ['neither came nor is on the host', null, null, 'volume-key-missing'],
    ['on the host is of another user', null, keyring('other', KEY), 'volume-key-missing'],
    ['came is of another user', { keyring: keyring('other', KEY) }, keyring('cinder', KEY), 'connection-info-invalid'],
    ['came is none', { keyring: 'none' }, null, 'connection-info-invalid'],
  ])('refuses, with no word of a key, when the one that %s', async (_, secret, onHost, code) => {
    if (onHost !== null) await writeFile(join(cephDir, 'ceph.client.cinder.keyring'), onHost);
    const refused: unknown = await connector()
      .connect(volume(secret))
      .catch((error: unknown) => error);
    expect(refused).toEqual(withCode(code));
    expect(JSON.stringify(refused) + String(refused)).not.toContain(KEY);
    expect(ran).toEqual([]);
  });

  it.each<[string, ProcessResult | Error, ErrorCode]>([
    ['there is no such image', { code: 2, stdout: '', stderr: '(2) No such file or directory' }, 'host-device-missing'],
    [
      'the cluster does not answer',
      { code: 110, stdout: '', stderr: "couldn't connect to the cluster!" },
      'paths-down',
    ],
    ['the cluster refuses the user', { code: 1, stdout: '', stderr: '(1) Operation not permitted' }, 'paths-down'],
    ['rbd hangs, or is not installed', new NovellaError('internal', 'rbd did not run to its end'), 'paths-down'],
    ['rbd says something else', ok('size: 1 GiB'), 'internal'],
  ])('fails when %s', async (_, answer, code) => {
    answers = [answer];
    await expect(connector().size(volume())).rejects.toEqual(withCode(code));
    await expect(connector().connect(volume())).rejects.toEqual(withCode(code));
    await expect(connector().rescan(volume(), bytes(GIB), never)).rejects.toEqual(withCode(code));
  });

  it('tells what rbd has said, without the noise', async () => {
    const stderr = '2026 -1 --2- >> v2:10.0.0.1 conn()._handle_peer_banner peer\n\nrbd: error opening image\n';
    answers = [{ code: 2, stdout: '', stderr }];
    await expect(connector().size(volume())).rejects.toMatchObject({
      facts: { path: 'volumes/volume-1' },
      cause: new Error('rbd info ended with 2: rbd: error opening image'),
    });
  });

  describe('an encrypted image', () => {
    const OVERHEAD = 2_068_480;
    const encrypted = (secret: VolumeSecret = { keyring: KEY, luks_passphrase: 'ab12' }) =>
      volume(secret, { encrypted: true });
    const luksInfo = (size: number): ProcessResult =>
      ok(
        JSON.stringify({
          'virtual-size': size - OVERHEAD,
          'format-specific': { type: 'luks', data: { 'payload-offset': OVERHEAD } },
        }),
      );

    it('is handed over with both keys, after a look at the image and at its header', async () => {
      answers = [info(GIB), luksInfo(GIB)];
      const { keys } = await connector().connect(encrypted());
      expect(keys).toEqual([
        { purpose: 'cephx', value: Buffer.from(KEY, 'base64') },
        { purpose: 'luks', value: Buffer.from('ab12') },
      ]);
    });

    it('is measured without its header by QEMU, to which no pass phrase is said', async () => {
      answers = [luksInfo(GIB)];
      expect(await connector().size(encrypted())).toBe(GIB - OVERHEAD);
      expect(await connector().overhead(encrypted())).toBe(OVERHEAD);
      const { argv, options } = ran[0]!;
      expect(options.input).toBe(KEY);
      expect(argv.slice(0, -1)).toEqual([
        ...['qemu-img', 'info', '--force-share', '--output', 'json'],
        ...['--object', 'secret,id=cephx,format=base64,file=/dev/fd/0', '--'],
      ]);
      expect(JSON.parse(String(argv.at(-1)).replace('json:', ''))).toEqual({
        driver: 'luks',
        file: {
          ...{ driver: 'rbd', pool: 'volumes', image: 'volume-1', conf: '/dev/null' },
          ...{ user: 'cinder', 'key-secret': 'cephx' },
          server: [
            { host: '10.0.0.1', port: '6789' },
            { host: 'fd00::2', port: '6790' },
          ],
        },
      });
      expect(JSON.stringify(ran)).not.toContain('ab12');
    });

    it('is waited for until the guest can have the wanted size', async () => {
      answers = [luksInfo(2 * GIB)];
      expect(await connector().rescan(encrypted(), bytes(2 * GIB - OVERHEAD), never)).toBe(2 * GIB - OVERHEAD);
      await expect(connector().rescan(encrypted(), bytes(2 * GIB), never)).rejects.toEqual(
        withCode('host-device-too-small'),
      );
    });

    it('gets the length back that a resize has cut, its header counted', async () => {
      answers = [luksInfo(GIB), luksInfo(GIB), ok(''), luksInfo(2 * GIB)];
      await connector().restore(encrypted(), bytes(2 * GIB - OVERHEAD));
      expect(ran[2]?.argv).toContain(`${2 * GIB}B`);
    });

    it.each<[string, string, ErrorCode]>([
      ['has no LUKS header', "qemu-img: Could not open 'json:': Volume is not in LUKS format", 'image-refused'],
      ['is LUKS 2', 'qemu-img: LUKS version 2 is not supported', 'image-refused'],
      ['cannot be read', 'qemu-img: error connecting: Operation timed out', 'paths-down'],
    ])('fails when it %s', async (_, stderr, code) => {
      answers = [info(GIB), { code: 1, stdout: '', stderr }];
      await expect(connector().connect(encrypted())).rejects.toEqual(withCode(code));
    });

    it('is not opened without a pass phrase', async () => {
      await expect(connector().connect(encrypted({ keyring: KEY }))).rejects.toEqual(withCode('volume-key-missing'));
      expect(ran).toEqual([]);
    });
  });

  it('has no overhead in an image that is not encrypted', async () => {
    expect(await connector().overhead(volume())).toBe(0);
  });

  describe('rescan', () => {
    it('only looks when the image has the size, or more', async () => {
      answers = [info(3 * GIB)];
      expect(await connector().rescan(volume(), bytes(2 * GIB), never)).toBe(3 * GIB);
      expect([ran.length, slept]).toEqual([1, 0]);
    });

    it('waits for one that grows meanwhile', async () => {
      answers = [info(GIB), info(GIB), info(2 * GIB)];
      expect(await connector().rescan(volume(), bytes(2 * GIB), never)).toBe(2 * GIB);
    });

    it('gives up with both sizes, and leaves the image as it is', async () => {
      await expect(connector().rescan(volume(), bytes(2 * GIB), never)).rejects.toMatchObject({
        code: 'host-device-too-small',
        facts: { wanted: 2 * GIB, measured: GIB },
      });
      expect(ran.every(({ argv }) => argv.includes('info'))).toBe(true);
    });

    it('ends when nobody waits for it any more', async () => {
      const abort = new AbortController();
      abort.abort(new Error('stopping'));
      await expect(connector().rescan(volume(), bytes(2 * GIB), abort.signal)).rejects.toThrow('stopping');
    });
  });

  it('never grows an image by itself', async () => {
    await expect(connector().grow(volume(), bytes(2 * GIB))).rejects.toEqual(withCode('extend-unsupported'));
    expect(ran).toEqual([]);
  });

  it('gives an image back the length that a resize has cut', async () => {
    answers = [info(GIB), ok(''), info(2 * GIB)];
    expect(await connector().restore(volume(), bytes(2 * GIB))).toBe(2 * GIB);
    expect(ran[1]?.argv.slice(-4)).toEqual(['resize', '--size', `${2 * GIB}B`, '--no-progress']);
  });

  it('leaves an image alone that is long enough', async () => {
    answers = [info(3 * GIB)];
    expect(await connector().restore(volume(), bytes(2 * GIB))).toBe(3 * GIB);
    expect(ran.every(({ argv }) => argv.includes('info'))).toBe(true);
  });

  it('has nothing to let go of', async () => {
    await connector().disconnect(connection);
    expect(ran).toEqual([]);
  });
});
