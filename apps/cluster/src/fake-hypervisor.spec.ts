import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerId } from '@novella/core';
import { temporaryDirectory, type TemporaryDirectory } from '@novella/testing';
import { FakeHypervisorClient, type VirtDriver } from '@novella/virt';
import { fakeSocket, startFakeHypervisor } from './fake-hypervisor.js';

const SERVER = '5e50e500-0000-4000-8000-000000000001' as ServerId;
const spec = {
  server: SERVER,
  domainName: 'instance-00000001',
  displayName: 'one',
  projectId: 'p',
  vcpus: 1,
  memoryMib: 64,
  kernel: null,
  rootDisk: null,
  bootVolume: null,
  disks: [],
  consolePath: '/console',
};

describe('the fake hypervisor of a host', () => {
  let dir: TemporaryDirectory;
  let host: string;
  beforeEach(async () => {
    dir = await temporaryDirectory();
    host = join(dir.path, 'fake');
  });
  afterEach(() => dir.remove());

  async function asked<T>(ask: (driver: VirtDriver) => Promise<T>): Promise<T> {
    const driver = await FakeHypervisorClient.open({ socketPath: fakeSocket(host) });
    try {
      return await ask(driver);
    } finally {
      await driver.close();
    }
  }

  it('has its guests again when the cluster is started again', async () => {
    const first = await startFakeHypervisor('compute-1', host);
    const guest = await asked((driver) => driver.createGuest(spec));
    expect(await asked((driver) => driver.guest(SERVER))).toEqual(guest);
    await first.stop();
    expect(await first.answers()).toBe(false);
    const second = await startFakeHypervisor('compute-1', host);
    expect(await asked((driver) => driver.guest(SERVER))).toEqual(guest);
    await second.stop();
  });

  it('can be started again with its guests when nobody reaches it any more', async () => {
    const hypervisor = await startFakeHypervisor('compute-1', host);
    const guest = await asked((driver) => driver.createGuest(spec));
    await rm(fakeSocket(host));
    expect(await hypervisor.answers()).toBe(false);
    await hypervisor.startAgain();
    expect(await asked((driver) => driver.guest(SERVER))).toEqual(guest);
    await hypervisor.stop();
  });
});
