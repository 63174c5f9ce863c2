import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { LUKS_HEADER } from '../testing/luks-header.js';
import { MIB, testHost, type TestHost, type TestVolume } from '../testing/test-host.js';

describe('an encrypted volume', () => {
  let host: TestHost;
  let disk: TestVolume;
  beforeEach(async () => {
    host = await testHost();
    disk = await host.volume(1, 1, { encrypted: true });
    await host.build([]);
  });
  afterEach(() => host.remove());

  /** What a guest sees of so many MiB. */
  const within = (mib: number): number => mib * MIB - LUKS_HEADER;
  const extend = (mib: number) => host.extend(disk, mib - LUKS_HEADER / MIB);
  const grown = (mib: number) => ({ status: 'grown', hostBytes: within(mib), guestBytes: within(mib) });

  it('is measured after its header, which is told of (rule 3.2d)', async () => {
    expect(await host.attach(disk)).toEqual({
      status: 'attached',
      disk: { volume: disk.volume, hostBytes: within(1), guestBytes: within(1), overheadBytes: LUKS_HEADER },
    });
  });

  it('grows by what its device has grown, which keeps the length that the volume service gave it', async () => {
    await host.attach(disk);
    await host.setSize(disk, 2);
    expect(await extend(2)).toEqual(grown(2));
    expect(await host.sizeOf(disk)).toBe(2 * MIB);
  });

  it('is not extended while only its header would make up for what is missing', async () => {
    await host.attach(disk);
    await host.setSize(disk, 2);
    expect(await host.extend(disk, 2)).toMatchObject({ status: 'failed', error: { code: 'host-device-too-small' } });
    expect(await host.sizeOf(disk)).toBe(2 * MIB);
  });

  it('gets back what a resize has cut, its header counted (rule 2.6c)', async () => {
    await host.attach(disk);
    await host.setSize(disk, 2);
    host.faults.beforeCut = async () => {
      host.faults.beforeCut = () => Promise.resolve();
      await host.setSize(disk, 3);
    };
    expect(await extend(2)).toEqual(grown(2));
    expect(await host.sizeOf(disk)).toBe(2 * MIB);
    expect(await extend(3)).toEqual(grown(3));
    expect(await host.sizeOf(disk)).toBe(3 * MIB);
  });

  it('is opened anew at a start, with the size that it then has', async () => {
    await host.attach(disk);
    await host.stop([disk]);
    await host.setSize(disk, 2);
    expect(await extend(2)).toEqual({ ...grown(2), guestBytes: null });
    expect(await host.start([disk])).toMatchObject({ disks: [{ guestBytes: within(2), overheadBytes: LUKS_HEADER }] });
  });

  it('is not attached without its pass phrase, nor when it has other content', async () => {
    const keyless = { ...disk, sealedSecret: null };
    expect(await host.attach(keyless)).toMatchObject({ status: 'failed', error: { code: 'volume-key-missing' } });
    await writeFile(disk.path, Buffer.alloc(MIB, 1));
    expect(await host.attach(disk)).toMatchObject({ status: 'failed', error: { code: 'image-refused' } });
    expect(await host.guestMib(disk)).toBeNull();
  });
});
