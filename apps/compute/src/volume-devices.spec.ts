import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { truncate } from 'node:fs/promises';
import { NovellaError } from '@novella/core';
import { seal } from '@novella/sealing';
import { MIB, OTHER_SERVER, SERVER, testHost, type TestHost, type TestVolume } from './testing/test-host.js';
import { connectVolume } from './volume-devices.js';

const failed = (code: string) => ({ status: 'failed', error: expect.objectContaining({ code }) as object });

describe('the secret of a volume', () => {
  const SECRET = { password: 'correct horse battery staple' };
  let host: TestHost;
  let disk: TestVolume;

  beforeEach(async () => {
    host = await testHost();
    disk = await host.volume(1, 1);
    disk = { ...disk, sealedSecret: seal(host.hostKey.publicKey, SECRET, disk.attachment) };
  });
  afterEach(() => host.remove());

  it('is read for each connect of a build, attach, start, reboot, resume and extend', async () => {
    const bare = await host.volume(2, 1);
    await host.build([disk, bare]);
    expect(host.secrets.splice(0)).toEqual([SECRET, null]);
    await host.attach(disk);
    expect(host.secrets.splice(0)).toEqual([SECRET]);
    await host.stop([disk, bare]);
    await host.start([disk, bare]);
    expect(host.secrets.splice(0)).toEqual([SECRET, null]);
    await host.reboot('hard', [disk, bare]);
    expect(host.secrets.splice(0)).toEqual([SECRET, null]);
    await host.suspend([disk, bare]);
    await host.resume([disk, bare]);
    expect(host.secrets.splice(0)).toEqual([SECRET, null]);
    await host.extend(disk, 1);
    expect(host.secrets.splice(0)).toEqual([SECRET]);
  });

  it.each<[string, (at: TestVolume) => TestVolume]>([
    ['was sealed for another attachment', (at) => ({ ...at, attachment: at.volume as string as typeof at.attachment })],
    ['is damaged', (at) => ({ ...at, sealedSecret: `AAAA${at.sealedSecret!.slice(4)}` })],
    ['is nothing of ours', (at) => ({ ...at, sealedSecret: 'AAAA' })],
  ])('that %s connects nothing', async (_what, change) => {
    expect(await host.build([change(disk)])).toEqual(failed('secret-unreadable'));
    expect(host.secrets).toEqual([]);
    await host.build([]);
    expect(await host.attach(change(disk))).toEqual(failed('secret-unreadable'));
    await host.attach(disk);
    expect(await host.extend(change(disk), 1)).toEqual(failed('secret-unreadable'));
    await host.stop([disk]);
    expect(await host.start([change(disk)])).toEqual(failed('secret-unreadable'));
    expect((await host.fake.guest(SERVER))?.run).toBeNull();
  });

  it('is not needed to let go of the volume', async () => {
    await host.build([disk]);
    const unreadable = { ...disk, sealedSecret: 'AAAA' };
    expect(await host.detach(unreadable)).toEqual({ status: 'detached' });
    expect(await host.delete([unreadable])).toEqual({ status: 'deleted' });
  });

  it('goes with no error, not even one that says why it could not be read', async () => {
    const hostKey = {
      unseal: (): never => {
        throw new NovellaError('internal', 'hunter2', { text: 'hunter2' }, { cause: new Error('hunter2') });
      },
    };
    const error: unknown = await connectVolume({ connectors: host.connectors, hostKey }, disk).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'secret-unreadable', facts: { attachment: disk.attachment } });
    expect((error as Error).cause).toBeUndefined();
    expect(JSON.stringify(error) + (error as Error).message).not.toContain('hunter2');
  });
});

describe('a volume that two servers of the host share', () => {
  let host: TestHost;
  let disk: TestVolume;
  let disconnected: number;

  beforeEach(async () => {
    host = await testHost();
    disk = await host.volume(1, 1, { shareable: true });
    disconnected = 0;
    const disconnect = host.connectors.local.disconnect.bind(host.connectors.local);
    host.connectors.local.disconnect = (connection) => {
      disconnected += 1;
      return disconnect(connection);
    };
    await host.build([disk]);
    await host.build([disk], { server: OTHER_SERVER });
  });
  afterEach(() => host.remove());

  it('stays a device of the host until the last of them has let go', async () => {
    expect(await host.detach(disk)).toEqual({ status: 'detached' });
    expect(disconnected).toBe(0);
    expect(await host.guestMib(disk, OTHER_SERVER)).toBe(1);
    expect(await host.detach(disk, host.token(), OTHER_SERVER)).toEqual({ status: 'detached' });
    expect(disconnected).toBe(1);
  });

  it('stays so when one of them is deleted', async () => {
    await host.delete([disk]);
    expect(disconnected).toBe(0);
    await host.delete([disk], host.token(), OTHER_SERVER);
    expect(disconnected).toBe(1);
  });

  it('stays so when the build of a third fails', async () => {
    const third = '5e7e0000-0000-4000-8000-000000000003' as typeof SERVER;
    host.fake.failNext('createGuest', new NovellaError('hypervisor-refused', 'no'));
    expect(await host.build([disk], { server: third })).toEqual(failed('hypervisor-refused'));
    expect(disconnected).toBe(0);
  });

  it('grows in both guests, each told once', async () => {
    await truncate(disk.path, 3 * MIB);
    const grown = { status: 'grown', hostBytes: 3 * MIB, guestBytes: 3 * MIB };
    const extended = [host.extend(disk, 3), host.extend(disk, 3, host.token(), OTHER_SERVER)];
    expect(await Promise.all(extended)).toEqual([grown, grown]);
    expect([await host.guestMib(disk), await host.guestMib(disk, OTHER_SERVER)]).toEqual([3, 3]);
    expect(host.fake.calls.filter(({ method }) => method === 'resizeDisk')).toHaveLength(2);
  });

  it('is given back by the second extend what the first has cut off', async () => {
    await truncate(disk.path, 2 * MIB);
    host.faults.beforeCut = async () => {
      host.faults.beforeCut = () => Promise.resolve();
      await truncate(disk.path, 3 * MIB);
    };
    await host.extend(disk, 2);
    const grown = { status: 'grown', hostBytes: 3 * MIB, guestBytes: 3 * MIB };
    expect(await host.extend(disk, 3, host.token(), OTHER_SERVER)).toEqual(grown);
    expect(await host.extend(disk, 3)).toEqual(grown);
  });

  it('keeps what is known of its length while another guest has it', async () => {
    await truncate(disk.path, 2 * MIB);
    await host.extend(disk, 2);
    await host.detach(disk);
    expect(host.journal.ownLengths(disk.volume)).not.toBeNull();
    await host.detach(disk, host.token(), OTHER_SERVER);
    expect(host.journal.ownLengths(disk.volume)).toBeNull();
  });

  it('cannot be a qcow2 file, which two QEMUs would destroy', async () => {
    const qcow2 = await host.volume(2, 1, { shareable: true, format: 'qcow2' });
    expect(await host.attach(qcow2)).toEqual(failed('connector-unsupported'));
  });
});

it('asks no other guest about a volume that cannot be shared', async () => {
  const host = await testHost();
  const disk = await host.volume(1, 1);
  await host.build([disk]);
  expect(await host.detach(disk)).toEqual({ status: 'detached' });
  expect(host.fake.calls.some(({ method }) => method === 'guests')).toBe(false);
  await host.remove();
});
