import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, type OperationId, type ServerId, type VolumeId } from '@novella/core';
import { Journal, type Scope } from './journal.js';

const SERVER = '5e7e0000-0000-4000-8000-000000000001' as ServerId;
const VOLUME = '00000000-0000-4000-8000-000000000001' as VolumeId;
const OTHER_VOLUME = '00000000-0000-4000-8000-000000000002' as VolumeId;
const server: Scope = { server: SERVER, volume: null };
const volume: Scope = { server: SERVER, volume: VOLUME };
const otherVolume: Scope = { server: SERVER, volume: OTHER_VOLUME };
const STALE = { code: 'command-stale' };

describe('journal', () => {
  let folder: string;
  let path: string;
  const opened: Journal[] = [];
  const open = async () => {
    const journal = await Journal.open(folder);
    opened.push(journal);
    return journal;
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'novella-journal-'));
    path = join(folder, 'journal');
  });
  afterEach(async () => {
    for (const journal of opened.splice(0)) await journal.close();
    await rm(folder, { recursive: true, force: true });
  });

  describe('fences', () => {
    it('admits what is higher or the same, and calls stale what is lower', async () => {
      const journal = await open();
      expect(await journal.admit(volume, 5)).toBe('admitted');
      expect(await journal.admit(volume, 5)).toBe('admitted');
      expect(await journal.admit(volume, 4)).toBe('stale');
      expect(await journal.admit(volume, 6)).toBe('admitted');
    });

    it('keeps volumes apart, and counts a command for the server against all of them', async () => {
      const journal = await open();
      await journal.admit(volume, 5);
      expect(await journal.admit(otherVolume, 3)).toBe('admitted');
      await journal.admit(server, 7);
      expect(await journal.admit(volume, 6)).toBe('stale');
      expect(await journal.admit(otherVolume, 8)).toBe('admitted');
    });

    it('does not count a command for a volume against the server', async () => {
      const journal = await open();
      await journal.admit(volume, 9);
      expect(await journal.admit(server, 8)).toBe('admitted');
    });

    it('stops a running command at its next check when a newer one was admitted', async () => {
      const journal = await open();
      await journal.admit(volume, 5);
      await expect(journal.check(volume, 5)).resolves.toBeUndefined();
      await journal.admit(server, 6);
      await expect(journal.check(volume, 5)).rejects.toMatchObject(STALE);
    });

    it('stops a worker that wakes up after another has opened the same directory', async () => {
      const stopped = await open();
      await stopped.admit(volume, 5);
      await open();
      await expect(stopped.check(volume, 5)).rejects.toMatchObject(STALE);
    });

    it('are as they were after a restart', async () => {
      await (await open()).admit(volume, 5);
      const journal = await open();
      expect(await journal.admit(volume, 4)).toBe('stale');
      expect(await journal.admit(volume, 5)).toBe('admitted');
    });

    it('are on disk when they are admitted', async () => {
      const journal = await open();
      await journal.admit(volume, 123_456);
      expect(await readFile(path, 'utf8')).toContain('123456');
    });
  });

  describe('own lengths', () => {
    it('remembers the last four of a path, also after a restart', async () => {
      const journal = await open();
      for (const length of [1, 2, 3, 3, 4, 5]) await journal.noteLength(VOLUME, '/a', bytes(length));
      expect(journal.ownLengths(VOLUME)).toMatchObject({ path: '/a', lengths: [2, 3, 4, 5] });
      expect((await open()).ownLengths(VOLUME)).toMatchObject({ path: '/a', lengths: [2, 3, 4, 5] });
    });

    it('begins anew for another path', async () => {
      const journal = await open();
      await journal.noteLength(VOLUME, '/a', bytes(1));
      await journal.noteLength(VOLUME, '/b', bytes(2));
      expect(journal.ownLengths(VOLUME)).toMatchObject({ path: '/b', lengths: [2] });
    });

    it('stays forgotten after a restart', async () => {
      const journal = await open();
      await journal.noteLength(VOLUME, '/a', bytes(1));
      await journal.forgetLengths(VOLUME);
      expect(journal.ownLengths(VOLUME)).toBeNull();
      expect((await open()).ownLengths(VOLUME)).toBeNull();
    });
  });

  describe('begun reboots', () => {
    const first = { operation: 'e0000000-0000-4000-8000-000000000001' as OperationId, seq: 1, run: 7 };
    const second = { operation: 'e0000000-0000-4000-8000-000000000002' as OperationId, seq: 2, run: null };

    it('are the last of each server, also after a restart', async () => {
      const journal = await open();
      expect(journal.begunReboot(SERVER)).toBeNull();
      await journal.noteReboot(SERVER, first);
      expect((await open()).begunReboot(SERVER)).toEqual(first);
      const restarted = await open();
      await restarted.noteReboot(SERVER, second);
      expect(restarted.begunReboot(SERVER)).toEqual(second);
      expect((await open()).begunReboot(SERVER)).toEqual(second);
    });

    it('stay forgotten after a restart', async () => {
      const journal = await open();
      await journal.noteReboot(SERVER, first);
      await journal.forgetReboot(SERVER);
      expect(journal.begunReboot(SERVER)).toBeNull();
      expect((await open()).begunReboot(SERVER)).toBeNull();
    });

    it('are on disk when they are noted', async () => {
      const journal = await open();
      await journal.noteReboot(SERVER, first);
      expect(await readFile(path, 'utf8')).toContain(first.operation);
    });
  });

  describe('on disk', () => {
    it('knows, cut off at any byte, exactly what was wholly written', async () => {
      const journal = await open();
      const written: { size: number; fence: number }[] = [{ size: (await stat(path)).size, fence: 0 }];
      for (const fence of [10, 20, 30]) {
        await journal.admit(volume, fence);
        written.push({ size: (await stat(path)).size, fence });
      }
      const whole = await readFile(path);
      const [first] = written;
      for (let size = first!.size; size <= whole.length; size += 1) {
        await writeFile(path, whole.subarray(0, size));
        const { fence } = written.findLast((one) => one.size <= size)!;
        const restarted = await Journal.open(folder);
        if (fence > 0) expect(await restarted.admit(volume, fence - 1)).toBe('stale');
        expect(await restarted.admit(volume, fence + 1)).toBe('admitted');
        await restarted.close();
      }
    });

    it('drops a last line whose blocks did not all come to the disk', async () => {
      const journal = await open();
      await journal.admit(volume, 10);
      const { size } = await stat(path);
      await journal.admit(volume, 20);
      await truncate(path, size + 5);
      await truncate(path, size + 40);
      expect(await (await open()).admit(volume, 15)).toBe('admitted');
    });

    it('refuses to start when a line before the last is damaged', async () => {
      const journal = await open();
      await journal.admit(volume, 10);
      await journal.admit(volume, 20);
      const lines = (await readFile(path, 'utf8')).split('\n');
      lines[1] = lines[1]!.replace('10', '11');
      await writeFile(path, lines.join('\n'));
      await expect(Journal.open(folder)).rejects.toMatchObject({ code: 'host-state-lost', grade: 'final' });
    });

    it('takes many at once', async () => {
      const journal = await open();
      const volumes = Array.from({ length: 200 }, (_, n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);
      const scopes = volumes.map((id) => ({ server: SERVER, volume: id as VolumeId }));
      await Promise.all(scopes.map((scope, index) => journal.admit(scope, index + 1)));
      const lines = (await readFile(path, 'utf8')).split('\n').length;
      expect(lines).toBeLessThan(20);
      const restarted = await open();
      for (const [index, scope] of scopes.entries()) {
        if (index > 0) expect(await restarted.admit(scope, index)).toBe('stale');
      }
    });

    it('does not grow with the number of commands', async () => {
      const journal = await open();
      const long = '/long'.repeat(2_000);
      for (let n = 1; n <= 120; n += 1) await journal.noteLength(VOLUME, long, bytes(n));
      expect((await stat(path)).size).toBeLessThan(600_000);
      await journal.admit(volume, 5);
      await expect(journal.check(volume, 5)).resolves.toBeUndefined();
      expect((await open()).ownLengths(VOLUME)).toMatchObject({ lengths: [117, 118, 119, 120] });
    });

    it('drops the oldest of too many keys, and then calls stale what is older than those', async () => {
      const journal = await open();
      const scopeOf = (n: number): Scope => ({
        server: `5e7e0000-0000-4000-8000-${String(n).padStart(12, '0')}` as ServerId,
        volume: null,
      });
      const many = Array.from({ length: 10_050 }, (_, n) => n + 1);
      await Promise.all(many.map((n) => journal.admit(scopeOf(n), n)));
      const restarted = await open();
      expect((await stat(path)).size).toBeLessThan(2_000_000);
      expect(await restarted.admit(scopeOf(20_000), 49)).toBe('stale');
      expect(await restarted.admit(scopeOf(20_000), 51)).toBe('admitted');
      expect(await restarted.admit(scopeOf(10_000), 9_999)).toBe('stale');
    });

    it('admits nothing that it cannot write, however often it is asked', async () => {
      const journal = await open();
      await journal.close();
      await expect(journal.admit(volume, 5)).rejects.toMatchObject({ code: 'internal' });
      await expect(journal.admit(volume, 5)).rejects.toMatchObject({ code: 'internal' });
    });
  });
});
