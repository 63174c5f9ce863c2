import type { OperationResult } from '@novella/contracts';
import {
  type BlockDeviceMappingId,
  bytes,
  gib,
  gibToBytes,
  type HostName,
  type Log,
  minutes,
  type ProjectId,
  type RequestId,
  seconds,
  type ServerId,
  type UserId,
  type VolumeId,
} from '@novella/core';
import { type Capacity, openMemoryStore, type Store } from '@novella/persistence';
import { newInstance, seededRandom, service, virtualClock } from '@novella/testing';
import { Engine } from '../../apps/conductor/src/operations/engine.js';
import { SimulatedHost } from '../engine/simulated-host.js';
import { SimulatedVolumes } from '../engine/simulated-volumes.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** So many hosts, and so many conductors that work on what is accepted for any of their servers. */
export class ManyHosts {
  readonly clock = virtualClock();
  readonly store: Store = openMemoryStore({ serviceDownTime: minutes(600), clock: this.clock });
  readonly hosts: ReadonlyMap<HostName, SimulatedHost>;
  readonly volumes: SimulatedVolumes;
  private readonly engines: Engine[] = [];
  private requests = 0;

  private constructor(names: readonly HostName[], conductors: number) {
    this.volumes = new SimulatedVolumes(this.clock, (server, volume) =>
      [...this.hosts.values()].some((host) => host.has(server, volume)),
    );
    this.hosts = new Map(
      names.map((name) => [
        name,
        new SimulatedHost({
          name,
          clock: this.clock,
          deliver: (result) => this.deliver(result),
          storage: (volume) => bytes(gibToBytes(this.volumes.sizeOf(volume))),
        }),
      ]),
    );
    for (let n = 1; n <= conductors; n++) this.engines.push(this.engine(n));
  }

  static async start(capacities: Readonly<Record<string, Capacity>>, conductors: number): Promise<ManyHosts> {
    const names = Object.keys(capacities) as HostName[];
    const many = new ManyHosts(names, conductors);
    const { version, capabilities, connectorProperties, publicKey, hypervisor } = service();
    for (const host of names) {
      const capacity = capacities[host] ?? { vcpus: 0, memoryMib: 0, diskGib: 0 };
      const said = { version, capabilities, connectorProperties, publicKey, hypervisor, capacity };
      await many.store.reportService({ ...said, host, binary: 'nova-compute' });
    }
    for (const engine of many.engines) engine.start();
    return many;
  }

  async stop(): Promise<void> {
    await Promise.all(this.engines.map((engine) => engine.stop()));
  }

  /** Until nothing is open any more, or for `most`. */
  async settle(most = minutes(60)): Promise<void> {
    const end = this.clock.monotonic() + most;
    for (const engine of this.engines) engine.hint();
    while (this.clock.monotonic() < end) {
      if ((await this.store.operations({ open: true, limit: 1 })).length === 0) return;
      await this.clock.advanceToNext();
    }
  }

  async acceptBuild(
    id: ServerId,
    volume: VolumeId | null,
    over: Parameters<typeof newInstance>[0] = {},
  ): Promise<void> {
    const mapping = {
      id: id.replace(/^./, '9') as BlockDeviceMappingId,
      size: gib(1),
      bus: 'virtio',
      device: null,
      bootIndex: null,
      tag: null,
      deleteOnTermination: false,
      multiattach: true,
    } as const;
    const mappings = volume === null ? [] : [{ ...mapping, volumeId: volume }];
    const { operation } = await this.store.createInstance({
      instance: newInstance({ id, ...over }),
      mappings,
      requester: this.requester(),
      confirmWithin: seconds(30),
    });
    if (volume === null) return;
    await this.store.confirmReservations(operation, [
      { mapping: mapping.id, attachmentId: this.volumes.reserve(volume, id) },
    ]);
  }

  /** Cinder tells of all servers that have the volume in one POST. */
  async acceptExtend(volume: VolumeId, size: number, servers: readonly ServerId[]): Promise<void> {
    this.volumes.sizes.set(volume, gib(size));
    const events = servers.map((serverId) => ({
      name: 'volume-extended',
      serverId,
      status: 'completed',
      tag: volume,
      code: 200 as const,
      operation: { kind: 'extend', serverId, volumeTag: volume } as const,
    }));
    await this.store.acceptExternalEvents(events, this.requester());
  }

  requester() {
    const requestId = `req-00000000-0000-4000-8000-${String(++this.requests).padStart(12, '0')}` as RequestId;
    return { requestId, userId: 'admin' as UserId, projectId: 'd'.repeat(32) as ProjectId };
  }

  private engine(number: number): Engine {
    const io = {
      store: this.store,
      volumes: this.volumes,
      compute: (host: HostName) => {
        const found = this.hosts.get(host);
        if (found === undefined) throw new Error(`no host ${host}`);
        return found.client();
      },
      clock: this.clock,
      random: seededRandom(number),
      log: silent,
    };
    return new Engine(io, { name: `conductor-${number}`, concurrency: 8, sweep: seconds(5) });
  }

  private deliver(result: OperationResult): void {
    const taker = this.engines[this.requests % this.engines.length];
    void taker?.answer(result);
  }
}
