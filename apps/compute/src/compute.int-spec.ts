import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectorProperties, spawnRunner } from '@novella/brick';
import { computeRpc, conductorRpc, type HandlersOf, type OperationResult, type Outcome } from '@novella/contracts';
import { bytes, type HostName, minutes } from '@novella/core';
import { ImageDirectory } from '@novella/image';
import { InMemoryBroker, rpcClient, RpcServer, RpcStrategy } from '@novella/messaging';
import { systemClock, systemRandom } from '@novella/service-kit';
import { waitUntil } from '@novella/testing';
import { type ComputeOptions, createCompute } from './compute.js';
import { ComputeModule } from './compute.module.js';
import { HOST, MIB, OTHER_SERVER, quietLog, SERVER, testHost, type TestHost } from './testing/test-host.js';

// Needs `flock` of util-linux. The transport is the in-memory link: encoded frames, confirms, acks.
const common = { clock: systemClock, random: systemRandom, log: quietLog };

describe('a compute in a Nest application', () => {
  let host: TestHost;
  let options: ComputeOptions;
  let broker: InMemoryBroker;
  let results: OperationResult[];
  let heard: string[];
  const cleanups: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    host = await testHost();
    cleanups.push(() => host.remove());
    results = [];
    heard = [];
    broker = new InMemoryBroker(common);
    const conductorLink = broker.connect();
    const conductor: HandlersOf<typeof conductorRpc> = {
      hint: () => Promise.resolve(),
      operation_result: (result) => Promise.resolve(void results.push(result)),
      service_report: ({ phase }) => Promise.resolve(void heard.push(phase)),
      power_state_changed: ({ powerState }) => Promise.resolve(void heard.push(powerState)),
      remove_host: () => Promise.resolve(),
    };
    const server = new RpcServer(conductorLink, conductorRpc, null, conductor, common);
    await server.start();
    cleanups.push(() => server.close({ graceMs: 1_000 }));
    options = {
      ...common,
      host: HOST,
      version: '0.1.0',
      stateDir: join(host.folder, 'compute'),
      virt: host.virt,
      connectors: host.connectors,
      connectorProperties: await connectorProperties({ host: HOST, ip: '127.0.0.1' }),
      images: new ImageDirectory(join(host.folder, 'images')),
      hostKey: host.hostKey,
      conductor: rpcClient(broker.connect(), conductorRpc, common).any(),
      runner: spawnRunner,
      onStateLost: () => heard.push('state lost'),
    };
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  const startApplication = async () => {
    @Module({ imports: [ComputeModule.register(options)] })
    class ComputeApplication {}
    const module = await Test.createTestingModule({ imports: [ComputeApplication] }).compile();
    const strategy = new RpcStrategy(broker.connect(), computeRpc, HOST, { ...common, graceMs: 10_000 });
    const app = module.createNestMicroservice({ strategy, logger: false });
    cleanups.push(() => app.close());
    await app.listen();
    return app;
  };
  const commands = () => rpcClient(broker.connect(), computeRpc, common).to(HOST);
  const nextOutcome = async (count: number): Promise<Outcome> => {
    await waitUntil(() => results.length >= count, { what: `${count} results` });
    return results[count - 1]!.outcome;
  };

  it('tells at its start how each guest is, which may have changed while nobody looked', async () => {
    await host.build([]);
    await host.fake.setPowerState(SERVER, 'shutdown');
    await startApplication();
    await waitUntil(() => heard.includes('shutdown'), { what: 'the power state' });
  });

  it('takes commands from its queue, reports results, power states and itself, and stops in order', async () => {
    const app = await startApplication();
    const disk = await host.volume(1, 1);
    const base = { domainName: 'instance-00000001', displayName: 'one', projectId: 'p', vcpus: 1, memoryMib: 64 };
    const boot = { rootGib: 0, imageRef: null, images: null, rootBus: 'virtio' as const, bootVolume: null };
    const { path: _path, ...wire } = disk;
    const client = commands();
    await client.build_instance({ token: host.token(), server: SERVER, ...base, ...boot, volumes: [wire] });
    expect(await nextOutcome(1)).toMatchObject({ status: 'built', powerState: 'running' });

    await truncate(disk.path, 2 * MIB);
    const { volume, attachment, connection, sealedSecret } = wire;
    const sizes = { wantedBytes: bytes(2 * MIB), seenBytes: bytes(MIB) };
    const extend = { server: SERVER, volume, attachment, connection, sealedSecret, ...sizes };
    await client.extend_volume({ token: host.token(), ...extend });
    expect(await nextOutcome(2)).toEqual({ status: 'grown', hostBytes: 2 * MIB, guestBytes: 2 * MIB });
    await client.extend_volume({ token: host.token(1), ...extend });
    expect(await nextOutcome(3)).toEqual({ status: 'stale' });
    expect(results.map(({ token }) => token.fence)).toEqual([1, 2, 1]);
    const power = { server: SERVER, volumes: [wire] };
    await client.stop_instance({ token: host.token(), ...power });
    expect(await nextOutcome(4)).toMatchObject({ status: 'powered', powerState: 'shutdown' });
    await client.start_instance({ token: host.token(), ...power });
    expect(await nextOutcome(5)).toMatchObject({ status: 'powered', powerState: 'running' });
    await client.reboot_instance({ token: host.token(), type: 'soft', seq: 1, ...power });
    const disks = [{ volume, hostBytes: 2 * MIB, guestBytes: 2 * MIB }];
    expect(await nextOutcome(6)).toEqual({ status: 'powered', powerState: 'running', disks });
    expect(await client.ping({})).toMatchObject({ host: HOST });
    expect(await client.console_output({ server: SERVER, lines: null })).toEqual({ output: '' });
    await expect(client.console_output({ server: OTHER_SERVER, lines: 1 })).rejects.toMatchObject({
      code: 'domain-not-found',
    });

    await app.close();
    await waitUntil(() => heard.includes('stopping'), { what: 'the good-bye' });
    expect(heard.filter((said) => said !== 'running' && said !== 'shutdown')).toEqual(['starting', 'stopping']);
    expect(heard.at(-1)).toBe('stopping');
  });

  it('refuses a state directory that another compute holds, and takes it after that one has stopped', async () => {
    const first = await createCompute(options);
    await expect(createCompute(options)).rejects.toMatchObject({ code: 'internal', grade: 'final' });
    await first.stop();
    await first.stop();
    const second = await createCompute(options);
    await second.stop();
    expect(heard).not.toContain('state lost');
  });

  it('does not start on a damaged journal, and lets go of the lock', async () => {
    await (await createCompute(options)).stop();
    await writeFile(join(options.stateDir, 'journal'), 'damaged\ndamaged\n');
    await expect(createCompute(options)).rejects.toMatchObject({ code: 'host-state-lost' });
    await writeFile(join(options.stateDir, 'journal'), '');
    await (await createCompute(options)).stop();
  });

  it('refuses the state directory of a host of another name, and lets go of the lock', async () => {
    await (await createCompute(options)).stop();
    await expect(createCompute({ ...options, host: 'compute-2' as HostName })).rejects.toMatchObject({
      code: 'host-renamed',
    });
    await (await createCompute(options)).stop();
  });

  it('refuses a grace that is longer than anybody waits for a stop', async () => {
    await expect(createCompute({ ...options, shutdownGrace: minutes(5) })).rejects.toThrow(RangeError);
  });

  it('hands back the stop of a guest that takes its time when it is stopped, and does it after its next start', async () => {
    const noMessage = { requestId: null, redelivered: false, userId: null };
    const stop = { token: host.token(), server: SERVER, volumes: [] };
    await host.build([]);
    host.fake.setDeaf(SERVER, true);
    const compute = await createCompute(options);
    const handled = compute.handlers.stop_instance(stop, noMessage);
    await waitUntil(() => host.fake.calls.some(({ method }) => method === 'stopGuest'));
    const refused = expect(handled).rejects.toMatchObject({ code: 'internal', grade: 'unsure' });
    await compute.stop();
    await refused;
    expect(results).toEqual([]);

    host.fake.setDeaf(SERVER, false);
    const next = await createCompute(options);
    await next.handlers.stop_instance(stop, noMessage);
    expect(await nextOutcome(1)).toMatchObject({ status: 'powered', powerState: 'shutdown' });
    await next.stop();
  });

  it('finishes the command that runs when it is stopped, and reports it', async () => {
    const compute = await createCompute(options);
    const held = host.fake.hangNext('destroyGuest');
    const handled = compute.handlers.delete_instance(
      { token: host.token(), server: SERVER, volumes: [] },
      { requestId: null, redelivered: false, userId: null },
    );
    await held.reached;
    const stopped = compute.stop();
    held.release();
    await Promise.all([handled, stopped]);
    expect(await nextOutcome(1)).toEqual({ status: 'deleted' });
  });
});
