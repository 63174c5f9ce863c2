import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bytes, type ConnectionInfoOf, type ErrorCode, millis, NovellaError } from '@novella/core';
import type { VolumeSecret } from './connector.js';
import { RbdConnector } from './rbd-connector.js';
import type { RbdCluster, RbdImages, RbdLook } from './rbd-images.js';

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

describe('RbdConnector', () => {
  let cephDir: string;
  let asked: { readonly cluster: RbdCluster; readonly look: RbdLook }[];
  /** The image's sizes, one after the other; the last one again and again. */
  let sizes: (number | NovellaError)[];
  let head: Buffer;
  let slept: number;

  const images: RbdImages = {
    look: (cluster, look) => {
      asked.push({ cluster, look });
      const size = sizes.length > 1 ? sizes.shift() : sizes[0];
      if (typeof size !== 'number') return Promise.reject(size ?? new Error('no size'));
      return Promise.resolve({ size: Math.max(size, look.atLeast ?? 0), head: head.subarray(0, look.head) });
    },
  };
  const clock = {
    monotonic: () => millis(slept),
    wallTime: () => new Date(0),
    sleep: (delay: number) => Promise.resolve(void (slept += delay)),
  };
  const connector = () => new RbdConnector({ images, clock, cephDir });
  const volume = (secret: VolumeSecret | null = { keyring: KEY }, more: Partial<typeof connection> = {}) => ({
    connection: { ...connection, ...more },
    secret,
  });
  const onlyLooked = () => asked.every(({ look }) => look.atLeast === null);

  beforeEach(async () => {
    cephDir = await mkdtemp(join(tmpdir(), 'novella-ceph-'));
    asked = [];
    slept = 0;
    sizes = [GIB];
    head = Buffer.alloc(4096);
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
    expect(asked).toHaveLength(1);
  });

  it("asks the volume's monitors as its user", async () => {
    expect(await connector().size(volume())).toBe(GIB);
    const monitors = ['10.0.0.1:6789', '[fd00::2]:6790'];
    expect(asked).toEqual([
      {
        cluster: { conf: '/dev/null', monitors, user: 'cinder', key: KEY },
        look: { pool: 'volumes', image: 'volume-1', head: 0, atLeast: null },
      },
    ]);
  });

  it("goes by the host's own configuration of the cluster, where there is one", async () => {
    await writeFile(join(cephDir, 'backup.conf'), '');
    await connector().size(volume({ keyring: KEY }, { cluster: 'backup' }));
    expect(asked[0]?.cluster.conf).toBe(join(cephDir, 'backup.conf'));
  });

  it('needs no key for a cluster that lets everybody in', async () => {
    expect((await connector().connect(volume(null, { auth: null }))).keys).toEqual([]);
    expect(asked[0]?.cluster).toMatchObject({ user: null, key: null });
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
      expect(asked[0]?.cluster.key).toBe(KEY);
    });

    it("of the host's keyring when none came", async () => {
      await writeFile(join(cephDir, 'ceph.client.cinder.keyring'), keyring('cinder', KEY));
      await connector().size(volume(null));
      expect(asked[0]?.cluster.key).toBe(KEY);
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
    expect(asked).toEqual([]);
  });

  it('fails as the look at the image does', async () => {
    sizes = [new NovellaError('host-device-missing', 'there is no such image in the cluster')];
    await expect(connector().size(volume())).rejects.toEqual(withCode('host-device-missing'));
    await expect(connector().connect(volume())).rejects.toEqual(withCode('host-device-missing'));
    await expect(connector().rescan(volume(), bytes(GIB), never)).rejects.toEqual(withCode('host-device-missing'));
  });

  describe('an encrypted image', () => {
    const OVERHEAD = 2_068_480;
    const encrypted = (secret: VolumeSecret = { keyring: KEY, luks_passphrase: 'ab12' }) =>
      volume(secret, { encrypted: true });
    beforeEach(() => {
      head.write('LUKS\xba\xbe', 'latin1');
      head.writeUInt16BE(1, 6);
      head.writeUInt32BE(OVERHEAD / 512, 104);
    });

    it('is handed over with both keys, after a look at it', async () => {
      const { keys } = await connector().connect(encrypted());
      expect(keys).toEqual([
        { purpose: 'cephx', value: Buffer.from(KEY, 'base64') },
        { purpose: 'luks', value: Buffer.from('ab12') },
      ]);
      expect(asked).toHaveLength(1);
    });

    it('is measured without its header, and its pass phrase is said to nobody', async () => {
      expect(await connector().size(encrypted())).toBe(GIB - OVERHEAD);
      expect(await connector().overhead(encrypted())).toBe(OVERHEAD);
      expect(JSON.stringify(asked)).not.toContain('ab12');
    });

    it('is waited for until the guest can have the wanted size', async () => {
      sizes = [2 * GIB];
      expect(await connector().rescan(encrypted(), bytes(2 * GIB - OVERHEAD), never)).toBe(2 * GIB - OVERHEAD);
      await expect(connector().rescan(encrypted(), bytes(2 * GIB), never)).rejects.toEqual(
        withCode('host-device-too-small'),
      );
    });

    it('gets the length back that a resize has cut, its header counted', async () => {
      expect(await connector().restore(encrypted(), bytes(2 * GIB - OVERHEAD))).toBe(2 * GIB - OVERHEAD);
      expect(asked[1]?.look.atLeast).toBe(2 * GIB);
    });

    it.each<[string, () => unknown]>([
      ['has no LUKS header', () => head.fill(0)],
      ['is LUKS 2', () => head.writeUInt16BE(2, 6)],
      ['is shorter than a header', () => (head = head.subarray(0, 512))],
    ])('is refused when it %s', async (_, damage) => {
      damage();
      await expect(connector().connect(encrypted())).rejects.toEqual(withCode('image-refused'));
      await expect(connector().size(encrypted())).rejects.toEqual(withCode('image-refused'));
    });

    it('is not opened without a pass phrase', async () => {
      await expect(connector().connect(encrypted({ keyring: KEY }))).rejects.toEqual(withCode('volume-key-missing'));
      expect(asked).toEqual([]);
    });
  });

  it('has no overhead in an image that is not encrypted', async () => {
    expect(await connector().overhead(volume())).toBe(0);
  });

  describe('rescan', () => {
    it('only looks when the image has the size, or more', async () => {
      sizes = [3 * GIB];
      expect(await connector().rescan(volume(), bytes(2 * GIB), never)).toBe(3 * GIB);
      expect([asked.length, slept]).toEqual([1, 0]);
    });

    it('waits for one that grows meanwhile', async () => {
      sizes = [GIB, GIB, 2 * GIB];
      expect(await connector().rescan(volume(), bytes(2 * GIB), never)).toBe(2 * GIB);
    });

    it('gives up with both sizes, and leaves the image as it is', async () => {
      await expect(connector().rescan(volume(), bytes(2 * GIB), never)).rejects.toMatchObject({
        code: 'host-device-too-small',
        facts: { wanted: 2 * GIB, measured: GIB },
      });
      expect(onlyLooked()).toBe(true);
    });

    it('ends when nobody waits for it any more', async () => {
      const abort = new AbortController();
      abort.abort(new Error('stopping'));
      await expect(connector().rescan(volume(), bytes(2 * GIB), abort.signal)).rejects.toThrow('stopping');
    });
  });

  it('never grows an image by itself', async () => {
    await expect(connector().grow(volume(), bytes(2 * GIB))).rejects.toEqual(withCode('extend-unsupported'));
    expect(asked).toEqual([]);
  });

  it('gives an image back the length that a resize has cut', async () => {
    expect(await connector().restore(volume(), bytes(2 * GIB))).toBe(2 * GIB);
    expect(asked.map(({ look }) => look.atLeast)).toEqual([null, 2 * GIB]);
  });

  it('leaves an image alone that is long enough', async () => {
    sizes = [3 * GIB];
    expect(await connector().restore(volume(), bytes(2 * GIB))).toBe(3 * GIB);
    expect(onlyLooked()).toBe(true);
  });

  it('has nothing to let go of', async () => {
    await connector().disconnect(connection);
    expect(asked).toEqual([]);
  });
});
