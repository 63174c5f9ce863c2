import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { bytes, type ServerId } from '@novella/core';
import { ConfigError, type Environment, readConfig } from '@novella/service-kit';
import { temporaryDirectory } from '@novella/testing';
import { FakeDriver, serveFakeHypervisor } from '@novella/virt';
import { ComputeConfig } from './compute.config.js';
import { openHypervisor } from './hypervisor.js';

const LEAST = { NOVELLA_BROKER_URLS: 'amqp://nova:secret@127.0.0.1:5672/', NOVELLA_HOST: 'host-1' };
const FAKE = { ...LEAST, NOVELLA_VIRT_DRIVER: 'fake' };
const SOCKET = 'NOVELLA_FAKE_HYPERVISOR_SOCKET';

function faultsOf(env: Environment): string[] {
  try {
    readConfig(ComputeConfig, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ key }) => key);
  }
}

describe('NOVELLA_FAKE_HYPERVISOR_SOCKET', () => {
  it('is taken with the fake driver, and may be left out', () => {
    expect(faultsOf({ ...FAKE, [SOCKET]: '/run/fake.sock' })).toEqual([]);
    expect(faultsOf(FAKE)).toEqual([]);
  });

  it.each([
    ['with libvirt', { ...LEAST, [SOCKET]: '/run/fake.sock' }],
    ['as a relative path', { ...FAKE, [SOCKET]: 'fake.sock' }],
  ])('is a fault %s', (_how, env) => {
    expect(faultsOf(env)).toEqual([SOCKET]);
  });
});

describe('openHypervisor', () => {
  it('has the guests of the hypervisor at the socket, and is told when nobody is there', async () => {
    await using dir = await temporaryDirectory();
    const socketPath = join(dir.path, 'socket');
    const settings = readConfig(ComputeConfig, { ...FAKE, [SOCKET]: socketPath });
    await expect(openHypervisor(settings)).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
    const driver = new FakeDriver({ deviceSize: () => Promise.resolve(bytes(0)) });
    const served = await serveFakeHypervisor({ socketPath, driver });
    const hypervisor = await openHypervisor(settings);
    await hypervisor.destroyGuest('5e50e500-0000-4000-8000-000000000001' as ServerId);
    expect(driver.calls).toMatchObject([{ method: 'destroyGuest' }]);
    await hypervisor.close();
    await served.close();
  });
});
