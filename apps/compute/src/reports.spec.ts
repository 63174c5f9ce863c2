import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createConnectors, spawnRunner } from '@novella/brick';
import { type PowerStateChanged, REPORT_INTERVAL_MS, type ServiceReport, serviceReport } from '@novella/contracts';
import { bytes, type Clock, millis, seconds, type ServerId } from '@novella/core';
import { FakeDriver, type VirtDriver } from '@novella/virt';
import { virtualClock, type VirtualClock, waitUntil } from '@novella/testing';
import { PowerStates } from './power-states.js';
import { ServiceReports } from './service-reports.js';
import { withoutResize } from './testing/like-qemu.js';
import { broken, HOST, OTHER_SERVER, quietLog, SERVER } from './testing/test-host.js';

const PUBLIC_KEY = `${'A'.repeat(43)}=`;
const noChance = { fraction: () => 0, uuid: () => '' };
/** What a report reads of the machine takes real time, however the clock stands. */
const settled = (until: () => boolean) => waitUntil(until, { every: 1 });

describe('service reports', () => {
  let stateDir: string;
  let clock: VirtualClock;
  /** Reports that wait for their next turn. */
  let pausing: number;
  let driver: FakeDriver;
  let sent: ServiceReport[];
  let refuse: Error | null;
  let reports: ServiceReports;
  let isDeaf: boolean;
  let hasCeph: boolean;

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'novella-reports-'));
    clock = virtualClock();
    pausing = 0;
    driver = new FakeDriver({ deviceSize: () => Promise.resolve(bytes(0)) });
    sent = [];
    refuse = null;
    isDeaf = false;
    hasCeph = false;
    reports = newReports();
  });
  afterEach(async () => {
    await reports.stop();
    await rm(stateDir, { recursive: true, force: true });
  });

  function newReports(virt: VirtDriver = driver): ServiceReports {
    const service_report = (report: ServiceReport) => {
      if (refuse !== null) return Promise.reject(refuse);
      sent.push(report);
      return Promise.resolve();
    };
    const { local, rbd } = createConnectors({
      local: { roots: ['/dev/loop*'], clock, runner: spawnRunner },
      rbd: { clock },
    });
    rbd.isUsable = () => Promise.resolve(hasCeph);
    const connectors = { local, rbd };
    const io = { host: HOST, version: '1.2.3', stateDir, virt, connectors, connectorProperties: { ip: '::1' } };
    return new ServiceReports({
      ...io,
      hostKey: { publicKey: PUBLIC_KEY },
      conductor: { service_report },
      isDeaf: () => isDeaf,
      clock: noticing(clock),
      random: noChance,
      log: quietLog,
    });
  }
  const noticing = (watched: VirtualClock): Clock => ({
    monotonic: () => watched.monotonic(),
    wallTime: () => watched.wallTime(),
    sleep: async (delay, signal) => {
      const isPause = delay === REPORT_INTERVAL_MS || delay === seconds(1) ? 1 : 0;
      pausing += isPause;
      await watched.sleep(delay, signal).finally(() => (pausing -= isPause));
    },
  });
  const asleep = () => settled(() => pausing > 0);
  const interval = async () => {
    await clock.advance(millis(REPORT_INTERVAL_MS));
    await asleep();
  };
  const phases = () => sent.map(({ phase }) => phase);

  it('says starting once, then running each interval, then stopping', async () => {
    reports.start();
    await asleep();
    await interval();
    await interval();
    await reports.stop();
    expect(phases()).toEqual(['starting', 'running', 'running', 'stopping']);
  });

  it('tells of a kind of volumes as soon as the host has the programs for it', async () => {
    reports.start();
    await asleep();
    expect(sent[0]?.capabilities).not.toContain('protocol:rbd');
    hasCeph = true;
    await interval();
    expect(sent[1]?.capabilities).toContain('protocol:rbd');
  });

  it('tells what the host is and can do, as the contract wants it', async () => {
    reports.start();
    await asleep();
    expect(sent[0]).toMatchObject({
      host: HOST,
      version: '1.2.3',
      hypervisor: { type: 'fake' },
      capabilities: ['extend-volume', 'power', 'console-output', 'protocol:local', 'format:raw', 'format:qcow2'],
      publicKey: PUBLIC_KEY,
      connectorProperties: { ip: '::1' },
      capacity: { vcpus: 8, memoryMib: 16_384 },
    });
    expect(sent[0]!.capacity.diskGib).toBeGreaterThan(0);
    expect(serviceReport.safeParse(sent[0]).success).toBe(true);
  });

  it('says nothing while commands are known not to reach it, and goes on when they do', async () => {
    reports.start();
    await asleep();
    isDeaf = true;
    await interval();
    await interval();
    expect(phases()).toEqual(['starting']);
    isDeaf = false;
    await interval();
    expect(phases()).toEqual(['starting', 'running']);
  });

  it('does not claim to extend where the hypervisor cannot', async () => {
    reports = newReports(withoutResize(driver));
    reports.start();
    await asleep();
    expect(sent[0]!.capabilities).not.toContain('extend-volume');
  });

  it('says starting, every second, until one report got through', async () => {
    refuse = broken();
    reports.start();
    await asleep();
    refuse = null;
    await clock.advance(seconds(1));
    await waitUntil(() => phases().length === 1);
    await asleep();
    await clock.advance(millis(REPORT_INTERVAL_MS));
    await waitUntil(() => phases().length === 2);
    expect(phases()).toEqual(['starting', 'running']);
  });

  it('says nothing while the hypervisor does not answer, and goes on when it does', async () => {
    reports.start();
    await asleep();
    driver.setReachable(false);
    await clock.advance(millis(REPORT_INTERVAL_MS));
    await asleep();
    expect(phases()).toEqual(['starting']);
    driver.setReachable(true);
    await interval();
    expect(phases()).toEqual(['starting', 'running']);
  });

  it('says nothing while the hypervisor hangs, and goes on although it never answers', async () => {
    reports.start();
    await asleep();
    const held = driver.hangNext('hypervisor');
    await clock.advance(millis(REPORT_INTERVAL_MS));
    await held.reached;
    await clock.advance(millis(REPORT_INTERVAL_MS));
    await asleep();
    expect(phases()).toEqual(['starting']);
    await interval();
    expect(phases()).toEqual(['starting', 'running']);
    held.release();
  });

  it('stops while the hypervisor hangs', async () => {
    reports.start();
    await asleep();
    const held = driver.hangNext('hypervisor');
    await clock.advance(millis(REPORT_INTERVAL_MS));
    await held.reached;
    await reports.stop();
    expect(phases()).toEqual(['starting', 'stopping']);
    held.release();
  });

  it('stops although the good-bye does not get through', async () => {
    reports.start();
    await asleep();
    refuse = broken();
    await expect(reports.stop()).resolves.toBeUndefined();
  });
});

describe('power states', () => {
  let clock: VirtualClock;
  beforeEach(() => {
    clock = virtualClock();
  });

  function powerStates() {
    const told: [ServerId, string][] = [];
    const faults: Error[] = [];
    const states = new PowerStates({
      host: HOST,
      clock,
      log: quietLog,
      conductor: {
        power_state_changed: async ({ server, powerState }: PowerStateChanged) => {
          await nextTurn();
          const fault = faults.shift();
          if (fault !== undefined) throw fault;
          told.push([server, powerState]);
        },
      },
    });
    return { told, faults, states };
  }

  it('tells each change', async () => {
    const { told, states } = powerStates();
    states.changed(SERVER, 'running');
    states.changed(OTHER_SERVER, 'paused');
    await settled(() => told.length === 2);
    states.changed(SERVER, 'shutdown');
    await settled(() => told.length === 3);
    expect(told).toEqual([
      [SERVER, 'running'],
      [OTHER_SERVER, 'paused'],
      [SERVER, 'shutdown'],
    ]);
  });

  it('tells the newest state last when a guest changes while its state is told', async () => {
    const { told, states } = powerStates();
    states.changed(SERVER, 'running');
    states.changed(SERVER, 'paused');
    states.changed(SERVER, 'shutdown');
    await settled(() => told.at(-1)?.[1] === 'shutdown');
    expect(told.at(-1)).toEqual([SERVER, 'shutdown']);
  });

  it('tries again, later each time, what did not get through', async () => {
    const { told, faults, states } = powerStates();
    faults.push(broken(), broken());
    states.changed(SERVER, 'shutdown');
    await settled(() => clock.sleeping > 0);
    expect(await clock.advanceToNext()).toBe(1_000);
    await settled(() => clock.sleeping > 0);
    expect(await clock.advanceToNext()).toBe(2_000);
    await settled(() => told.length > 0);
    expect(told).toEqual([[SERVER, 'shutdown']]);
  });

  it('stops while the broker is away', async () => {
    const { told, faults, states } = powerStates();
    faults.push(broken());
    states.changed(SERVER, 'shutdown');
    await settled(() => clock.sleeping > 0);
    await expect(states.stop()).resolves.toBeUndefined();
    states.changed(SERVER, 'running');
    expect(told).toEqual([]);
  });
});
