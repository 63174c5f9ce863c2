import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { millis, type PowerState, type ServerId } from '@novella/core';
import {
  type PrivateLibvirtd,
  startPrivateLibvirtd,
  temporaryDirectory,
  type TemporaryDirectory,
  waitUntil,
} from '@novella/testing';
import {
  bootSector,
  type MachineCode,
  OBEYS_POWER_BUTTON,
  POWERS_OFF,
  powersOffAfter,
} from './conformance/boot-sector.js';
import { realTime, type WaitClock } from './alarm.js';
import { virsh } from './conformance/virsh.js';
import type { Guest } from './driver.js';
import { LibvirtDriver } from './libvirt-driver.js';

jest.setTimeout(240_000);
const FOREIGN = 'f0000000-0000-4000-8000-0000000000f1' as ServerId;
const DEAF: MachineCode = [0xfa, 0xf4]; // cli; hlt
const TICKS_PER_S = 18;
/** Longer than a test may take: whoever waits it out fails. */
const LONG_GRACE = millis(3_600_000);

describe('LibvirtDriver starting and stopping guests while things happen', () => {
  let libvirtd: PrivateLibvirtd;
  let driver: LibvirtDriver;
  let directory: TemporaryDirectory;
  let guests = 0;
  let asleep = 0;
  const clock: WaitClock = {
    monotonic: realTime.monotonic,
    async sleep(delay, signal) {
      asleep += 1;
      await realTime.sleep(delay, signal).finally(() => (asleep -= 1));
    },
  };

  beforeAll(async () => {
    directory = await temporaryDirectory();
    libvirtd = await startPrivateLibvirtd();
    const small = { domainType: 'qemu', pciRootPorts: 6, clock, stop: { askAgainMs: 200 } } as const;
    driver = await LibvirtDriver.open({ socketPath: libvirtd.socketPath, ...small });
  });
  afterEach(async () => {
    await libvirtd.startDaemon();
    for (const { server } of await driver.guests()) await driver.destroyGuest(server);
  });
  afterAll(async () => {
    await driver.close();
    await libvirtd.stop();
    await directory.remove();
  });

  async function guestThat(code: MachineCode): Promise<Guest> {
    guests += 1;
    const server = `5e50e500-0000-4000-8000-${String(guests).padStart(12, '0')}` as ServerId;
    const path = join(directory.path, server);
    await writeFile(path, bootSector(code));
    return driver.createGuest({
      server,
      domainName: `instance-${server.slice(-8)}`,
      displayName: 'one',
      projectId: 'p',
      vcpus: 1,
      memoryMib: 64,
      kernel: null,
      rootDisk: { path, format: 'raw', bus: 'virtio' },
      bootVolume: null,
      disks: [],
      consolePath: `${path}.console`,
    });
  }
  const stop = (server: ServerId, grace = LONG_GRACE, signal = new AbortController().signal): Promise<void> =>
    driver.stopGuest(server, grace, signal);
  /** A stop that has asked the guest and waits. */
  async function waitingStop(...args: Parameters<typeof stop>): Promise<{ readonly stopped: Promise<void> }> {
    const stopped = stop(...args);
    stopped.catch(() => undefined); // the test looks at it later
    await waitUntil(() => asleep > 0);
    return { stopped };
  }
  const powerState = async (server: ServerId): Promise<PowerState | undefined> =>
    (await driver.guest(server))?.powerState;

  it('goes on waiting while libvirtd is started anew, and then cuts the power', async () => {
    const { server } = await guestThat(DEAF);
    const { stopped } = await waitingStop(server, millis(4_000));
    await libvirtd.restart();
    expect(await powerState(server)).toBe('running');
    await stopped;
    expect(await powerState(server)).toBe('shutdown');
  });

  it('sees that the guest went off while libvirtd was away', async () => {
    const { server } = await guestThat(powersOffAfter(2 * TICKS_PER_S));
    const { stopped } = await waitingStop(server);
    await libvirtd.stopDaemon();
    await sleep(4_000); // nobody but libvirtd could say when it has happened
    await libvirtd.startDaemon();
    await stopped;
    expect(await powerState(server)).toBe('shutdown');
  });

  it('answers hypervisor-unreachable when libvirtd is away at the end of the grace, and leaves the power on', async () => {
    const { server } = await guestThat(DEAF);
    const { stopped } = await waitingStop(server, millis(1_000));
    await libvirtd.stopDaemon();
    await expect(stopped).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
    await libvirtd.startDaemon();
    expect(await powerState(server)).toBe('running');
  });

  it('is aborted while libvirtd is away', async () => {
    const { server } = await guestThat(DEAF);
    const abort = new AbortController();
    const { stopped } = await waitingStop(server, LONG_GRACE, abort.signal);
    await libvirtd.stopDaemon();
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    await libvirtd.startDaemon();
    expect(await powerState(server)).toBe('running');
  });

  it('asks again until the guest listens: the first request comes too early', async () => {
    const { server } = await guestThat(OBEYS_POWER_BUTTON);
    await stop(server);
    expect(await powerState(server)).toBe('shutdown');
  });

  it('starts a guest that switches itself off at once, and tells that it is off', async () => {
    const told: PowerState[] = [];
    driver.onPowerState((_server, state) => void told.push(state));
    const { server } = await guestThat(POWERS_OFF);
    await waitUntil(async () => (await powerState(server)) === 'shutdown');
    const started = await driver.startGuest(server);
    expect(['running', 'shutdown']).toContain(started.powerState);
    await waitUntil(async () => (await powerState(server)) === 'shutdown');
    await waitUntil(() => told.length >= 4);
    expect(told).toEqual(['running', 'shutdown', 'running', 'shutdown']);
  });

  it('starts a guest that is just going off, once it is off', async () => {
    const { server, run } = await guestThat(OBEYS_POWER_BUTTON);
    const stopped = stop(server);
    const restarted = await waitUntil(async () => {
      const guest = await driver.startGuest(server);
      return guest.run !== run && guest;
    });
    await stopped;
    expect(restarted.powerState).toBe('running');
    expect(await driver.guest(server)).toEqual(restarted);
  });

  it('answers guest-busy while a backup of the guest runs, and stops it afterwards', async () => {
    const { server } = await guestThat(DEAF);
    const backup = join(directory.path, 'backup.xml');
    await writeFile(
      backup,
      `<domainbackup mode='pull'><server transport='unix' socket='${join(directory.path, 'nbd')}'/>
       <disks><disk name='vda' backup='yes' type='file'><scratch file='${join(directory.path, 'scratch')}'/></disk></disks>
       </domainbackup>`,
    );
    await virsh(libvirtd, 'backup-begin', server, backup);
    await expect(stop(server, millis(0))).rejects.toMatchObject({ code: 'guest-busy' });
    // QEMU pauses a guest for the last of its memory.
    expect(['running', 'paused']).toContain(await powerState(server));
    await virsh(libvirtd, 'domjobabort', server);
    await waitUntil(async () => {
      await stop(server, millis(0));
      return true;
    });
    expect(await powerState(server)).toBe('shutdown');
  });

  it("leaves somebody else's running domain alone", async () => {
    const path = join(directory.path, 'foreign.xml');
    await writeFile(
      path,
      `<domain type='qemu'><name>foreign</name><uuid>${FOREIGN}</uuid><memory unit='MiB'>64</memory>
       <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>`,
    );
    await virsh(libvirtd, 'create', path);
    await expect(stop(FOREIGN, millis(0))).rejects.toMatchObject({ code: 'domain-not-ours' });
    await expect(driver.startGuest(FOREIGN)).rejects.toMatchObject({ code: 'domain-not-ours' });
    expect(await virsh(libvirtd, 'domstate', FOREIGN)).toBe('running');
    await virsh(libvirtd, 'destroy', FOREIGN);
  });
});
