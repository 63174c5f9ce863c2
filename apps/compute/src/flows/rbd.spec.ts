import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CEPHX_KEY, MIB, OTHER_SERVER, testHost, type TestHost, type TestVolume } from '../testing/test-host.js';

describe('a volume in a Ceph cluster', () => {
  let host: TestHost;
  let disk: TestVolume;
  beforeEach(async () => {
    host = await testHost();
    disk = host.rbdVolume(1, 1);
  });
  afterEach(() => host.remove());

  const grown = (mib: number) => ({ status: 'grown', hostBytes: mib * MIB, guestBytes: mib * MIB });

  it('is attached with the key that came with it, grows, and is let go', async () => {
    await host.build([]);
    expect(await host.attach(disk)).toMatchObject({ disk: { hostBytes: MIB, guestBytes: MIB } });
    await host.setSize(disk, 2);
    expect(await host.extend(disk, 2)).toEqual(grown(2));
    expect(await host.detach(disk)).toEqual({ status: 'detached' });
    expect(await host.guestMib(disk)).toBeNull();
    expect(new Set(host.images.keys)).toEqual(new Set([CEPHX_KEY]));
  });

  it('is what a server is built with, and has grown when it starts again', async () => {
    expect(await host.build([disk], { bootVolume: disk.volume })).toMatchObject({ status: 'built' });
    await host.stop([disk]);
    await host.setSize(disk, 2);
    expect(await host.extend(disk, 2)).toEqual({ status: 'grown', hostBytes: 2 * MIB, guestBytes: null });
    expect(await host.start([disk])).toMatchObject({ disks: [{ hostBytes: 2 * MIB, guestBytes: 2 * MIB }] });
  });

  it('is seen with its size after a reboot', async () => {
    await host.build([disk]);
    await host.setSize(disk, 2);
    expect(await host.reboot('hard', [disk])).toMatchObject({ disks: [{ guestBytes: 2 * MIB }] });
  });

  it('is not extended before the image has grown, and keeps its length', async () => {
    await host.build([disk]);
    expect(await host.extend(disk, 2)).toMatchObject({ status: 'failed', error: { code: 'host-device-too-small' } });
    expect([host.images.size(disk.path), await host.guestMib(disk)]).toEqual([MIB, 1]);
  });

  it('gets back what a resize has cut while the volume service made it longer (rule 2.6c)', async () => {
    await host.build([disk]);
    await host.setSize(disk, 2);
    host.faults.beforeCut = async () => {
      host.faults.beforeCut = () => Promise.resolve();
      await host.setSize(disk, 3);
    };
    expect(await host.extend(disk, 2)).toEqual(grown(2));
    expect(await host.extend(disk, 3)).toEqual(grown(3));
  });

  it('that somebody else has cut is left alone', async () => {
    await host.build([disk]);
    await host.setSize(disk, 3);
    await host.extend(disk, 3);
    await host.setSize(disk, 2);
    expect(await host.extend(disk, 3)).toMatchObject({ status: 'failed', error: { code: 'host-device-too-small' } });
    expect(host.images.size(disk.path)).toBe(2 * MIB);
  });

  it('that two servers share grows in both', async () => {
    const shared = { ...disk, shareable: true };
    await host.build([shared]);
    await host.build([shared], { server: OTHER_SERVER });
    await host.setSize(disk, 2);
    expect(await host.extend(shared, 2)).toEqual(grown(2));
    expect(await host.extend(shared, 2, host.token(), OTHER_SERVER)).toEqual(grown(2));
  });

  it('is not attached without a key', async () => {
    await host.build([]);
    const keyless = { ...disk, sealedSecret: null };
    expect(await host.attach(keyless)).toMatchObject({ status: 'failed', error: { code: 'volume-key-missing' } });
    expect(await host.guestMib(disk)).toBeNull();
  });

  it('is detached although its image and its key are gone', async () => {
    await host.build([disk]);
    host.images.sizes.clear();
    expect(await host.detach({ ...disk, sealedSecret: null })).toEqual({ status: 'detached' });
  });
});
