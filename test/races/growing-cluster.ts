import { mkdtemp, open, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnectors, type ProcessRunner } from '@novella/brick';
import { computeRpc, conductorRpc } from '@novella/contracts';
import {
  type AttachmentId,
  bytes,
  bytesToGib,
  gib,
  type GiB,
  gibToBytes,
  type Log,
  millis,
  minutes,
  type ProjectId,
  type RequestId,
  seconds,
  type UserId,
} from '@novella/core';
import { InMemoryBroker, rpcClient, RpcServer } from '@novella/messaging';
import { openMemoryStore, type Store } from '@novella/persistence';
import { HostKey } from '@novella/sealing';
import { systemClock, systemRandom } from '@novella/service-kit';
import { HOST, MAPPING, newInstance, SERVER, VOLUME, waitUntil } from '@novella/testing';
import { FakeDriver, type VirtDriver } from '@novella/virt';
import { type Compute, createCompute } from '../../apps/compute/src/compute.js';
import { ConductorEndpoint } from '../../apps/conductor/src/conductor.endpoint.js';
import { Conductor } from '../../apps/conductor/src/conductor.js';
import type { Connected, VolumeService } from '../../apps/conductor/src/volume-service.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const ATTACHED = '77777777-7777-4777-8777-777777777777' as AttachmentId;

/** Called at each await of the flow: before a port is asked, and after it has answered. */
export type AtEachAwait = (where: string) => Promise<void>;

/**
 * A conductor and a compute over the in-memory link and store, with a volume that is a real file. The hypervisor is the
 * fake driver, but a resize sets the file's length, as QEMU does with a raw file.
 */
export class GrowingCluster {
  readonly store: Store = openMemoryStore({ serviceDownTime: minutes(60), clock: systemClock });
  /** What Cinder says. */
  size: GiB = gib(1);
  atEachAwait: AtEachAwait = () => Promise.resolve();
  private requests = 0;

  private constructor(
    private readonly directory: string,
    private readonly virt: FakeDriver,
  ) {}

  private conductor: Conductor | null = null;
  private compute: Compute | null = null;
  private servers: { close(options: { graceMs: number }): Promise<unknown> }[] = [];

  static async start(): Promise<GrowingCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'novella-race-'));
    const virt = new FakeDriver({ deviceSize: async ({ path }) => bytes((await stat(path)).size) });
    const cluster = new GrowingCluster(directory, virt);
    await (await open(cluster.path, 'w')).close();
    await cluster.setLength(gib(1));
    await cluster.wire();
    await cluster.buildServer();
    return cluster;
  }

  get path(): string {
    return join(this.directory, 'volume');
  }

  /** As Cinder: the storage first, then what it says, then the event. Resolves when the event was accepted. */
  async extend(size: GiB): Promise<RequestId> {
    await this.setLength(size);
    this.size = size;
    const requestId = this.nextRequest();
    const operation = { kind: 'extend', serverId: SERVER, volumeTag: VOLUME } as const;
    const event = { name: 'volume-extended', serverId: SERVER, status: 'completed', tag: VOLUME, code: 200 } as const;
    await this.store.acceptExternalEvents([{ ...event, operation }], this.requester(requestId));
    this.conductor?.engine.hint();
    return requestId;
  }

  /** As libvirt's event: the guest has stopped or started, and the record says so. */
  async setPower(powerState: 'running' | 'shutdown'): Promise<void> {
    await this.virt.setPowerState(SERVER, powerState);
    await waitUntil(async () => (await this.store.instance(SERVER))?.powerState === powerState);
  }

  /** The result of the extend's event, once it has one. */
  async resultOf(requestId: RequestId): Promise<'Success' | 'Error'> {
    const results: ('Success' | 'Error')[] = [];
    await waitUntil(async () => {
      const result = (await this.store.instanceAction(SERVER, requestId))?.events[0]?.result ?? null;
      if (result !== null) results.push(result);
      return results.length > 0;
    });
    return results[0] ?? 'Error';
  }

  async sizes(): Promise<{ guest: GiB; host: GiB; recorded: GiB }> {
    const guest = await this.virt.guest(SERVER);
    const mapping = (await this.store.blockDeviceMappings([SERVER])).get(SERVER)?.[0];
    return {
      guest: bytesToGib(guest?.disks[0]?.guestBytes ?? bytes(0)),
      host: bytesToGib(bytes((await stat(this.path)).size)),
      recorded: mapping?.size ?? gib(0),
    };
  }

  async stop(): Promise<void> {
    this.atEachAwait = () => Promise.resolve();
    for (const server of this.servers) await server.close({ graceMs: 5_000 });
    await this.compute?.stop();
    await this.conductor?.stop();
    await this.store.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async wire(): Promise<void> {
    const broker = new InMemoryBroker({ clock: systemClock });
    const [conductorLink, computeLink] = [broker.connect('conductor'), broker.connect(`compute-${HOST}`)];
    const common = { clock: systemClock, random: systemRandom, log: silent };
    const commands = rpcClient(conductorLink, computeRpc, common);
    const conductor = new Conductor({
      name: 'conductor-1',
      verifySender: false,
      deleteQueue: (name) => conductorLink.deleteQueue(name),
      store: this.watched('store', this.store),
      volumes: this.watched('cinder', this.volumes()),
      compute: (host) => this.watched('command', commands.to(host)),
      ...common,
    });
    this.conductor = conductor;
    const runner: ProcessRunner = { run: () => Promise.reject(new Error('no program is run here')) };
    const roots = [this.directory];
    const connectors = createConnectors({
      local: { roots, clock: systemClock, runner, rescanTimeout: seconds(2), rescanInterval: millis(5) },
      rbd: { clock: systemClock },
    });
    this.compute = await createCompute({
      host: HOST,
      version: 'test',
      stateDir: join(this.directory, 'state'),
      virt: this.watched('hypervisor', this.likeQemu()),
      connectors: { ...connectors, local: this.watched('connector', connectors.local) },
      connectorProperties: { host: HOST },
      hostKey: await HostKey.open(this.directory),
      images: { image: () => Promise.resolve(null) },
      conductor: this.watched('result', rpcClient(computeLink, conductorRpc, common).any()),
      runner,
      onStateLost: () => undefined,
      ...common,
    });
    const ofConductor = new RpcServer(conductorLink, conductorRpc, null, new ConductorEndpoint(conductor), common);
    const ofCompute = new RpcServer(computeLink, computeRpc, HOST, this.compute.handlers, common);
    this.servers = [ofCompute, ofConductor];
    await ofConductor.start();
    await ofCompute.start();
    conductor.start();
    this.compute.start();
  }

  private async buildServer(): Promise<void> {
    await waitUntil(async () => (await this.store.services('nova-compute')).length > 0);
    const mapping = {
      id: MAPPING,
      volumeId: VOLUME,
      size: gib(1),
      bus: 'virtio',
      device: null,
      bootIndex: 0,
      tag: null,
      deleteOnTermination: false,
      multiattach: false,
    } as const;
    const { operation } = await this.store.createInstance({
      instance: newInstance(),
      mappings: [mapping],
      requester: this.requester(this.nextRequest()),
      confirmWithin: seconds(30),
    });
    await this.store.confirmReservations(operation, [{ mapping: MAPPING, attachmentId: ATTACHED }]);
    this.conductor?.engine.hint();
    await waitUntil(async () => (await this.store.instance(SERVER))?.vmState === 'active');
  }

  private volumes(): VolumeService {
    return {
      volume: () => Promise.resolve({ size: this.size, status: 'in-use', extendingTo: null }),
      attachments: () => Promise.resolve([ATTACHED]),
      connectAttachment: () => Promise.resolve(this.connected()),
      connection: () => Promise.resolve(this.connected()),
      beginDetaching: () => Promise.resolve(),
      completeExtend: () => Promise.resolve(),
      encryption: () => Promise.resolve(null),
      rollDetaching: () => Promise.resolve(),
      completeAttachment: () => Promise.resolve(),
      deleteAttachment: () => Promise.resolve(),
      deleteVolume: () => Promise.resolve(),
      async *volumesThatAre() {
        yield await Promise.resolve([]);
      },
    };
  }

  private connected(): Connected {
    const raw = { protocol: 'local', format: 'raw', accessMode: 'rw', encrypted: false } as const;
    return { connection: { ...raw, devicePath: this.path }, secret: null };
  }

  /** QEMU sets the length of a raw file to the size it is told, and so may cut what has grown meanwhile. */
  private likeQemu(): VirtDriver {
    const { virt } = this;
    const resizeDisk: NonNullable<VirtDriver['liveResize']>['resizeDisk'] = async (server, volume, size) => {
      await this.atEachAwait('hypervisor.resizeDisk, before QEMU sets the length');
      if ((await virt.guest(server))?.disks.some(({ guestBytes }) => (guestBytes ?? 0) < size))
        await truncate(this.path, size);
      await this.atEachAwait('hypervisor.resizeDisk, after QEMU has set the length');
      return virt.liveResize.resizeDisk(server, volume, size);
    };
    return new Proxy<VirtDriver>(virt, {
      get: (target, name) => {
        if (name === 'liveResize') return { resizeDisk };
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  private watched<T extends object>(part: string, port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function' || name === 'onPowerState' || name === 'volumesThatAre') {
          return typeof method === 'function' ? (method.bind(target) as unknown) : method;
        }
        return async (...args: unknown[]): Promise<unknown> => {
          const where = `${part}.${String(name)}`;
          await this.atEachAwait(`${where}, before`);
          const answer: unknown = await (method.apply(target, args) as Promise<unknown>);
          await this.atEachAwait(`${where}, after`);
          return answer;
        };
      },
    });
  }

  private setLength(size: GiB): Promise<void> {
    return truncate(this.path, gibToBytes(size));
  }

  private nextRequest(): RequestId {
    return `req-00000000-0000-4000-8000-${String(++this.requests).padStart(12, '0')}` as RequestId;
  }

  private requester(requestId: RequestId) {
    return { requestId, userId: 'cinder' as UserId, projectId: 'service' as ProjectId };
  }
}
