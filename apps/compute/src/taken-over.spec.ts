import { truncate } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Journal } from './journal.js';
import { MIB, testHost, type TestHost, type TestVolume } from './testing/test-host.js';

describe('a worker that stood still while another took over its state directory', () => {
  let host: TestHost;
  let disk: TestVolume;

  beforeEach(async () => {
    host = await testHost();
    disk = await host.volume(1, 1);
    await host.build([disk]);
    await truncate(disk.path, 2 * MIB);
  });
  afterEach(() => host.remove());

  it('does no further step of a command that it had begun, and calls it stale (rule 3.5c)', async () => {
    const stopped = host.fake.hangNext('guest', 'after');
    const extending = host.extend(disk, 2);
    await stopped.reached;
    const successor = await Journal.open(host.stateDir);
    stopped.release();
    expect(await extending).toEqual({ status: 'stale' });
    expect(await host.guestMib(disk)).toBe(1);
    await successor.close();
  });

  it('begins none that comes to it afterwards (rule 3.5c)', async () => {
    const successor = await Journal.open(host.stateDir);
    expect(await host.extend(disk, 2)).toEqual({ status: 'stale' });
    expect(await host.guestMib(disk)).toBe(1);
    await successor.close();
  });
});
