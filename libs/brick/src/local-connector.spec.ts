import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, open, realpath, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, type Clock, type ConnectionInfoOf, type ErrorCode, millis, seconds } from '@novella/core';
import type { ReachableVolume } from './connector.js';
import { LocalConnector } from './local-connector.js';
import type { ProcessRunner } from './process-runner.js';
import { luksHeader, qcow2Header } from './testing/headers.js';

const GIB = 2 ** 30;
const never = new AbortController().signal;
const noProcess: ProcessRunner = { run: () => Promise.reject(new Error('no process may run here')) };

/** Time passes only by sleeping; `onSleep` is what happens on the host meanwhile. */
function clockThat(onSleep: (slept: number) => Promise<void> | void): Clock & { slept: number } {
  const clock = {
    slept: 0,
    monotonic: () => millis(clock.slept),
    wallTime: () => new Date(clock.slept),
    async sleep(delay: number) {
      clock.slept += delay;
      await onSleep(clock.slept);
    },
  };
  return clock;
}

const local = (devicePath: string, encrypted = false): ReachableVolume<ConnectionInfoOf<'local'>> => ({
  connection: { protocol: 'local', devicePath, format: 'raw', accessMode: 'rw', encrypted },
  secret: null,
});
const withCode = (code: ErrorCode) => expect.objectContaining({ code });

describe('LocalConnector on regular files', () => {
  let folder: string;
  let volumes: string;

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'novella-brick-')));
    volumes = join(folder, 'volumes');
    await mkdir(volumes);
    await writeFile(join(volumes, 'one'), '');
    await truncate(join(volumes, 'one'), GIB);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const connector = (clock = clockThat(() => undefined)) =>
    new LocalConnector({ roots: [volumes], clock, runner: noProcess, rescanTimeout: seconds(10) });

  it('connects a file below a root as a file, twice alike', async () => {
    const device = { kind: 'file', path: join(volumes, 'one') };
    expect(await connector().connect(local(join(volumes, 'one')))).toEqual({ device, keys: [] });
    expect(await connector().connect(local(join(volumes, 'one')))).toEqual({ device, keys: [] });
  });

  it('answers the resolved path for a link that leads into a root', async () => {
    await symlink(join(volumes, 'one'), join(folder, 'by-id'));
    expect(await connector().connect(local(join(folder, 'by-id')))).toMatchObject({
      device: { path: join(volumes, 'one') },
    });
  });

  it.each([
    ['a link that leads out', async () => symlink('/etc/hostname', join(volumes, 'out'))],
    ['dots that lead out', () => writeFile(join(folder, 'out'), '')],
    ['a sibling whose name begins like the root', () => writeFile(join(folder, 'volumes-out'), '')],
  ])('refuses %s of the roots', async (what, make) => {
    await make();
    const path =
      what === 'dots that lead out'
        ? `${volumes}/../out`
        : join(what.startsWith('a link') ? volumes : folder, what.startsWith('a link') ? 'out' : 'volumes-out');
    await expect(connector().connect(local(path))).rejects.toEqual(withCode('path-outside-roots'));
    await expect(connector().size(local(path))).rejects.toEqual(withCode('path-outside-roots'));
    await expect(connector().rescan(local(path), bytes(0), never)).rejects.toEqual(withCode('path-outside-roots'));
  });

  it('says that the device is missing when nothing is at the path, or a link leads nowhere', async () => {
    await symlink(join(volumes, 'gone'), join(volumes, 'dangling'));
    for (const name of ['gone', 'dangling']) {
      await expect(connector().size(local(join(volumes, name)))).rejects.toEqual(withCode('host-device-missing'));
    }
  });

  it('refuses a folder, which no guest can open', async () => {
    await mkdir(join(volumes, 'folder'));
    await expect(connector().connect(local(join(volumes, 'folder')))).rejects.toEqual(
      withCode('connection-info-invalid'),
    );
  });

  describe('that are encrypted', () => {
    const OVERHEAD = 4096;
    const secret = { luks_passphrase: 'ab12' };
    const encrypted = () => ({ ...local(join(volumes, 'one'), true), secret });

    beforeEach(async () => {
      const file = await open(join(volumes, 'one'), 'r+');
      await file.write(luksHeader(OVERHEAD), 0, 592, 0);
      await file.close();
    });

    it('are handed over with their pass phrase', async () => {
      expect(await connector().connect(encrypted())).toEqual({
        device: { kind: 'file', path: join(volumes, 'one') },
        keys: [{ purpose: 'luks', value: Buffer.from('ab12') }],
      });
    });

    it('are measured, waited for and restored without their header', async () => {
      const size = (of: number) => bytes(of - OVERHEAD);
      expect(await connector().size(encrypted())).toBe(size(GIB));
      expect(await connector().overhead(encrypted())).toBe(OVERHEAD);
      expect(await connector().rescan(encrypted(), size(GIB), never)).toBe(size(GIB));
      await expect(connector().rescan(encrypted(), bytes(GIB), never)).rejects.toMatchObject({
        facts: { wanted: GIB, measured: GIB - OVERHEAD },
      });
      expect(await connector().restore(encrypted(), size(2 * GIB))).toBe(size(2 * GIB));
      expect((await stat(join(volumes, 'one'))).size).toBe(2 * GIB);
    });

    it('are not opened without a pass phrase, nor when they are qcow2', async () => {
      const keyless = local(join(volumes, 'one'), true);
      await expect(connector().connect(keyless)).rejects.toEqual(withCode('volume-key-missing'));
      const { connection } = encrypted();
      await writeFile(join(volumes, 'one'), qcow2Header(GIB));
      const qcow2 = { connection: { ...connection, format: 'qcow2' as const }, secret };
      await expect(connector().connect(qcow2)).rejects.toEqual(withCode('connector-unsupported'));
    });
  });

  it('have no overhead, and a raw file that a resize has cut gets its length back', async () => {
    const one = local(join(volumes, 'one'));
    expect(await connector().overhead(one)).toBe(0);
    expect(await connector().restore(one, bytes(2 * GIB))).toBe(2 * GIB);
    expect(await connector().restore(one, bytes(GIB))).toBe(2 * GIB);
  });

  it('measures the length of the file', async () => {
    expect(await connector().size(local(join(volumes, 'one')))).toBe(GIB);
  });

  it('lets go without touching the file', async () => {
    await connector().disconnect(local(join(volumes, 'one')).connection);
    expect(await connector().size(local(join(volumes, 'one')))).toBe(GIB);
  });

  it('answers at once when the file is large enough, with what it measured', async () => {
    const clock = clockThat(() => undefined);
    expect(await connector(clock).rescan(local(join(volumes, 'one')), bytes(GIB / 2), never)).toBe(GIB);
    expect(clock.slept).toBe(0);
  });

  it('waits until the file has the wanted size (rule 2.6b)', async () => {
    const clock = clockThat((slept) => (slept >= 300 ? truncate(join(volumes, 'one'), 3 * GIB) : undefined));
    expect(await connector(clock).rescan(local(join(volumes, 'one')), bytes(2 * GIB), never)).toBe(3 * GIB);
  });

  it('gives up after its bounded time with both sizes, and leaves the file as it is', async () => {
    const clock = clockThat(() => undefined);
    await expect(connector(clock).rescan(local(join(volumes, 'one')), bytes(2 * GIB), never)).rejects.toMatchObject({
      code: 'host-device-too-small',
      facts: { wanted: 2 * GIB, measured: GIB },
    });
    expect(clock.slept).toBe(10_000);
    expect(await connector().size(local(join(volumes, 'one')))).toBe(GIB);
  });

  it('stops when it is told to', async () => {
    const abort = new AbortController();
    const clock = clockThat(() => abort.abort(new Error('stopping')));
    await expect(connector(clock).rescan(local(join(volumes, 'one')), bytes(2 * GIB), abort.signal)).rejects.toThrow(
      'stopping',
    );
  });

  it('refuses roots that are no folders', () => {
    for (const root of ['volumes', '/dev/*/x']) {
      expect(() => new LocalConnector({ roots: [root], clock: clockThat(() => undefined), runner: noProcess })).toThrow(
        RangeError,
      );
    }
  });

  it('matches a name with a star only directly in its folder', async () => {
    await mkdir(join(volumes, 'loop'));
    await writeFile(join(volumes, 'loop7'), '');
    await writeFile(join(volumes, 'loop', 'deep'), '');
    const pattern = new LocalConnector({
      roots: [join(volumes, 'loop*')],
      clock: clockThat(() => undefined),
      runner: noProcess,
    });
    expect(await pattern.connect(local(join(volumes, 'loop7')))).toMatchObject({ device: { kind: 'file' } });
    for (const name of ['one', 'loop/deep']) {
      await expect(pattern.connect(local(join(volumes, name)))).rejects.toEqual(withCode('path-outside-roots'));
    }
  });
});
