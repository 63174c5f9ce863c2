import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { rename, stat, truncate } from 'node:fs/promises';
import { bytes } from '@novella/core';
import type { LiveResize, DriverMethod } from '@novella/virt';
import { broken, MIB, OTHER_SERVER, SERVER, testHost, type TestHost } from '../testing/test-host.js';
import { decide } from './extend-volume.js';

const resize: LiveResize = { resizeDisk: (_server, _volume, size) => Promise.resolve(size) };

describe('what is left to do for the guest', () => {
  const cases: [string, Partial<Parameters<typeof decide>[0]>, ReturnType<typeof decide>['kind']][] = [
    ['guest off', { live: false, guestBytes: null }, 'next-start'],
    ['guest off, no live resize', { live: false, guestBytes: null, resize: undefined }, 'next-start'],
    ['guest smaller than it shall see', { guestBytes: bytes(1) }, 'resize'],
    ['guest as large as wanted, and shall see more', { guestBytes: bytes(2) }, 'resize'],
    ['guest as large as it shall see', { guestBytes: bytes(3) }, 'seen-already'],
    ['guest larger than it shall see', { guestBytes: bytes(4) }, 'seen-already'],
    ['size in the guest unknown', { guestBytes: null }, 'resize'],
    ['guest shown all, and known to have seen less', { guestBytes: bytes(3), seenBytes: bytes(2) }, 'resize'],
    ['guest shown all, and not known to have seen it', { guestBytes: bytes(3), seenBytes: null }, 'resize'],
    ['guest known to have seen more than it is shown', { guestBytes: bytes(2), seenBytes: bytes(3) }, 'resize'],
    ['guest smaller, no live resize', { guestBytes: bytes(1), resize: undefined }, 'refuse'],
    ['guest has what is wanted, no live resize', { guestBytes: bytes(2), resize: undefined }, 'seen-already'],
    ['size in the guest unknown, no live resize', { guestBytes: null, resize: undefined }, 'refuse'],
  ];
  it.each(cases)('%s', (_given, facts, kind) => {
    const sizes = { guestBytes: bytes(1), targetBytes: bytes(3), wantedBytes: bytes(2), seenBytes: bytes(4) };
    const usual = { live: true, ...sizes, resize };
    expect(decide({ ...usual, ...facts }).kind).toBe(kind);
  });
});

describe('extend_volume', () => {
  let host: TestHost;
  let disk: Awaited<ReturnType<TestHost['volume']>>;

  beforeEach(async () => {
    host = await testHost();
    disk = await host.volume(1, 1);
    await host.build([disk]);
  });
  afterEach(() => host.remove());

  const grown = (hostMib: number, guestMib: number | null) => ({
    status: 'grown',
    hostBytes: hostMib * MIB,
    guestBytes: guestMib === null ? null : guestMib * MIB,
  });
  const failed = (code: string) => ({ status: 'failed', error: expect.objectContaining({ code }) as object });
  const hostMib = async () => (await stat(disk.path)).size / MIB;
  const resizes = () => host.fake.calls.filter(({ method }) => method === 'resizeDisk').length;

  it.each(['running', 'paused'] as const)(
    'grows the disk of a %s guest and reports what was read back',
    async (state) => {
      await host.fake.setPowerState(SERVER, state);
      await truncate(disk.path, 2 * MIB);
      expect(await host.extend(disk, 2)).toEqual(grown(2, 2));
      expect(await host.guestMib(disk)).toBe(2);
    },
  );

  it.each(['shutdown', 'crashed'] as const)('measures only the host while the guest is %s', async (state) => {
    await host.fake.setPowerState(SERVER, state);
    await truncate(disk.path, 2 * MIB);
    expect(await host.extend(disk, 2)).toEqual(grown(2, null));
    expect(resizes()).toBe(0);
  });

  it('gives the guest all that the host has when that is more than was wanted', async () => {
    await truncate(disk.path, 3 * MIB);
    expect(await host.extend(disk, 2)).toEqual(grown(3, 3));
  });

  it('only reads when the guest has the size already', async () => {
    await truncate(disk.path, 2 * MIB);
    await host.extend(disk, 2);
    expect(await host.extend(disk, 2)).toEqual(grown(2, 2));
    expect(await host.extend(disk, 1)).toEqual(grown(2, 2));
    expect(resizes()).toBe(1);
  });

  it('refuses when the volume has not grown, and leaves file and guest as they are (rule 2.6b)', async () => {
    expect(await host.extend(disk, 2)).toEqual(failed('host-device-too-small'));
    expect(await hostMib()).toBe(1);
    expect(await host.guestMib(disk)).toBe(1);
  });

  it('grows a guest that was started, with the old size, while the rescan waited', async () => {
    await host.fake.setPowerState(SERVER, 'shutdown');
    const rescan = host.connectors.local.rescan.bind(host.connectors.local);
    host.connectors.local.rescan = async (connection, wanted, signal) => {
      await host.fake.setPowerState(SERVER, 'running');
      await truncate(disk.path, 2 * MIB);
      return rescan(connection, wanted, signal);
    };
    expect(await host.extend(disk, 2)).toEqual(grown(2, 2));
  });

  it('fails when the server has no guest here, or the guest not this volume', async () => {
    const other = await host.volume(2, 1);
    expect(await host.extend(disk, 1, host.token(), OTHER_SERVER)).toEqual(failed('domain-not-found'));
    expect(await host.extend(other, 1)).toEqual(failed('volume-detached'));
  });

  it('fails with the size of both when the guest does not come to the wanted size (rule 2.6f)', async () => {
    await truncate(disk.path, 2 * MIB);
    host.virt.liveResize!.resizeDisk = () => Promise.resolve(bytes(MIB));
    expect(await host.extend(disk, 2)).toMatchObject({
      error: { code: 'guest-size-not-reached', facts: { wanted: 2 * MIB, guest: MIB, host: 2 * MIB } },
    });
  });

  it('is unsupported for a running guest where the hypervisor cannot grow disks, and fine for one that is off', async () => {
    const poor = await testHost({ withoutResize: true });
    const volume = await poor.volume(1, 1);
    await poor.build([volume]);
    await truncate(volume.path, 2 * MIB);
    expect(await poor.extend(volume, 2)).toEqual(failed('extend-unsupported'));
    await poor.fake.setPowerState(SERVER, 'shutdown');
    expect(await poor.extend(volume, 2)).toEqual(grown(2, null));
    await poor.remove();
  });

  it('refuses a path that leads outside the roots, and a volume that went away', async () => {
    const outside = { ...disk, connection: { ...disk.connection, devicePath: '/etc/hostname' } };
    expect(await host.extend(outside, 1)).toEqual(failed('path-outside-roots'));
    await rename(disk.path, `${disk.path}.gone`);
    expect(await host.extend(disk, 1)).toEqual(failed('host-device-missing'));
  });

  describe('when the volume service grows the file while QEMU sets its length (rule 2.6c)', () => {
    /** 2 MiB were measured; the file has 3 MiB when QEMU cuts it back to 2. */
    const cutOnce = () => {
      host.faults.beforeCut = async () => {
        host.faults.beforeCut = () => Promise.resolve();
        await truncate(disk.path, 3 * MIB);
      };
    };

    it('gives the size back to the next extend, which finds the file as long as our resize has made it', async () => {
      await truncate(disk.path, 2 * MIB);
      cutOnce();
      expect(await host.extend(disk, 2)).toEqual(grown(2, 2));
      expect(await hostMib()).toBe(2);
      expect(await host.extend(disk, 3)).toEqual(grown(3, 3));
      expect(await hostMib()).toBe(3);
    });

    it('does so after a restart too', async () => {
      await truncate(disk.path, 2 * MIB);
      cutOnce();
      await host.extend(disk, 2);
      await host.restart();
      expect(await host.extend(disk, 3)).toEqual(grown(3, 3));
    });

    it('does so when the answer to the resize was lost', async () => {
      await truncate(disk.path, 2 * MIB);
      cutOnce();
      host.fake.failNext('resizeDisk', broken(), 'after');
      expect(await host.extend(disk, 2)).toEqual(failed('hypervisor-unreachable'));
      expect(await host.extend(disk, 3)).toEqual(grown(3, 3));
    });

    it('does so for a guest that was switched off meanwhile', async () => {
      await truncate(disk.path, 2 * MIB);
      cutOnce();
      await host.extend(disk, 2);
      await host.fake.setPowerState(SERVER, 'shutdown');
      expect(await host.extend(disk, 3)).toEqual(grown(3, null));
    });

    it('does so again when the file grows once more during the growing back', async () => {
      await truncate(disk.path, 2 * MIB);
      cutOnce();
      await host.extend(disk, 2);
      // The command for 3 MiB grows the file, and is cut off before it comes to a resize.
      host.faults.connector = { rescan: broken() };
      expect(await host.extend(disk, 3)).toEqual(failed('hypervisor-unreachable'));
      expect(await hostMib()).toBe(3);
      // That very growing may have cut what the volume service had made 4 MiB long.
      expect(await host.extend(disk, 4)).toEqual(grown(4, 4));
    });

    it('leaves a file alone that is too small by somebody else', async () => {
      await truncate(disk.path, 2 * MIB);
      await host.extend(disk, 2);
      await truncate(disk.path, 2 * MIB - 512);
      expect(await host.extend(disk, 3)).toEqual(failed('host-device-too-small'));
      expect((await stat(disk.path)).size).toBe(2 * MIB - 512);
    });

    it('leaves another file alone that has the length which our resize has set', async () => {
      await truncate(disk.path, 2 * MIB);
      await host.extend(disk, 2);
      await rename(disk.path, `${disk.path}-moved`);
      const moved = { ...disk, connection: { ...disk.connection, devicePath: `${disk.path}-moved` } };
      expect(await host.extend(moved, 3)).toEqual(failed('host-device-too-small'));
    });

    it('remembers nothing of a volume that was detached', async () => {
      await truncate(disk.path, 2 * MIB);
      await host.extend(disk, 2);
      await host.detach(disk);
      await host.attach(disk);
      expect(await host.extend(disk, 3)).toEqual(failed('host-device-too-small'));
    });
  });

  describe('cut off at any step and run again', () => {
    const faults: [string, (host: TestHost) => void][] = [
      ...(['guest', 'resizeDisk'] as DriverMethod[]).flatMap((method): [string, (host: TestHost) => void][] => [
        [`${method}, before`, (at) => at.fake.failNext(method, broken(), 'before')],
        [`${method}, after`, (at) => at.fake.failNext(method, broken(), 'after')],
      ]),
      ...(['connect', 'size', 'rescan'] as const).map((method): [string, (host: TestHost) => void] => [
        `connector ${method}`,
        (at) => (at.faults.connector = { [method]: broken() }),
      ]),
    ];
    it.each(faults)('%s', async (_where, breakIt) => {
      await truncate(disk.path, 2 * MIB);
      const token = host.token();
      breakIt(host);
      expect(await host.extend(disk, 2, token)).toEqual(failed('hypervisor-unreachable'));
      await host.restart();
      expect(await host.extend(disk, 2, token)).toEqual(grown(2, 2));
      expect(await host.extend(disk, 2, token)).toEqual(grown(2, 2));
      expect(await hostMib()).toBe(2);
    });

    it('report', async () => {
      await truncate(disk.path, 2 * MIB);
      const token = host.token();
      host.faults.report = broken();
      await expect(host.extend(disk, 2, token)).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
      expect(await host.extend(disk, 2, token)).toEqual(grown(2, 2));
    });
  });

  it('turns what is no error of ours into an internal one', async () => {
    host.faults.connector = { rescan: new Error('surprise') };
    expect(await host.extend(disk, 1)).toEqual(failed('internal'));
  });
});
