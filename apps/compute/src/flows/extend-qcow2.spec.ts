import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { bytes } from '@novella/core';
import { virtualClock, type VirtualClock, waitUntil } from '@novella/testing';
import type { DriverMethod } from '@novella/virt';
import { readQcow2Size, setQcow2Size } from '../testing/qcow2-header.js';
import { broken, MIB, SERVER, testHost, type TestHost, type TestVolume } from '../testing/test-host.js';

const failed = (code: string) => ({ status: 'failed', error: expect.objectContaining({ code }) as object });
const LOCKED = 'qemu-img: Could not open: Failed to get "write" lock';

describe('extend_volume of a qcow2 volume', () => {
  let host: TestHost;
  let clock: VirtualClock;
  let disk: TestVolume;
  let resizedByUs: number;

  beforeEach(async () => {
    clock = virtualClock();
    host = await testHost({ clock });
    disk = await host.volume(1, 1, { format: 'qcow2' });
    await host.build([disk]);
    resizedByUs = 0;
    host.faults.qemuImg = () => {
      resizedByUs += 1;
      return Promise.resolve(null);
    };
  });
  afterEach(() => host.remove());

  const grown = (hostMib: number, guestMib: number | null) => ({
    status: 'grown',
    hostBytes: hostMib * MIB,
    guestBytes: guestMib === null ? null : guestMib * MIB,
  });
  const off = () => host.fake.setPowerState(SERVER, 'shutdown');
  const fileMib = async () => (await readQcow2Size(disk.path)) / MIB;
  const resizedLive = () => host.fake.calls.filter(({ method }) => method === 'resizeDisk').length;

  it.each(['running', 'paused'] as const)(
    'lets the hypervisor of a %s guest grow the file, and reads it back from both',
    async (state) => {
      await host.fake.setPowerState(SERVER, state);
      expect(await host.extend(disk, 2)).toEqual(grown(2, 2));
      expect([await fileMib(), await host.guestMib(disk), resizedByUs]).toEqual([2, 2, 0]);
    },
  );

  it.each(['shutdown', 'crashed'] as const)('grows the file itself while the guest is %s', async (state) => {
    await host.fake.setPowerState(SERVER, state);
    expect(await host.extend(disk, 2)).toEqual(grown(2, null));
    expect([await fileMib(), resizedByUs, resizedLive()]).toEqual([2, 1, 0]);
    expect(await host.start([disk])).toMatchObject({ disks: [{ hostBytes: 2 * MIB, guestBytes: 2 * MIB }] });
  });

  it('never makes it smaller, and leaves alone what is large enough', async () => {
    await host.extend(disk, 4);
    expect(await host.extend(disk, 2)).toEqual(grown(4, 4));
    expect(resizedLive()).toBe(1);
    await off();
    expect(await host.extend(disk, 2)).toEqual(grown(4, null));
    expect([await fileMib(), resizedByUs]).toEqual([4, 0]);
  });

  it('gives a running guest all of a file that is larger than was wanted', async () => {
    await off();
    await setQcow2Size(disk.path, 4 * MIB);
    await host.fake.setPowerState(SERVER, 'running');
    expect(await host.extend(disk, 2)).toEqual(grown(4, 4));
  });

  it('notes no length of the file, as a raw one would need', async () => {
    await host.extend(disk, 2);
    expect(host.journal.ownLengths(disk.volume)).toBeNull();
  });

  it('fails as busy, and changes nothing, while another process has the file of a stopped guest open', async () => {
    await off();
    host.faults.qemuImg = () => Promise.resolve(LOCKED);
    expect(await host.extend(disk, 2)).toEqual(failed('guest-busy'));
    expect(await fileMib()).toBe(1);
  });

  it('fails when the hypervisor says that it has grown the disk but the file has not', async () => {
    host.virt.liveResize!.resizeDisk = (_server, _volume, size) => Promise.resolve(size);
    expect(await host.extend(disk, 2)).toEqual(failed('host-device-too-small'));
  });

  it('fails when the file has grown but the guest does not see it', async () => {
    host.virt.liveResize!.resizeDisk = async (_server, _volume, size) => {
      await setQcow2Size(disk.path, size);
      return bytes(MIB);
    };
    expect(await host.extend(disk, 2)).toEqual(failed('guest-size-not-reached'));
  });

  it('grows a guest by the hypervisor that somebody has started while the file was grown', async () => {
    await off();
    const grow = host.connectors.local.grow.bind(host.connectors.local);
    host.connectors.local.grow = async (connection, wanted) => {
      await host.fake.setPowerState(SERVER, 'running');
      return grow(connection, wanted);
    };
    expect(await host.extend(disk, 2)).toEqual(grown(2, 2));
    expect(resizedLive()).toBe(1);
  });

  it('is unsupported for a running guest where the hypervisor cannot grow disks', async () => {
    const poor = await testHost({ withoutResize: true });
    const volume = await poor.volume(1, 1, { format: 'qcow2' });
    await poor.build([volume]);
    expect(await poor.extend(volume, 2)).toEqual(failed('extend-unsupported'));
    expect(await readQcow2Size(volume.path)).toBe(MIB);
    await poor.remove();
  });

  it('does not start a guest while its file is being grown', async () => {
    await off();
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let reached = false;
    host.faults.qemuImg = async () => {
      reached = true;
      await released;
      return null;
    };
    const extending = host.extend(disk, 2);
    await waitUntil(() => reached);
    const starting = host.start([disk]);
    // The start came later and counts for the whole server: what the extend would still do is left to the start.
    expect(await extending).toEqual({ status: 'stale' });
    await waitUntil(() => clock.sleeping === 1);
    expect(host.fake.calls.some(({ method }) => method === 'startGuest')).toBe(false);
    release();
    expect(await starting).toMatchObject({ disks: [{ hostBytes: 2 * MIB, guestBytes: 2 * MIB }] });
  });

  it('does not grow the file itself while the guest is being started', async () => {
    await off();
    const held = host.fake.hangNext('startGuest', 'after');
    const starting = host.start([disk]);
    await held.reached;
    const extending = host.extend(disk, 2);
    await waitUntil(() => clock.sleeping === 2);
    expect(resizedByUs).toBe(0);
    held.release();
    expect(await starting).toMatchObject({ disks: [{ guestBytes: MIB }] });
    expect(await extending).toEqual(grown(2, 2));
    expect(resizedByUs).toBe(0);
  });

  describe('cut off at any step and run again', () => {
    const cuts = (...methods: DriverMethod[]): [string, (at: TestHost) => void][] => [
      ...methods.flatMap((method): [string, (at: TestHost) => void][] => [
        [`${method}, before`, (at) => at.fake.failNext(method, broken(), 'before')],
        [`${method}, after`, (at) => at.fake.failNext(method, broken(), 'after')],
      ]),
      ['connector connect', (at) => (at.faults.connector = { connect: broken() })],
    ];

    it.each([
      ...cuts('guest', 'resizeDisk'),
      ['connector size', (at: TestHost) => (at.faults.connector = { size: broken() })] as const,
    ])('with a running guest: %s', async (_where, breakIt) => {
      const token = host.token();
      breakIt(host);
      expect(await host.extend(disk, 2, token)).toEqual(failed('hypervisor-unreachable'));
      await host.restart();
      expect(await host.extend(disk, 2, token)).toEqual(grown(2, 2));
      expect(await fileMib()).toBe(2);
    });

    it.each([
      ...cuts('guest'),
      ['connector grow', (at: TestHost) => (at.faults.connector = { grow: broken() })] as const,
      [
        'qemu-img, killed after its work',
        (at: TestHost) => {
          at.faults.qemuImg = async () => {
            at.faults.qemuImg = () => Promise.resolve(null);
            await setQcow2Size(disk.path, 2 * MIB);
            throw broken();
          };
        },
      ] as const,
    ])('with the guest off: %s', async (_where, breakIt) => {
      await off();
      const token = host.token();
      breakIt(host);
      expect(await host.extend(disk, 2, token)).toEqual(failed('hypervisor-unreachable'));
      await host.restart();
      expect(await host.extend(disk, 2, token)).toEqual(grown(2, null));
      expect(await fileMib()).toBe(2);
    });
  });

  it('does not grow the file for a command that a newer one has overtaken', async () => {
    await off();
    const early = host.token();
    await host.detach(disk);
    expect(await host.extend(disk, 2, early)).toEqual({ status: 'stale' });
    expect([await fileMib(), resizedByUs]).toEqual([1, 0]);
  });

  it.each<[string, (header: Buffer) => void]>([
    ['names a backing file', (header) => header.writeBigUInt64BE(512n, 8)],
    ['names a data file', (header) => header.writeBigUInt64BE(4n, 72)],
    ['is no qcow2', (header) => header.writeUInt32BE(0, 0)],
  ])('is refused to build, attach, start and extend a file that %s', async (_what, change) => {
    const other = await host.volume(2, 1, { format: 'qcow2' });
    await host.attach(other);
    await off();
    const header = Buffer.alloc(512);
    header.writeUInt32BE(0x514649fb, 0);
    header.writeUInt32BE(3, 4);
    header.writeUInt32BE(16, 20);
    header.writeBigUInt64BE(BigInt(MIB), 24);
    header.writeUInt32BE(104, 100);
    change(header);
    await writeFile(other.path, header);
    const refused = failed('image-refused');
    expect(await host.start([disk, other])).toEqual(refused);
    expect(await host.extend(other, 2)).toEqual(refused);
    expect(await host.detach(other)).toEqual({ status: 'detached' });
    expect(await host.attach(other)).toEqual(refused);
    await host.delete([disk]);
    expect(await host.build([other])).toEqual(refused);
    expect(resizedByUs).toBe(0);
  });
});
