import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, open, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, type ConnectionInfoOf, millis } from '@novella/core';
import { isGrownByHost } from './connector.js';
import { LocalConnector } from './local-connector.js';
import type { ProcessRunner } from './process-runner.js';
import { qcow2Header } from './testing/headers.js';

const MIB = 2 ** 20;
const never = new AbortController().signal;
const clock = { monotonic: () => millis(0), wallTime: () => new Date(0), sleep: () => Promise.resolve() };

const reach = (connection: ConnectionInfoOf<'local'>) => ({ connection, secret: null });

describe('a qcow2 volume that no guest has open', () => {
  let folder: string;
  let path: string;
  let ran: (readonly string[])[];
  /** What qemu-img does, and how it ends. */
  let qemuImg: (size: number) => Promise<{ code: number; stderr: string }>;
  let connection: ConnectionInfoOf<'local'>;

  const setSize = async (size: number): Promise<void> => {
    const file = await open(path, 'r+');
    await file.write(qcow2Header(size), 0, 512, 0);
    await file.close();
  };
  const runner: ProcessRunner = {
    run: async (argv) => {
      ran.push(argv);
      return { stdout: '', ...(await qemuImg(Number(argv.at(-1)))) };
    },
  };
  const connector = () => new LocalConnector({ roots: [folder], clock, runner });

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'novella-qcow2-')));
    path = join(folder, 'volume.qcow2');
    connection = { protocol: 'local', devicePath: path, format: 'qcow2', accessMode: 'rw', encrypted: false };
    ran = [];
    qemuImg = async (size) => {
      await setSize(size);
      return { code: 0, stderr: '' };
    };
    await writeFile(path, qcow2Header(4 * MIB));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is the host to grow, a raw one is not', () => {
    expect(isGrownByHost(connection)).toBe(true);
    expect(isGrownByHost({ ...connection, format: 'raw' })).toBe(false);
  });

  it('is connected as a file and measured by its virtual size', async () => {
    expect(await connector().connect(reach(connection))).toEqual({ device: { kind: 'file', path }, keys: [] });
    expect(await connector().size(reach(connection))).toBe(4 * MIB);
  });

  it('is not waited for when it is smaller than wanted', async () => {
    expect(await connector().rescan(reach(connection), bytes(8 * MIB), never)).toBe(4 * MIB);
  });

  it('grows by qemu-img, whose argument is a whole number of sectors', async () => {
    expect(await connector().grow(reach(connection), bytes(8 * MIB - 100))).toBe(8 * MIB);
    expect(ran).toEqual([['qemu-img', 'resize', '-q', '-f', 'qcow2', '--', path, String(8 * MIB)]]);
  });

  it.each([4 * MIB, 2 * MIB, 0])('is left alone when it is as large as the wanted %d bytes', async (wanted) => {
    expect(await connector().grow(reach(connection), bytes(wanted))).toBe(4 * MIB);
    expect(ran).toEqual([]);
  });

  it('has grown although qemu-img refused, when somebody else has grown it meanwhile', async () => {
    qemuImg = async () => {
      await setSize(16 * MIB);
      return { code: 1, stderr: 'qemu-img: Use the --shrink option to perform a shrink operation.' };
    };
    expect(await connector().grow(reach(connection), bytes(8 * MIB))).toBe(16 * MIB);
  });

  it.each([
    ['guest-busy', 'qemu-img: Could not open: Failed to get "write" lock\nIs another process using the image?'],
    ['guest-busy', 'qemu-img: Failed to get shared "write" lock'],
    ['disk-cannot-grow', 'qemu-img: Failed to grow the L1 table: No space left on device'],
  ])('fails as %s when qemu-img says %j', async (code, stderr) => {
    qemuImg = () => Promise.resolve({ code: 1, stderr });
    await expect(connector().grow(reach(connection), bytes(8 * MIB))).rejects.toMatchObject({ code });
  });

  it('has not grown when qemu-img says so but the header does not', async () => {
    qemuImg = () => Promise.resolve({ code: 0, stderr: '' });
    await expect(connector().grow(reach(connection), bytes(8 * MIB))).rejects.toMatchObject({
      code: 'disk-cannot-grow',
      facts: { wanted: 8 * MIB, measured: 4 * MIB },
    });
  });

  it('is not grown when it has snapshots that its version cannot grow with', async () => {
    const head = qcow2Header(4 * MIB);
    head.writeUInt32BE(2, 4);
    head.writeUInt32BE(1, 60);
    await writeFile(path, head.fill(0, 72));
    await expect(connector().grow(reach(connection), bytes(8 * MIB))).rejects.toMatchObject({
      code: 'disk-cannot-grow',
    });
    expect(ran).toEqual([]);
  });

  it('is not grown when it may only be read, is raw, or is outside the roots', async () => {
    const grow = (more: Partial<ConnectionInfoOf<'local'>>) =>
      connector().grow(reach({ ...connection, ...more }), bytes(8 * MIB));
    await expect(grow({ accessMode: 'ro' })).rejects.toMatchObject({ code: 'disk-cannot-grow' });
    await expect(grow({ format: 'raw' })).rejects.toMatchObject({ code: 'extend-unsupported' });
    await expect(grow({ devicePath: '/etc/hostname' })).rejects.toMatchObject({ code: 'path-outside-roots' });
    expect(ran).toEqual([]);
  });

  it.each<[string, (head: Buffer) => Buffer]>([
    ['has another magic', (head) => head.fill(0, 0, 4)],
    ['has a backing file', (head) => Buffer.from(head.fill(1, 15, 16))],
    ['has a data file', (head) => head.fill(4, 79, 80)],
    ['is encrypted', (head) => head.fill(1, 35, 36)],
    ['is cut off', (head) => head.subarray(0, 60)],
    ['is empty', () => Buffer.alloc(0)],
  ])('is refused by every method when it %s', async (_what, change) => {
    await writeFile(path, change(qcow2Header(4 * MIB)));
    const refused = { code: 'image-refused' };
    await expect(connector().connect(reach(connection))).rejects.toMatchObject(refused);
    await expect(connector().size(reach(connection))).rejects.toMatchObject(refused);
    await expect(connector().rescan(reach(connection), bytes(0), never)).rejects.toMatchObject(refused);
    await expect(connector().grow(reach(connection), bytes(8 * MIB))).rejects.toMatchObject(refused);
    expect(ran).toEqual([]);
  });

  it('is refused when Cinder says that it is encrypted', async () => {
    await expect(connector().connect(reach({ ...connection, encrypted: true }))).rejects.toMatchObject({
      code: 'connector-unsupported',
    });
  });
});
