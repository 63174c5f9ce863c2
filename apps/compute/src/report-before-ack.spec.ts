import { truncate } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { computeRpc } from '@novella/contracts';
import { bytes, seconds } from '@novella/core';
import { InMemoryBroker, type InMemoryLink, rpcClient, RpcServer } from '@novella/messaging';
import { seededRandom, virtualClock, type VirtualClock, waitUntil } from '@novella/testing';
import { broken, HOST, MIB, quietLog, SERVER, testHost, type TestHost, type TestVolume } from './testing/test-host.js';

const QUEUE = `compute.${HOST}`;

describe('a host that takes its commands from a broker', () => {
  let host: TestHost;
  let disk: TestVolume;
  let clock: VirtualClock;
  let broker: InMemoryBroker;
  let link: InMemoryLink;
  let server: RpcServer<typeof computeRpc>;

  beforeEach(async () => {
    clock = virtualClock();
    host = await testHost();
    disk = await host.volume(1, 1);
    await host.build([disk]);
    await truncate(disk.path, 2 * MIB);
    broker = new InMemoryBroker({ clock });
    link = broker.connect();
    server = new RpcServer(link, computeRpc, HOST, host.handlers, { clock, random: seededRandom(1), log: quietLog });
    await server.start();
  });
  afterEach(async () => {
    await server.close({ graceMs: 0 });
    await host.remove();
  });

  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  };
  const sendExtend = async (): Promise<void> => {
    const commands = rpcClient(broker.connect(), computeRpc, { clock, random: seededRandom(2), log: quietLog }).to(
      HOST,
    );
    const { volume, attachment, connection, sealedSecret } = disk;
    const wantedBytes = bytes(2 * MIB);
    const seenBytes = bytes(MIB);
    const extend = { server: SERVER, volume, attachment, connection, sealedSecret, wantedBytes, seenBytes };
    await commands.extend_volume({ token: host.token(), ...extend });
  };
  const resizes = (): number => host.fake.calls.filter(({ method }) => method === 'resizeDisk').length;

  describe('and whose results are not taken', () => {
    beforeEach(async () => {
      host.faults.report = broken();
      await sendExtend();
      await waitUntil(() => host.faults.report === null);
      await turns();
    });

    it('leaves a command at the broker, although it has had its effect (rules 2.7b, 6.4)', async () => {
      expect(await host.guestMib(disk)).toBe(2);
      link.disconnect();
      expect(broker.depth(QUEUE)).toBe(1);
    });

    it('repeats it where it is, requeues nothing, and acks when the result is taken (rules 6.4, 6.5a)', async () => {
      const reported = host.reports.length;
      await clock.advance(seconds(1));
      await waitUntil(() => host.reports.length > reported);
      await waitUntil(() => server.counts.handled === 1);
      expect(server.counts).toMatchObject({ received: 1, retries: 1, deadLettered: 0 });
      expect(host.reports.at(-1)?.outcome).toEqual({ status: 'grown', hostBytes: 2 * MIB, guestBytes: 2 * MIB });
      // Nobody has recorded that the guest has seen it, so it is told once more.
      expect(resizes()).toBe(2);
      link.disconnect();
      expect(broker.depth(QUEUE)).toBe(0);
    });
  });

  it('does not run a command beside itself that comes again while it runs (rule 6.6)', async () => {
    const held = host.fake.hangNext('resizeDisk');
    await sendExtend();
    await held.reached;
    link.disconnect();
    link.reconnect();
    await turns();
    held.release();
    await waitUntil(() => server.counts.handled === 1);
    expect(resizes()).toBe(1);
    link.disconnect();
    expect(broker.depth(QUEUE)).toBe(0);
  });
});
