import { stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bytes, bytes, type ServerId } from '@novella/core';
import { temporaryDirectory } from '@novella/testing';
import { virtDriverConformance } from './conformance/virt-driver.conformance.js';
import type { GuestDisk } from './driver.js';
import { FakeHypervisorClient } from './fake-client.js';
import { FakeDriver } from './fake-driver.js';
import { serveFakeHypervisor } from './fake-hypervisor.js';

virtDriverConformance('FakeHypervisorClient', async () => {
  const dir = await temporaryDirectory();
  const socketPath = join(dir.path, 'socket');
  // The fake does not look into its files: a qcow2 file is as long as its virtual size.
  const far = new FakeDriver({ deviceSize: async ({ path }) => bytes((await stat(path)).size) });
  const served = await serveFakeHypervisor({ socketPath, driver: far });
  const driver = await FakeHypervisorClient.open({ socketPath });
  const done = Promise.resolve();
  return {
    driver,
    addForeignDomain: (uuid: string, name: string) => {
      far.addForeignDomain(uuid, name);
      return done;
    },
    powerOff: (server: ServerId) => far.setPowerState(server, 'shutdown'),
    pause: (server: ServerId) => far.setPowerState(server, 'paused'),
    resume: (server: ServerId) => far.setPowerState(server, 'running'),
    save: (server: ServerId) => far.setPowerState(server, 'saved'),
    fallAsleep: (server: ServerId) => far.setPowerState(server, 'suspended'),
    makeDeaf: (server: ServerId) => {
      far.setDeaf(server, true);
      return done;
    },
    startBlockJob: (_server: ServerId, { volume }: GuestDisk) => {
      far.setBusy(volume, true);
      return Promise.resolve(() => {
        far.setBusy(volume, false);
        return done;
      });
    },
    createQcow2: async (path: string, size: Bytes) => {
      await writeFile(path, '');
      await truncate(path, size);
    },
    close: async () => {
      await driver.close();
      await served.close();
      await dir.remove();
    },
  };
});
