import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, type ConnectionInfoOf, millis } from '@novella/core';
import { LocalConnector } from './local-connector.js';
import { spawnRunner } from './process-runner.js';

// Needs qemu-img and qemu-io, whose image lock is the one that a guest's QEMU takes.
const MIB = 2 ** 20;
const clock = { monotonic: () => millis(0), wallTime: () => new Date(0), sleep: () => Promise.resolve() };

const reach = (connection: ConnectionInfoOf<'local'>) => ({ connection, secret: null });

describe('growing a qcow2 volume with qemu-img', () => {
  let folder: string;
  let path: string;
  let connection: ConnectionInfoOf<'local'>;
  let connector: LocalConnector;
  let holder: ChildProcess | null;

  const qemuImg = (...args: string[]) => execFileSync('qemu-img', args, { cwd: folder, encoding: 'utf8' });
  const virtualSize = () =>
    (JSON.parse(qemuImg('info', '-U', '--output=json', path)) as Record<string, unknown>)['virtual-size'];
  /** Resolves when another process has the image open for writing. */
  const openElsewhere = async (): Promise<void> => {
    holder = spawn('qemu-io', ['-f', 'qcow2', path], { stdio: ['pipe', 'pipe', 'ignore'] });
    holder.stdin?.write('write -P 7 0 64k\n');
    await once(holder.stdout!, 'data');
  };

  beforeEach(async () => {
    holder = null;
    folder = await realpath(await mkdtemp(join(tmpdir(), 'novella-qcow2-')));
    path = join(folder, 'volume');
    qemuImg('create', '-q', '-f', 'qcow2', path, String(16 * MIB));
    connection = { protocol: 'local', devicePath: path, format: 'qcow2', accessMode: 'rw', encrypted: false };
    connector = new LocalConnector({ roots: [folder], clock, runner: spawnRunner });
  });
  afterEach(async () => {
    if (holder?.exitCode === null) {
      holder.stdin?.end();
      await once(holder, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  });

  it('grows it, and leaves it alone the second time', async () => {
    expect(await connector.grow(reach(connection), bytes(64 * MIB))).toBe(64 * MIB);
    expect(virtualSize()).toBe(64 * MIB);
    const before = await readFile(path);
    expect(await connector.grow(reach(connection), bytes(64 * MIB))).toBe(64 * MIB);
    expect(await connector.grow(reach(connection), bytes(MIB))).toBe(64 * MIB);
    expect((await readFile(path)).equals(before)).toBe(true);
    expect(qemuImg('check', '-q', path)).toBe('');
  });

  it('grows to whole sectors', async () => {
    expect(await connector.grow(reach(connection), bytes(64 * MIB + 1))).toBe(64 * MIB + 512);
  });

  it('leaves it alone while another process has it open, and grows it afterwards', async () => {
    await openElsewhere();
    await expect(connector.grow(reach(connection), bytes(64 * MIB))).rejects.toMatchObject({ code: 'guest-busy' });
    expect(virtualSize()).toBe(16 * MIB);
    holder?.stdin?.end();
    await once(holder!, 'exit');
    expect(await connector.grow(reach(connection), bytes(64 * MIB))).toBe(64 * MIB);
  });

  it('reads the size of one that another process has open', async () => {
    await openElsewhere();
    expect(await connector.size(reach(connection))).toBe(16 * MIB);
  });

  it('grows one of version 3 that has a snapshot, and refuses one of version 2', async () => {
    qemuImg('snapshot', '-c', 'one', path);
    expect(await connector.grow(reach(connection), bytes(64 * MIB))).toBe(64 * MIB);
    const old = join(folder, 'old');
    qemuImg('create', '-q', '-f', 'qcow2', '-o', 'compat=0.10', old, String(16 * MIB));
    qemuImg('snapshot', '-c', 'one', old);
    await expect(connector.grow(reach({ ...connection, devicePath: old }), bytes(64 * MIB))).rejects.toMatchObject({
      code: 'disk-cannot-grow',
    });
  });

  it('never opens the backing file that one names', async () => {
    const overlay = join(folder, 'overlay');
    qemuImg('create', '-q', '-f', 'qcow2', '-b', path, '-F', 'qcow2', overlay);
    const named = { ...connection, devicePath: overlay };
    await expect(connector.connect(reach(named))).rejects.toMatchObject({ code: 'image-refused' });
    await expect(connector.grow(reach(named), bytes(64 * MIB))).rejects.toMatchObject({ code: 'image-refused' });
  });
});
