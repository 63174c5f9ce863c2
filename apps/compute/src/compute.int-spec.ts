import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectorProperties, spawnRunner } from '@novella/brick';
import { computeRpc, conductorRpc, type HandlersOf, type OperationResult, type Outcome } from '@novella/contracts';
import { bytes } from '@novella/core';
import { ImageDirectory } from '@novella/image';
import { InMemoryBroker, rpcClient, RpcServer, RpcStrategy } from '@novella/messaging';
import { systemClock, systemRandom } from '@novella/service-kit';
import { waitUntil } from '@novella/testing';
import { type ComputeOptions, createCompute } from './compute.js';
import { ComputeModule } from './compute.module.js';
import { HOST, MIB, quietLog, SERVER, testHost, type TestHost } from './testing/test-host.js';

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

  it('takes commands from its queue, reports results, power states and itself, and stops in order', async () => {
    const app = await startApplication();
    const disk = await host.volume(1, 1);
    const base = { domainName: 'instance-00000001', displayName: 'one', projectId: 'p', vcpus: 1, memoryMib: 64 };
    const boot = { rootGib: 0, imageRef: null, rootBus: 'virtio' as const, bootVolume: null };
    const { path: _path, ...wire } = disk;
    const client = commands();
    await client.build_instance({ token: host.token(), server: SERVER, ...base, ...boot, volumes: [wire] });
    expect(await nextOutcome(1)).toMatchObject({ status: 'built', powerState: 'running' });

    await truncate(disk.path, 2 * MIB);
    const { volume, attachment, connection } = wire;
    const extend = { server: SERVER, volume, attachment, connection, wantedBytes: bytes(2 * MIB) };
    await client.extend_volume({ token: host.token(), ...extend });
    expect(await nextOutcome(2)).toEqual({ status: 'grown', hostBytes: 2 * MIB, guestBytes: 2 * MIB });
    await client.extend_volume({ token: host.token(1), ...extend });
    expect(await nextOutcome(3)).toEqual({ status: 'stale' });
    expect(results.map(({ token }) => token.fence)).toEqual([1, 2, 1]);
    expect(await client.ping({})).toMatchObject({ host: HOST });

    await app.close();
    await waitUntil(() => heard.includes('stopping'), { what: 'the good-bye' });
    expect(heard).toEqual(['starting', 'running', 'stopping']);
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
