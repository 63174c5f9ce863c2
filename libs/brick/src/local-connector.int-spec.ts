import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, type Clock, type ConnectionInfoOf, millis, seconds } from '@novella/core';
import { LocalConnector } from './local-connector.js';
import { spawnRunner } from './process-runner.js';

// Needs root and the loop driver, as a compute host has them.
const MIB = 2 ** 20;
const never = new AbortController().signal;
const timeout = seconds(30);

function steppedClock(): Clock {
  let now = 0;
  return {
    monotonic: () => millis(now),
    wallTime: () => new Date(now),
    sleep: (delay) => Promise.resolve(void (now += delay)),
  };
}

const reach = (connection: ConnectionInfoOf<'local'>) => ({ connection, secret: null });

describe('LocalConnector on a loop device', () => {
  let folder: string;
  let file: string;
  let device: string;
  let connection: ConnectionInfoOf<'local'>;
  let connector: LocalConnector;

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'novella-loop-')));
    file = join(folder, 'volume');
    await writeFile(file, '');
    await truncate(file, 16 * MIB);
    const { code, stdout, stderr } = await spawnRunner.run(['losetup', '--find', '--show', file], { timeout });
    if (code !== 0) throw new Error(`this test needs a free loop device: ${stderr}`);
    device = stdout.trim();
    connection = { protocol: 'local', devicePath: device, format: 'raw', accessMode: 'rw', encrypted: false };
    connector = new LocalConnector({ roots: ['/dev/loop*'], clock: steppedClock(), runner: spawnRunner });
  });
  afterEach(async () => {
    await spawnRunner.run(['losetup', '-d', device], { timeout });
    await rm(folder, { recursive: true, force: true });
  });

  it('connects it as a block device and measures what the kernel says', async () => {
    expect(await connector.connect(reach(connection))).toEqual({ device: { kind: 'block', path: device }, keys: [] });
    expect(await connector.size(reach(connection))).toBe(16 * MIB);
  });

  it('makes the kernel see the size of a grown file', async () => {
    await truncate(file, 32 * MIB);
    expect(await connector.size(reach(connection))).toBe(16 * MIB);
    expect(await connector.rescan(reach(connection), bytes(32 * MIB), never)).toBe(32 * MIB);
    expect(await connector.size(reach(connection))).toBe(32 * MIB);
    expect(await connector.rescan(reach(connection), bytes(32 * MIB), never)).toBe(32 * MIB);
  });

  it('says that the device is too small when its file has not grown', async () => {
    await expect(connector.rescan(reach(connection), bytes(32 * MIB), never)).rejects.toMatchObject({
      code: 'host-device-too-small',
      facts: { measured: 16 * MIB },
    });
  });

  it('refuses it as a qcow2 volume, which is a file', async () => {
    const qcow2 = { ...connection, format: 'qcow2' } as const;
    await expect(connector.connect(reach(qcow2))).rejects.toMatchObject({ code: 'connection-info-invalid' });
  });

  it('refuses the device when loop devices are no root', async () => {
    const elsewhere = new LocalConnector({ roots: [folder], clock: steppedClock(), runner: spawnRunner });
    await expect(elsewhere.connect(reach(connection))).rejects.toMatchObject({ code: 'path-outside-roots' });
  });
});
