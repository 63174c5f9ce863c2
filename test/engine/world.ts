import {
  type BlockDeviceMappingId,
  type GiB,
  gib,
  type Log,
  type Millis,
  minutes,
  type ProjectId,
  type RequestId,
  seconds,
  type UserId,
  type VolumeId,
} from '@novella/core';
import { openMemoryStore, type Store } from '@novella/persistence';
import { MAPPING, newInstance, seededRandom, SERVER, service, VOLUME, virtualClock } from '@novella/testing';
import { Engine } from '../../apps/conductor/src/operations/engine.js';
import { SimulatedHost, SimulatedVolumes } from './simulated-world.js';

/** Far apart, so that few of the calls that worlds are broken at are looks for work where there is none. */
export const SWEEP = seconds(60);
const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const PROJECT = 'd'.repeat(32) as ProjectId;
/** A volume that is attached to the server after it was built. */
export const DATA = '88888888-8888-4888-8888-888888888888' as VolumeId;
const DATA_MAPPING = '99999999-9999-4999-8999-999999999999' as BlockDeviceMappingId;

const MAPPING_INPUT = {
  size: gib(1),
  bus: 'virtio',
  device: null,
  bootIndex: null,
  tag: null,
  deleteOnTermination: false,
  multiattach: false,
} as const;

/** Something that strikes at the `call`-th call that engines make of their ports, before or after it has its effect. */
export interface Fault {
  readonly call: number;
  readonly when: 'before' | 'after';
  /** `error`: the call rejects. `crash`: its engine is dead and another starts. A function: somebody else acts. */
  readonly kind: 'error' | 'crash' | ((world: World) => Promise<void>);
}

class Crash extends Error {}

interface Life {
  readonly engine: Engine;
  crashed: boolean;
}

/** One deployment: a store, a volume service, a host, and so many engines at once; engines come and go. */
export class World {
  readonly clock = virtualClock();
  readonly store: Store = openMemoryStore({ serviceDownTime: minutes(600), clock: this.clock });
  readonly volumes = new SimulatedVolumes(this.clock, (server, volume) => this.host.has(server, volume));
  readonly host = new SimulatedHost(this.clock, (result) => void this.deliver(result));
  /** Answers that no engine has recorded yet; the broker brings them again. */
  private readonly unrecorded: Parameters<Engine['answer']>[0][] = [];
  private lives: Life[] = [];
  private started = 0;
  private answered = 0;
  private requests = 0;
  private fault: Fault | null = null;
  private deleting = false;
  private readonly wrongs: string[] = [];
  /** The next call of a method of this name rejects, without effect. */
  failsOnce: string | null = null;
  /** A delete is accepted right after the first call of a method of one of these names. */
  deletesAfter: readonly string[] = [];
  calls = 0;

  private constructor(private readonly engines: number) {}

  static async with(engines: number): Promise<World> {
    const world = new World(engines);
    const { host, version, capabilities, connectorProperties, hypervisor, capacity } = service();
    const report = { host, version, capabilities, connectorProperties, hypervisor, capacity };
    await world.store.reportService({ ...report, binary: 'nova-compute' });
    return world;
  }

  /** From here on calls are counted, and the fault strikes. */
  arm(fault: Fault | null): void {
    this.fault = fault;
    this.calls = 0;
  }

  /** Lets the engines work until nothing is open any more. */
  async settle(): Promise<void> {
    while (this.lives.length < this.engines) this.startEngine();
    for (let step = 0; step < 2_000; step++) {
      if ((await this.store.operations({ open: true, limit: 10 })).length === 0) break;
      for (const result of this.unrecorded.splice(0)) await this.deliver(result);
      await this.clock.advanceToNext();
    }
    await Promise.all(this.lives.splice(0).map(({ engine }) => engine.stop()));
  }

  /** Lets the engines stand for so long with nothing open. */
  async idle(time: Millis): Promise<void> {
    while (this.lives.length < this.engines) this.startEngine();
    await this.clock.advance(time);
    await Promise.all(this.lives.splice(0).map(({ engine }) => engine.stop()));
  }

  /** What a user, Cinder and the host would see. */
  async snapshot() {
    const instance = await this.store.instanceEvenDeleted(SERVER);
    const mappings = (await this.store.blockDeviceMappings([SERVER])).get(SERVER) ?? [];
    const actions = await this.store.instanceActions(SERVER);
    const shown = await Promise.all(actions.map(({ requestId }) => this.store.instanceAction(SERVER, requestId)));
    const open = await this.store.operations({ open: true, limit: 10 });
    return {
      open: open.map(({ kind, state, step }) => ({ kind, state, step })),
      server: instance && {
        vmState: instance.vmState,
        taskState: instance.taskState,
        host: instance.host,
        deleted: instance.deletedAt !== null,
        fault: instance.fault?.message ?? null,
      },
      mappings: mappings.map(({ volumeId, attachedAt, size, guestBytes }) => {
        return { volumeId, attached: attachedAt !== null, size, guestBytes };
      }),
      actions: shown.map((action) => ({
        action: action?.action,
        message: action?.message,
        events: action?.events.map(({ event, result, details }) => ({ event, result, details })),
      })),
      attachments: [...this.volumes.records.values()],
      deletedVolumes: new Set(this.volumes.deleted),
      guests: [...this.host.guests].map(([server, volumes]) => ({ server, volumes: [...volumes] })),
      devices: [...this.host.devices],
      wrongs: [...this.wrongs, ...this.volumes.wrongs, ...this.shrunk()],
    };
  }

  requester() {
    this.requests += 1;
    return {
      requestId: `req-00000000-0000-4000-8000-${String(this.requests).padStart(12, '0')}` as RequestId,
      userId: 'admin' as UserId,
      projectId: PROJECT,
    };
  }

  /** nova-api accepts a server that boots from a volume; `confirmed`: it lived until Cinder had answered. */
  async acceptBuild(confirmed = true, volumes: readonly VolumeId[] = [VOLUME]): Promise<void> {
    const mappings = volumes.map((volumeId, n) => ({
      ...MAPPING_INPUT,
      id: MAPPING.replace(/^./, String(n)) as BlockDeviceMappingId,
      volumeId,
      bootIndex: n === 0 ? 0 : null,
      deleteOnTermination: true,
    }));
    const created = await this.store.createInstance({
      instance: newInstance(),
      mappings,
      requester: this.requester(),
      confirmWithin: seconds(30),
    });
    const reserved = mappings.map(({ id, volumeId }) => {
      return { mapping: id, attachmentId: this.volumes.reserve(volumeId, SERVER) };
    });
    if (confirmed) await this.store.confirmReservations(created.operation, reserved);
  }

  /** The server is there, its build has ended. */
  async built(): Promise<void> {
    await this.acceptBuild();
    await this.settle();
  }

  async acceptAttach(): Promise<void> {
    const reserved = await this.store.reserveAttachment({
      serverId: SERVER,
      mapping: { ...MAPPING_INPUT, id: DATA_MAPPING, volumeId: DATA },
      requester: this.requester(),
      confirmWithin: seconds(30),
    });
    if (reserved.kind !== 'reserved') throw new Error(`not reserved: ${reserved.kind}`);
    const attachmentId = this.volumes.reserve(DATA, SERVER);
    await this.store.confirmReservations(reserved.operation, [{ mapping: DATA_MAPPING, attachmentId }]);
  }

  /** Cinder has grown the boot volume and tells us. */
  async acceptExtend(size: GiB = gib(2)): Promise<void> {
    this.volumes.sizes.set(VOLUME, size);
    const operation = { kind: 'extend', serverId: SERVER, volumeTag: VOLUME } as const;
    const posted = { name: 'volume-extended', serverId: SERVER, status: 'completed', tag: VOLUME, code: 200 } as const;
    await this.store.acceptExternalEvents([{ ...posted, operation }], this.requester());
  }

  async acceptDelete(): Promise<void> {
    await this.store.requestDelete(SERVER, this.requester());
    this.deleting = true;
  }

  private async seeThatNobodyForgetsTheDelete(): Promise<void> {
    const server = await this.store.instance(SERVER);
    if (server !== null && server.taskState !== 'deleting') this.wrongs.push('a server that is deleted has no task');
  }

  private shrunk(): string[] {
    const largest = new Map<VolumeId, number>();
    return this.host.shown.flatMap(({ volume, bytes }) => {
      const before = largest.get(volume) ?? 0;
      largest.set(volume, Math.max(before, bytes));
      return bytes < before ? [`${volume} was shown with ${bytes} bytes after ${before}`] : [];
    });
  }

  private async deliver(result: Parameters<Engine['answer']>[0]): Promise<void> {
    const alive = this.lives.filter(({ crashed }) => !crashed);
    const taker = alive[this.answered++ % Math.max(1, alive.length)];
    if (taker === undefined) this.unrecorded.push(result);
    else await taker.engine.answer(result).catch(() => this.unrecorded.push(result));
  }

  private startEngine(): void {
    const breaking = <T extends object>(port: T): T => this.breaking(port, () => life);
    const io = {
      store: breaking(this.store),
      volumes: breaking(this.volumes),
      compute: () => breaking(this.host.client()),
      clock: this.clock,
      random: seededRandom(++this.started),
      log: silent,
    };
    const engine = new Engine(io, { name: `conductor-${this.started}`, concurrency: 8, sweep: SWEEP });
    const life: Life = { engine, crashed: false };
    this.lives.push(life);
    engine.start();
  }

  /** The same port, with the fault in it. */
  private breaking<T extends object>(port: T, lifeOf: () => Life): T {
    return new Proxy(port, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]): Promise<unknown> => {
          // The engine calls nothing before it was made.
          await Promise.resolve();
          const life = lifeOf();
          if (life.crashed) throw new Crash('this engine is dead');
          if (this.deleting) await this.seeThatNobodyForgetsTheDelete();
          if (name === this.failsOnce) {
            this.failsOnce = null;
            throw new Error('broken by the test');
          }
          const fault = ++this.calls === this.fault?.call ? this.fault : null;
          if (fault?.when === 'before') await this.strike(fault, life);
          const answer: unknown = await (method.apply(target, args) as Promise<unknown>);
          if (fault?.when === 'after') await this.strike(fault, life);
          if (!this.deleting && this.deletesAfter.includes(String(name))) await this.acceptDelete();
          return answer;
        };
      },
    });
  }

  /** A crashed engine reaches nothing any more; another one takes over. */
  private async strike({ kind }: Fault, life: Life): Promise<void> {
    if (typeof kind === 'function') return kind(this);
    if (kind === 'error') throw new Error('broken by the test');
    life.crashed = true;
    this.lives = this.lives.filter((other) => other !== life);
    void life.engine.stop();
    this.startEngine();
    throw new Crash('killed by the test');
  }
}
